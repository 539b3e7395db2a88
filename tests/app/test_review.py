"""The Review page: counts, order, pages, threshold, accepting, undoing, exporting."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.components import review_actions, review_data
from app.components.gallery import Press
from wbc_core.curation import review
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.scan import load_findings
from wbc_core.datasets.synthetic import build_demo_dataset
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.records import Dataset, Finding
from wbc_core.workspace import Workspace

MAIN = str(Path(__file__).parents[2] / "app" / "main.py")


def open_review(**parameters: str) -> AppTest:
    page = AppTest.from_file(MAIN, default_timeout=60)
    for name, value in parameters.items():
        page.query_params[name] = value
    page.run()
    page.switch_page("views/review.py")
    for name, value in parameters.items():
        page.query_params[name] = value
    return page.run()


def flagged(dataset: Dataset, check: str) -> list[Finding]:
    return [finding for finding in load_findings(Workspace.default(), dataset.id, check) if finding.flagged]


def button(page: AppTest, label: str):
    return next(entry for entry in page.button if entry.label.startswith(label))


def finding(rows: tuple[int, ...], score: float = 1.0, **suggested: str) -> Finding:
    return Finding("blur", rows, tuple(map(str, rows)), score, True, suggested, "evidence")


def test_a_data_set_that_was_not_scanned_offers_the_scan(empty_lab: Workspace) -> None:
    dataset = build_demo_dataset(empty_lab, images=80)
    page = open_review()
    button(page, "Scan for bad images").click().run()
    assert not page.exception
    assert [(job.kind, job.spec) for job in queue.list_jobs(empty_lab)] == [("scan", {"dataset": dataset.id})]
    assert "Scan for bad images" not in [entry.label for entry in page.button]


def test_every_check_is_offered_with_its_count_and_the_url_chooses(demo_dataset: Dataset) -> None:
    page = open_review(check="exact_duplicates")
    assert not page.exception
    images = len({row for entry in flagged(demo_dataset, "exact_duplicates") for row in entry.rows})
    choice = page.button_group(key="check")
    assert choice.value == "exact_duplicates"
    assert f"{CHECKS.get('exact_duplicates').title} · {images}" in choice.options
    assert page.query_params["check"] == "exact_duplicates"
    page.button_group(key="check").set_value("exposure").run()
    assert page.query_params["check"] == "exposure"
    page.switch_page("views/split_balance.py").run()
    page.query_params.pop("check", None)
    page.switch_page("views/review.py").run()
    assert page.query_params["check"] == "exposure"


def test_the_grid_shows_the_worst_first_with_suggestion_evidence_and_mark(demo_dataset: Dataset) -> None:
    found = flagged(demo_dataset, "exposure")
    worst = found[0].rows[0]
    review.decide(Workspace.default(), demo_dataset.id, {worst: ("relabel", 2)}, who="anna")
    shown = review_data.cut(demo_dataset.id, "exposure")
    items = review_data.items(demo_dataset, shown, 1)
    assert [item["row"] for item in items] == [row for entry in found for row in entry.rows]
    assert items[0]["mark"] == f"relabel:{demo_dataset.class_names[2]}"
    assert items[0]["title"] == found[0].evidence
    assert items[0]["src"].startswith("data:image/webp;base64,")


def test_the_threshold_moves_the_count_without_a_scan(demo_dataset: Dataset) -> None:
    page = open_review(check="blur")
    entry = CHECKS.get("blur")
    stored = load_findings(Workspace.default(), demo_dataset.id, "blur")
    low = entry.threshold_range[0]
    page.slider(key="threshold-blur").set_value(low).run()
    assert not page.exception
    count = sum(len(finding.rows) for finding in stored if finding.score >= low)
    assert count > len(flagged(demo_dataset, "blur"))
    assert f"of {count} reviewed" in page.get("progress")[0].proto.text
    assert queue.list_jobs(Workspace.default()) == []


def test_accepting_shows_the_effect_first_and_is_one_step_to_undo(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    shown = review_data.cut(demo_dataset.id, "exact_duplicates")
    kept = shown.findings[0].rows[1]
    review.decide(workspace, demo_dataset.id, {kept: ("keep", None)}, who="anna")
    page = open_review(check="exact_duplicates")
    actions = review_data.open_suggestions(demo_dataset.id, shown)
    assert kept not in actions
    button(page, f"Accept all {len(actions)} suggestions").click().run()
    assert not page.exception
    table = next(frame.value for frame in page.dataframe if "Drop" in frame.value)
    assert table["Drop"].sum() == len(actions)
    assert len(review.decision_log(workspace, demo_dataset.id)) == 1
    page.button(key="accept-now").click().run()
    assert not page.exception
    effective = review.effective_decisions(workspace, demo_dataset.id)
    assert {row for row, entry in effective.items() if entry.action == "drop"} == set(actions)
    page.button(key="undo-step").click().run()
    assert set(review.effective_decisions(workspace, demo_dataset.id)) == {kept}


def test_a_group_of_copies_is_reviewed_once_one_copy_is_left(demo_dataset: Dataset) -> None:
    shown = review_data.cut(demo_dataset.id, "exact_duplicates")
    assert review_data.progress(demo_dataset.id, shown).reviewed == 0
    review.accept(Workspace.default(), demo_dataset.id, ["exact_duplicates"], who="anna")
    done = review_data.progress(demo_dataset.id, shown)
    assert (done.left, done.share) == (0, 1.0)
    assert done.dropped == done.images - len(shown.findings)


def press(dataset: Dataset, action: str, rows: list[int], label: int | None = None) -> Press:
    context = review_actions.context(dataset, "blur")
    return Press(seq=1, context=context, action=action, label=label, rows=rows)


def test_a_press_is_one_step_in_the_log_and_undo_takes_back_only_ones_own(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    review_actions.write(press(demo_dataset, "drop", [3, 4]))
    review_actions.write(press(demo_dataset, "relabel", [5], label=1))
    review.decide(workspace, demo_dataset.id, {9: ("drop", None)}, who="somebody else")
    log = review.decision_log(workspace, demo_dataset.id)
    assert {(entry.who, entry.check) for entry in log[:3]} == {("reviewer", "blur")}
    review_actions.write(press(demo_dataset, "undo", []))
    assert set(review.effective_decisions(workspace, demo_dataset.id)) == {3, 4, 9}
    review_actions.write(press(demo_dataset, "undo", []))
    assert set(review.effective_decisions(workspace, demo_dataset.id)) == {9}


def test_a_press_from_a_browser_is_checked_by_the_core(demo_dataset: Dataset) -> None:
    with pytest.raises(WbcError):
        review_actions.write(press(demo_dataset, "drop", [10**6]))
    with pytest.raises(WbcError):
        review_actions.write(press(demo_dataset, "explode", [1]))


def test_pages_keep_groups_whole_and_stack_large_ones() -> None:
    findings = [finding((row,)) for row in range(99)]
    findings += [finding((200, 201, 202)), finding(tuple(range(1000, 1500)))]
    pages = review_data._pages(findings)
    assert [len(page) for page in pages] == [99, 3 + review_data.SHOWN_OF_A_GROUP]
    assert pages[1][-1] == (100, review_data.SHOWN_OF_A_GROUP - 1, 500)


def test_the_log_is_exported_whole(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    review.decide(workspace, demo_dataset.id, {3: ("relabel", 1)}, who="anna, b", reason='said "so"')
    lines = review_actions.decision_csv(demo_dataset.id).decode().splitlines()
    assert len(lines) == 2
    assert '"anna, b"' in lines[1]
    assert demo_dataset.class_names[1] in lines[1]


def test_the_clean_set_is_written_by_a_job(demo_dataset: Dataset) -> None:
    page = open_review()
    page.button(key="export-clean").click().run()
    assert not page.exception
    job = queue.list_jobs(Workspace.default())[0]
    assert (job.kind, job.spec["dataset"]) == ("export_clean", demo_dataset.id)
    assert json.dumps(job.spec)
