"""The Review page: counts, order, pages, threshold, accepting, undoing."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import delete, insert
from streamlit.testing.v1 import AppTest

from app import cache, state
from app.components import review_actions, review_cuts, review_data, review_scan
from app.components.gallery import Press
from app.components.image_map import Chosen, _unpacked
from tests.core.curation.conftest import hidden_conflict
from wbc_core.curation import agreement, review
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.clean import clean_set
from wbc_core.curation.cleaning_report import cleaning_facts
from wbc_core.curation.scan import DUPLICATE_CHECKS, load_findings, scan, threshold_of_scan
from wbc_core.curation.standing import nothing_decided, standing_after
from wbc_core.curation.suggestions import accept, conflicting, conflicts_left, open_suggestions
from wbc_core.database import decisions, transaction
from wbc_core.datasets.synthetic import build_demo_dataset
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.records import Dataset, Decision, Finding
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


def shown_text(page: AppTest) -> str:
    return "\n".join(
        entry.value for kind in (page.markdown, page.info, page.success, page.caption) for entry in kind
    )


def finding(rows: tuple[int, ...], score: float = 1.0, **suggested: str) -> Finding:
    return Finding("blur", rows, tuple(map(str, rows)), score, True, suggested, "evidence")


def conflicts_of(shown: review_cuts.Cut) -> list[Finding]:
    """The groups whose labels conflict."""
    labels = cache.labels(cache.datasets()[0].id)
    return [found for found in shown.findings if len(set(labels[list(found.rows)])) > 1]


def agreeing(shown: review_cuts.Cut) -> Finding:
    """The first group whose labels do not conflict."""
    return next(found for found in shown.findings if found not in conflicts_of(shown))


def test_a_data_set_that_was_not_scanned_offers_the_scan(empty_lab: Workspace) -> None:
    dataset = build_demo_dataset(empty_lab, images=80)
    page = open_review()
    button(page, "Scan for bad images").click().run()
    assert not page.exception
    assert [(job.kind, job.spec) for job in queue.list_jobs(empty_lab)] == [("scan", {"dataset": dataset.id})]
    assert "Scan for bad images" not in [entry.label for entry in page.button]


def test_every_check_stands_under_its_heading_with_its_counts(demo_dataset: Dataset) -> None:
    cuts = review_data.cuts_of(demo_dataset.id, cache.scanned_checks(demo_dataset.id))
    families = review_data.families(cuts, cache.standing(demo_dataset))
    entries = {entry["name"]: entry for family in families for entry in family["checks"]}
    assert set(entries) == set(cuts)
    images = len({row for found in flagged(demo_dataset, "exact_duplicates") for row in found.rows})
    assert (entries["exact_duplicates"]["flagged"], entries["exact_duplicates"]["left"]) == (images, images)
    assert [family["title"] for family in families if entries["blur"] in family["checks"]] == ["Quality"]
    accept(Workspace.default(), demo_dataset.id, ["exact_duplicates"], who="anna")
    after = review_data.families(cuts, cache.standing(demo_dataset))
    left = {entry["name"]: entry["left"] for family in after for entry in family["checks"]}
    in_conflict = conflicts_of(cuts["exact_duplicates"])
    assert left["exact_duplicates"] == sum(len(found.rows) for found in in_conflict) < images


def test_what_is_shown_is_found_once_and_again_after_a_new_scan(demo_dataset: Dataset) -> None:
    checks = dict.fromkeys(cache.scanned_checks(demo_dataset.id))
    before = review_cuts.cuts_at(demo_dataset.id, checks)
    assert review_cuts.cuts_at(demo_dataset.id, checks) is before
    moved = review_cuts.cuts_at(demo_dataset.id, {**checks, "blur": CHECKS.get("blur").threshold_range[0]})
    assert moved["blur"].images > before["blur"].images
    assert moved["noise"] is before["noise"]
    path = Workspace.default().findings_dir(demo_dataset.id) / "noise.parquet"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    after = review_cuts.cuts_at(demo_dataset.id, checks)
    assert after["noise"] is not before["noise"]
    assert after["blur"] is before["blur"]


def decision(row: int, check: str) -> Decision:
    return Decision(1 + row, "ds", row, str(row), "keep", None, "", "anna", "now", check, "step", None)


def test_a_review_begins_with_what_is_no_cell(demo_dataset: Dataset) -> None:
    flagged_rows = {"exact_duplicates": (0, 1, 2), "blur": (3,), "foreign": (0, 1)}
    cuts = {
        name: review_cuts.cut_of(name, [finding((row,)) for row in rows], [], np.zeros(4, int))
        for name, rows in flagged_rows.items()
    }
    standing = nothing_decided(demo_dataset)
    assert review_data.to_begin_with(cuts, standing) == "foreign"
    standing = standing_after(standing, [decision(row, "foreign") for row in (0, 1)])
    assert review_data.to_begin_with(cuts, standing) == "exact_duplicates"
    every = [decision(row, check) for check, rows in flagged_rows.items() for row in rows]
    assert review_data.to_begin_with(cuts, standing_after(standing, every)) == "exact_duplicates"


def test_the_url_chooses_the_check_and_a_change_of_page_keeps_it(demo_dataset: Dataset) -> None:
    page = open_review(check="exact_duplicates")
    assert not page.exception
    assert CHECKS.get("exact_duplicates").description in shown_text(page)
    page.switch_page("views/split_balance.py").run()
    page.query_params.pop("check", None)
    page.switch_page("views/review.py").run()
    assert page.query_params["check"] == "exact_duplicates"
    strange = open_review(check="no_such_check")
    assert not strange.exception
    assert strange.query_params["check"] in cache.scanned_checks(demo_dataset.id)


def test_the_grid_shows_the_worst_first_with_suggestion_evidence_and_mark(demo_dataset: Dataset) -> None:
    found = flagged(demo_dataset, "exposure")
    worst = found[0].rows[0]
    review.decide(Workspace.default(), demo_dataset.id, {worst: ("relabel", 2)}, who="anna")
    shown = review_cuts.cut(demo_dataset.id, "exposure")
    items = review_data.items(
        demo_dataset, shown, 1, review_data.seen_from(cache.standing(demo_dataset), shown)
    )
    assert [item["row"] for item in items] == [row for entry in found for row in entry.rows]
    assert items[0]["mark"] == f"relabel:{demo_dataset.class_names[2]}"
    assert items[0]["title"] == found[0].evidence
    assert items[0]["src"].startswith("data:image/webp;base64,")


def test_the_threshold_moves_the_count_without_a_scan_and_stays_in_the_url(demo_dataset: Dataset) -> None:
    page = open_review(check="blur")
    entry = CHECKS.get("blur")
    stored = load_findings(Workspace.default(), demo_dataset.id, "blur")
    low = entry.threshold_range[0]
    slider = page.slider(key="slider-blur")
    before = len({row for found in stored if found.flagged for row in found.rows})
    assert slider.label == f"Threshold · {before} flagged"
    slider.set_value(low).run()
    assert not page.exception
    count = sum(len(finding.rows) for finding in stored if finding.score >= low)
    assert count > before
    assert page.slider(key="slider-blur").label == f"Threshold · {count} flagged"
    assert f"of {count} reviewed" in page.get("progress")[0].proto.text
    assert float(page.query_params["threshold-blur"]) == low
    assert queue.list_jobs(Workspace.default()) == []
    page.slider(key="slider-blur").set_value(entry.threshold).run()
    assert "threshold-blur" not in page.query_params


def test_the_threshold_of_near_duplicates_moves_and_that_of_exact_ones_does_not(
    demo_dataset: Dataset,
) -> None:
    stored = load_findings(Workspace.default(), demo_dataset.id, "near_duplicates")
    highest = f"{stored[0].score:g}"
    page = open_review(check="near_duplicates", **{"threshold-near_duplicates": highest})
    assert not page.exception
    count = len({row for found in stored if found.score >= float(highest) for row in found.rows})
    assert 0 < count < len({row for found in stored for row in found.rows})
    assert page.slider(key="slider-near_duplicates").label == f"Threshold · {count} flagged"
    assert not list(open_review(check="exact_duplicates").slider)


def test_findings_of_a_lab_that_kept_fewer_are_counted_as_at_least(demo_dataset: Dataset) -> None:
    path = Workspace.default().findings_dir(demo_dataset.id) / "blur.parquet"
    table = pq.read_table(path)
    made_by = json.loads(table.schema.metadata[b"check"])
    del made_by["lowest"]
    pq.write_table(table.slice(0, 3).replace_schema_metadata({"check": json.dumps(made_by)}), path)
    page = open_review(check="blur", **{"threshold-blur": f"{CHECKS.get('blur').threshold_range[0]:g}"})
    slider = page.slider(key="slider-blur")
    assert slider.label == "Threshold · at least 3 flagged"
    assert "scan again" in slider.help
    assert "Scan for blur" in [entry.label for entry in page.button]


def test_a_check_that_flags_nothing_has_no_progress(demo_dataset: Dataset) -> None:
    cuts = {name: review_cuts.cut(demo_dataset.id, name) for name in cache.scanned_checks(demo_dataset.id)}
    check = next(name for name, shown in cuts.items() if not shown.images and CHECKS.get(name).scope != "set")
    page = open_review(check=check)
    assert [told.value for told in page.success] == [f"{CHECKS.get(check).title}: nothing found."]
    assert not page.get("progress")
    assert not [button for button in page.button if button.key == "accept-all"]


@pytest.mark.parametrize(("asked", "taken"), [("1", True), ("nan", False), ("9e99", False), ("x", False)])
def test_a_link_carries_a_threshold(demo_dataset: Dataset, asked: str, taken: bool) -> None:
    entry = CHECKS.get("blur")
    low, high = entry.threshold_range
    wanted = f"{(low + high) / 2:g}" if taken else asked
    page = open_review(check="blur", **{"threshold-blur": wanted})
    assert not page.exception
    assert page.slider(key="slider-blur").value == (float(wanted) if taken else entry.threshold)


def test_accepting_shows_the_effect_first_and_is_one_step_to_undo(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    shown = review_cuts.cut(demo_dataset.id, "exact_duplicates")
    kept = shown.findings[0].rows[1]
    review.decide(workspace, demo_dataset.id, {kept: ("keep", None)}, who="anna")
    page = open_review(check="exact_duplicates")
    actions = open_suggestions(shown.suggested, cache.standing(demo_dataset)).actions
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


def test_accepting_at_a_moved_threshold_is_logged_with_it_and_told_by_the_report(
    demo_dataset: Dataset,
) -> None:
    workspace = Workspace.default()
    low = CHECKS.get("blur").threshold_range[0]
    page = open_review(check="blur", **{"threshold-blur": f"{low:g}"})
    button(page, "Accept all").click().run()
    page.button(key="accept-now").click().run()
    assert not page.exception
    log = review.decision_log(workspace, demo_dataset.id)
    assert {line.threshold for line in log} == {low}
    facts = next(one for one in cleaning_facts(workspace, demo_dataset.id).checks if one.name == "blur")
    assert (facts.threshold, facts.dropped, facts.beside) == (low, len(log), 0)
    assert facts.dropped <= facts.found
    page.query_params["log"] = "open"
    page.run()
    assert page.dataframe[0].value["Check"].tolist() == [f"Blur ≥ {low:g}"]


def test_accepting_never_drops_the_last_copy_that_a_person_left(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    shown = review_cuts.cut(demo_dataset.id, "exact_duplicates")
    first, *others = agreeing(shown).rows
    assert first not in open_suggestions(shown.suggested, cache.standing(demo_dataset)).actions
    review.decide(workspace, demo_dataset.id, {first: ("drop", None)}, who="anna", check="exact_duplicates")
    actions = open_suggestions(shown.suggested, cache.standing(demo_dataset)).actions
    assert {first, *others} - actions.keys() == {first, others[0]}


def test_a_verdict_elsewhere_leaves_the_question_open_and_is_told(demo_dataset: Dataset) -> None:
    workspace, copies = Workspace.default(), review_cuts.cut(demo_dataset.id, "exact_duplicates")
    kept, copy = agreeing(copies).rows[:2]
    review.decide(
        workspace, demo_dataset.id, dict.fromkeys((kept, copy), ("keep", None)), who="a", check="blur"
    )
    standing = cache.standing(demo_dataset)
    assert review_cuts.progress(copies, standing).reviewed == 0
    offered = open_suggestions(copies.suggested, standing).actions
    assert copy in offered
    assert review_data.seen_from(standing, copies).of(copy) == (None, "kept under Blur")
    # Page and command line agree.
    assert accept(workspace, demo_dataset.id, ["exact_duplicates"], who="a").images == len(offered)
    blurred = review_cuts.cut_of("blur", [finding((kept, copy))], [], cache.labels(demo_dataset.id))
    held, words = review_data.seen_from(cache.standing(demo_dataset), blurred).of(copy)
    assert (held.action, words) == ("drop", "kept here, dropped under Exact duplicates")


def test_groups_whose_labels_conflict_come_first_and_are_left_out(demo_dataset: Dataset) -> None:
    shown = review_cuts.cut(demo_dataset.id, "exact_duplicates")
    standing = cache.standing(demo_dataset)
    places = conflicting(shown.suggested, standing)
    assert places == list(range(len(places)))
    assert 0 < len(places) < len(shown.findings)
    items = review_data.items(demo_dataset, shown, 1, review_data.seen_from(standing, shown))
    assert {item["badge"] for item in items if item["group"] == "0"} == {"conflict"}
    page = open_review(check="exact_duplicates")
    told = conflicts_left(len(places))
    assert told in [caption.value for caption in page.caption]
    page.button(key="accept-all").click().run()
    assert told in shown_text(page)
    page.button(key="accept-now").click().run()
    assert not page.exception
    decided = review.effective_decisions(Workspace.default(), demo_dataset.id)
    assert decided.keys().isdisjoint(row for place in places for row in shown.findings[place].rows)


def test_a_near_copy_that_hides_a_conflict_is_not_offered(empty_lab: Workspace) -> None:
    dataset = hidden_conflict(empty_lab)
    scan(empty_lab, dataset.id, DUPLICATE_CHECKS)
    cuts = review_data.cuts_of(dataset.id, DUPLICATE_CHECKS)
    for shown in cuts.values():
        opened = open_suggestions(shown.suggested, cache.standing(dataset))
        assert (opened.actions, opened.conflicts) == ({}, {(4, 5)})
    near = review_cuts.cut(dataset.id, "exact_duplicates", thresholds={"near_duplicates": 100.0})
    assert [one.members.tolist() for one in near.suggested.beside] == [[]]
    page = open_review(check="near_duplicates")
    assert not page.exception
    assert page.button(key="accept-all").disabled
    assert f"{conflicts_left(1)} Look under Exact duplicates." in [caption.value for caption in page.caption]


def test_what_is_decided_while_the_dialog_is_open_stays(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    shown = review_cuts.cut(demo_dataset.id, "exact_duplicates")
    actions = open_suggestions(shown.suggested, cache.standing(demo_dataset)).actions
    page = open_review(check="exact_duplicates")
    page.button(key="accept-all").click().run()
    row = next(iter(actions))
    review.decide(workspace, demo_dataset.id, {row: ("keep", None)}, who="ben", check="exact_duplicates")
    page.button(key="accept-now").click().run()
    assert not page.exception
    decided = review.effective_decisions(workspace, demo_dataset.id)
    assert decided[row].action == "keep"
    assert len(decided) == len(actions)


def test_a_group_of_copies_is_reviewed_once_one_copy_is_left(demo_dataset: Dataset) -> None:
    shown = review_cuts.cut(demo_dataset.id, "exact_duplicates")
    assert review_cuts.progress(shown, cache.standing(demo_dataset)).reviewed == 0
    accept(Workspace.default(), demo_dataset.id, ["exact_duplicates"], who="anna")
    done = review_cuts.progress(shown, cache.standing(demo_dataset))
    open_groups = conflicts_of(shown)
    assert done.left == sum(len(found.rows) for found in open_groups)
    assert done.dropped == done.images - done.left - (len(shown.findings) - len(open_groups)) > 0


def press(dataset: Dataset, action: str, rows: list[int], label: int | None = None) -> Press:
    context = review_actions.context(dataset, "blur")
    return Press(client="tab", seq=1, context=context, action=action, label=label, rows=rows)


def test_the_suggestions_of_some_images_are_accepted_as_one_step(demo_dataset: Dataset) -> None:
    workspace, dataset, names = Workspace.default(), demo_dataset.id, demo_dataset.class_names
    shown = review_cuts.cut(dataset, "exact_duplicates")
    first, second = agreeing(shown).rows[:2]
    seen = review_data.seen_from(cache.standing(demo_dataset), shown)
    offered = {item["row"]: item["suggested"] for item in review_data.items(demo_dataset, shown, 1, seen)}
    assert offered[first] + offered[second] == [(first, "keep", None), (second, "drop", None)]
    relabel = finding((second,), **{str(second): f"relabel:{names[2]}"})
    cut = review_cuts.cut_of("label_errors", [relabel], names, cache.labels(dataset))
    (item,) = review_data.items(demo_dataset, cut, 1, review_data.seen_in({}))
    assert (item["likely"], item["suggested"]) == (2, [(second, "relabel", 2)])
    context = review_actions.context(demo_dataset, "exact_duplicates")
    sent = {"client": "tab", "seq": 1, "context": context, "label": None, "rows": [first, second]}
    verdicts = [*offered[first], *item["suggested"]]
    review_actions.write(Press(**sent, action="accept", verdicts=verdicts))
    log = review.decision_log(workspace, dataset)
    assert [(line.row, line.action, line.label) for line in log] == verdicts
    assert len({line.step for line in log}) == 1
    assert {(line.check, line.reason) for line in log} == {
        ("exact_duplicates", "suggestion of exact_duplicates accepted")
    }
    open_row = next(row for found in shown.findings for row in found.rows if row not in (first, second))
    with pytest.raises(WbcError):
        review_actions.write(Press(**sent, action="accept", verdicts=[(open_row, "explode", None)]))


def test_a_suggestion_accepted_by_key_leaves_what_was_decided_since_and_names_its_threshold(
    demo_dataset: Dataset,
) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    first, second, third = 3, 4, 5
    sent = {"client": "tab", "seq": 1, "label": None, "rows": []}
    verdicts = [(row, "drop", None) for row in (first, second)]
    review.decide(workspace, dataset, {first: ("keep", None)}, who="ben", check="exposure")
    for _ in range(2):
        context = review_actions.context(demo_dataset, "exposure")
        review_actions.write(Press(**sent, context=context, action="accept", verdicts=verdicts))
    context = review_actions.context(demo_dataset, "exposure", threshold=0.5)
    review_actions.write(Press(**sent, context=context, action="accept", verdicts=[(third, "drop", None)]))
    log = [(line.row, line.action, line.threshold) for line in review.decision_log(workspace, dataset)]
    scanned = threshold_of_scan(workspace, dataset, "exposure")
    assert log == [(first, "keep", None), (second, "drop", scanned), (third, "drop", 0.5)]


def test_nothing_is_offered_that_accepting_all_would_leave(demo_dataset: Dataset) -> None:
    shown = review_cuts.cut(demo_dataset.id, "exact_duplicates")
    first, second = agreeing(shown).rows[:2]
    review.decide(
        Workspace.default(), demo_dataset.id, {first: ("drop", None)}, who="Ada", check="exact_duplicates"
    )
    standing = cache.standing(demo_dataset)
    seen = review_data.seen_from(standing, shown)
    items = {item["row"]: item for item in review_data.items(demo_dataset, shown, 1, seen)}
    followed = {row for row, item in items.items() if any(entry[1] == "drop" for entry in item["suggested"])}
    assert followed == set(open_suggestions(shown.suggested, standing).actions)
    assert (items[second]["suggested"], items[second]["badge"]) == ([], None)


def test_a_line_that_becomes_visible_late_is_in_the_clean_set_and_the_agreement(
    demo_dataset: Dataset,
) -> None:
    workspace = Workspace.default()
    for row in (3, 4):
        review.decide(workspace, demo_dataset.id, {row: ("drop", None)}, who="Ada")
        agreement.give_opinion(workspace, demo_dataset.id, {row: ("drop", None)}, who="Ben")
    early = review.decision_log(workspace, demo_dataset.id)[0]
    with transaction(workspace) as connection:
        connection.execute(delete(decisions).where(decisions.c.id == early.id))
    found = [(cache.clean_set(demo_dataset.id).dropped, cache.agreement_with(demo_dataset.id, "Ben").images)]
    with transaction(workspace) as connection:
        connection.execute(insert(decisions), [vars(early)])
    found += [(cache.clean_set(demo_dataset.id).dropped, cache.agreement_with(demo_dataset.id, "Ben").images)]
    assert found == [(1, 1), (2, 2)]
    # The export is refused where the page and the log differ.
    assert cache.clean_set(demo_dataset.id).id == clean_set(workspace, demo_dataset.id).id


def test_the_log_shows_a_step_of_many_images_as_one_line(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    review.decide(workspace, demo_dataset.id, dict.fromkeys((3, 4, 5), ("drop", None)), who="Anna")
    review.decide(workspace, demo_dataset.id, {9: ("keep", None)}, who="Anna")
    page = AppTest.from_function(_draw_log, args=(demo_dataset.id,)).run()
    assert not page.exception
    table = page.dataframe[0].value
    assert table[["Images", "Action"]].to_numpy().tolist() == [["row 9", "keep"], ["3 images", "drop"]]


def _draw_log(dataset_id: str) -> None:
    from app import state
    from app.components import review_actions
    from wbc_core.datasets import store

    review_actions.log(store.read_dataset(state.workspace(), dataset_id))


def test_a_press_is_one_step_in_the_log_and_undo_takes_back_only_ones_own(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    review_actions.write(press(demo_dataset, "drop", [3, 4]))
    review_actions.write(press(demo_dataset, "relabel", [5], label=1))
    review.decide(workspace, demo_dataset.id, {9: ("drop", None)}, who="somebody else")
    log = review.decision_log(workspace, demo_dataset.id)
    assert {(entry.who, entry.check) for entry in log[:3]} == {(state.person(), "blur")}
    review_actions.write(press(demo_dataset, "undo", []))
    assert set(review.effective_decisions(workspace, demo_dataset.id)) == {3, 4, 9}
    review_actions.write(press(demo_dataset, "undo", []))
    assert set(review.effective_decisions(workspace, demo_dataset.id)) == {9}


def test_two_people_without_names_take_back_only_their_own(demo_dataset: Dataset) -> None:
    workspace, actions = Workspace.default(), []
    visits = [AppTest.from_function(_press, args=(demo_dataset.id,)) for _ in range(2)]
    for row, visit in enumerate(visits):
        visit.query_params["row"] = str(row)
        visit.run()
    assert len({line.who for line in review.decision_log(workspace, demo_dataset.id)}) == 2
    visits[0].query_params["row"] = "undo"
    for _ in range(2):
        visits[0].run()
        actions.append(sorted(review.effective_decisions(workspace, demo_dataset.id)))
    assert actions == [[1], [1]]


def _press(dataset_id: str) -> None:
    import json

    import streamlit as st

    from app.components import review_actions

    row = st.query_params["row"]
    about = {"context": json.dumps({"dataset": dataset_id}), "label": None, "seq": 1, "client": "tab"}
    action, rows = ("undo", []) if row == "undo" else ("drop", [int(row)])
    review_actions.write({**about, "action": action, "rows": rows})


def test_a_press_from_a_browser_is_checked_by_the_core(demo_dataset: Dataset) -> None:
    with pytest.raises(WbcError):
        review_actions.write(press(demo_dataset, "drop", [10**6]))
    with pytest.raises(WbcError):
        review_actions.write(press(demo_dataset, "explode", [1]))


def test_pages_keep_groups_whole_and_stack_large_ones() -> None:
    findings = [finding((row,)) for row in range(99)]
    findings += [finding((200, 201, 202)), finding(tuple(range(1000, 1500)))]
    pages = review_cuts.paged(findings, np.zeros(1500, np.int64))
    assert [len(page) for page in pages] == [99, 3 + review_cuts.SHOWN_OF_A_GROUP]
    assert pages[1][-1] == (100, review_cuts.SHOWN_OF_A_GROUP - 1, 500)


def test_a_large_group_is_a_stack_for_each_label_where_labels_follow_each_other() -> None:
    group = [finding(tuple(range(1000, 1500)))]
    labels = np.repeat([0, 3, 5], [1100, 150, 250])
    assert review_cuts.paged(group, labels) == (((0, 0, 100), (0, 100, 250), (0, 250, 500)),)
    mixed = np.arange(1500) % 2
    assert review_cuts.paged(group, mixed)[0][-1] == (0, review_cuts.SHOWN_OF_A_GROUP - 1, 500)


def test_what_is_known_of_a_copy_stands_under_it() -> None:
    evidence = (
        "Row 7 is row 3 mirrored, softer (blurred or resized) (98.1 % alike); "
        "row 9 is row 3 with hardly a difference (97.0 % alike); and 2 more."
    )
    group = Finding("near_duplicates", (3, 7, 9), ("a", "b", "c"), 97.0, True, {}, evidence)
    expected = {7: "mirrored, softer (blurred or resized)", 9: "with hardly a difference"}
    assert review_data.differences(group) == expected


def test_the_check_says_of_every_copy_how_it_differs(demo_dataset: Dataset) -> None:
    groups = cache.findings(demo_dataset.id, "near_duplicates")
    assert groups
    for group in groups:
        assert set(review_data.differences(group)) == set(group.rows[1:13])


def test_a_stack_of_copies_says_their_label_or_how_many_they_have(
    demo_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_cuts, "SHOWN_OF_A_GROUP", 2)
    labels = cache.table(demo_dataset.id)["label"].to_numpy()
    one, first, second, third = (np.flatnonzero(labels == label)[:5].tolist() for label in range(4))
    mixed = np.stack([second, first], axis=1).ravel().tolist()
    groups = [finding(tuple(one)), finding(tuple(mixed)), finding((*first, *second, *third))]
    shown = review_cuts.cut_of("", groups, demo_dataset.class_names, labels)
    stacks = [
        item for item in review_data.items(demo_dataset, shown, 1, review_data.seen_in({})) if item["more"]
    ]
    names = demo_dataset.class_names
    assert [item["label"] for item in stacks] == [names[0], names[1], names[2], "3 labels"]


def test_what_accepting_would_do_counts_leaving_and_arriving(demo_dataset: Dataset) -> None:
    labels = cache.table(demo_dataset.id)["label"].to_numpy()
    first, second = (int((labels == label).argmax()) for label in (0, 1))
    effect = review_data.effect_of(demo_dataset, {first: ("drop", None), second: ("relabel", 0)})
    names = demo_dataset.class_names
    assert [(name, *changes) for name, _, *changes in effect] == [(names[0], 1, 0, 1), (names[1], 0, 1, 0)]


def test_a_finding_about_the_whole_set_is_a_statement(
    demo_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = replace(CHECKS.get("blur"), scope="set")
    monkeypatch.setitem(CHECKS._entries, "blur", entry)
    said = Finding("blur", (), (), 1.0, True, {}, "Class 3 has *few* images.")
    monkeypatch.setattr(cache, "findings", lambda *_: [said])
    page = open_review(check="blur")
    assert not page.exception
    assert [info.value for info in page.info] == [r"Class 3 has \*few\* images\."]
    assert not page.get("progress")


@pytest.mark.parametrize("older", [False, True])
def test_checks_that_were_not_scanned_or_changed_are_offered_in_one_click(
    demo_dataset: Dataset, older: bool
) -> None:
    path = Workspace.default().findings_dir(demo_dataset.id) / "blur.parquet"
    if older:
        table = pq.read_table(path).replace_schema_metadata({"check": '{"threshold": 10.0, "version": 1}'})
        pq.write_table(table, path)
    else:
        path.unlink()
    page = open_review()
    button(page, f"Scan for {CHECKS.get('blur').title.lower()}").click().run()
    assert not page.exception
    job = queue.list_jobs(Workspace.default())[0]
    assert job.spec == {"dataset": demo_dataset.id, "checks": ["blur"]}


def test_scanning_again_may_use_the_features_of_a_network(demo_dataset: Dataset) -> None:
    page = open_review()
    page.radio(key="scan-features").set_value(review_scan.IMAGENET).run()
    page.button(key="scan-again").click().run()
    assert not page.exception
    job = queue.list_jobs(Workspace.default())[0]
    assert job.spec == {"dataset": demo_dataset.id, "checks": None, "embedding": "efficientnet_lite0"}


def test_what_a_network_found_says_so_and_stays_until_something_else_is_asked_for(
    demo_dataset: Dataset,
) -> None:
    path = Workspace.default().findings_dir(demo_dataset.id) / "label_errors.parquet"
    table = pq.read_table(path)
    made_by = {**json.loads(table.schema.metadata[b"check"]), "embedding": "efficientnet_lite0-57934424"}
    pq.write_table(table.replace_schema_metadata({"check": json.dumps({**made_by, "version": 1})}), path)
    page = open_review(check="label_errors")
    assert "Labels judged by the features of EfficientNet-Lite0 (ImageNet)." in shown_text(page)
    assert page.radio(key="scan-features").value == review_scan.IMAGENET
    button(page, "Scan for label errors").click().run()
    spec = {"dataset": demo_dataset.id, "checks": ["label_errors"], "embedding": "efficientnet_lite0"}
    assert queue.list_jobs(Workspace.default())[0].spec == spec
    queue.cancel(Workspace.default(), queue.list_jobs(Workspace.default())[0].id)
    page = open_review(check="label_errors")
    page.radio(key="scan-features").set_value("own").run()
    assert any("Replaces what was found by EfficientNet" in entry.value for entry in page.warning)
    page.button(key="scan-again").click().run()
    assert not page.exception
    spec = {"dataset": demo_dataset.id, "checks": None, "embedding": "own"}
    assert queue.list_jobs(Workspace.default())[0].spec == spec


def test_a_failed_scan_says_why(demo_dataset: Dataset) -> None:
    queue.submit(Workspace.default(), "scan", {"dataset": demo_dataset.id})
    job, claim = queue.claim_next(Workspace.default(), ["scan"], "cpu")
    queue.finish(Workspace.default(), job.id, claim, "failed", error="The weights are missing.")
    page = open_review()
    assert not page.exception
    assert r"The weights are missing\." in [entry.value for entry in page.error]


def around_everything(dataset: Dataset, *hidden: int) -> Chosen:
    points = cache.map_of(dataset.id).points
    low, high = points.min(axis=0) - 1, points.max(axis=0) + 1
    corners = ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]))
    return Chosen(corners, "Class", hidden, at=1)


def open_map(chosen: Chosen, dataset: Dataset, shown: Dataset | None = None) -> str:
    page = open_review(view="map", dataset=(shown or dataset).id)
    assert not page.exception
    assert "principal components of the lab's own features" in shown_text(page)
    page.session_state[f"map-chosen-{dataset.id}-features-None"] = chosen
    page.run()
    assert not page.exception
    return shown_text(page)


def test_the_map_opens_what_is_drawn_around_and_not_hidden(demo_dataset: Dataset) -> None:
    everything = around_everything(demo_dataset)
    assert f"**{demo_dataset.images} images** lie inside." in open_map(everything, demo_dataset)
    labels = cache.table(demo_dataset.id)["label"].to_numpy()
    left = np.count_nonzero((labels != 1) & (labels != 3))
    text = open_map(around_everything(demo_dataset, 1, 3), demo_dataset)
    assert f"**{left} images** lie inside. What the legend hides is left out." in text


def test_what_was_drawn_around_and_set_in_one_data_set_is_not_taken_to_another(demo_dataset: Dataset) -> None:
    other = build_demo_dataset(Workspace.default(), images=80, seed=1)
    scan(Workspace.default(), other.id)
    assert "lie inside" not in open_map(around_everything(demo_dataset), demo_dataset, shown=other)
    low, high = CHECKS.get("blur").threshold_range
    page = open_review(check="blur", dataset=demo_dataset.id, **{"threshold-blur": f"{high:g}"})
    assert page.slider(key="slider-blur").value == high
    page.query_params["dataset"] = other.id
    page.run()
    assert not page.exception
    assert page.slider(key="slider-blur").value == CHECKS.get("blur").threshold
    assert "threshold-blur" not in page.query_params
    page.slider(key="slider-blur").set_value(low).run()
    page.query_params["dataset"] = demo_dataset.id
    page.run()
    assert page.slider(key="slider-blur").value == high
    assert float(page.query_params["threshold-blur"]) == high


def test_an_outline_from_a_browser_that_is_no_shape_is_none() -> None:
    low, span = np.zeros(2), np.array([2.0, 4.0])
    sent = {"corners": [[0, 0], [1, 0], [1, 1]], "colouring": "Class", "hidden": [3, 1, 3], "at": 5}
    assert _unpacked(sent, low, span) == Chosen(((0, 0), (2, 0), (2, 4)), "Class", (1, 3), 5)
    for wrong in ({"corners": []}, {"corners": [[0, 0], [1, float("nan")], [1, 1]]}, {"hidden": ["x"]}):
        assert _unpacked({**sent, **wrong}, low, span) is None
    assert _unpacked([1, 2], low, span) is None


def second_review(person: str, step: str = "judge", **parameters: str) -> AppTest:
    page = open_review(view="second", second=step, **parameters)
    page.text_input(key="person").set_value(person).run()
    return page


def test_a_second_review_needs_a_name_and_shows_nobody_elses_verdicts(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    accept(workspace, demo_dataset.id, ["exact_duplicates"], who="Anna")
    nameless = open_review(view="second", check="exact_duplicates")
    assert "your name" in shown_text(nameless)
    assert not nameless.get("progress")
    page = second_review("Ben", check="exact_duplicates")
    assert not page.exception
    assert "**0** of" in page.get("progress")[0].proto.text
    assert "Anna" not in shown_text(page)
    assert not page.expander
    row = review_cuts.cut(demo_dataset.id, "exact_duplicates").findings[0].rows[0]
    agreement.give_opinion(workspace, demo_dataset.id, {row: ("drop", None)}, who="Ben")
    page.run()
    assert "1 dropped" in page.get("progress")[0].proto.text


def test_presses_go_to_the_log_they_belong_to(demo_dataset: Dataset) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    review.decide(workspace, dataset, {3: ("keep", None)}, who="Anna")
    judged = review_actions.context(demo_dataset, "blur", second=True)
    same = {"client": "tab", "seq": 1, "label": None}
    review_actions.write(Press(**same, context=judged, action="drop", rows=[3, 4]))
    assert review.effective_decisions(workspace, dataset).keys() == {3}
    assert agreement.agreement(workspace, dataset, state.person()).open == [3]
    settled = review_actions.context(demo_dataset, settles=state.person())
    review_actions.write(Press(**same, context=settled, action="drop", rows=[3]))
    assert review.effective_decisions(workspace, dataset)[3].action == "drop"
    assert agreement.agreement(workspace, dataset, state.person()).open == []
    review_actions.write(Press(**same, context=judged, action="undo", rows=[]))
    assert agreement.opinions(workspace, dataset) == {}
    assert review.effective_decisions(workspace, dataset)[3].action == "drop"


def test_kappa_says_what_it_was_computed_on(demo_dataset: Dataset) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    review.decide(workspace, dataset, {3: ("keep", None), 4: ("drop", None), 5: ("keep", None)}, who="Anna")
    assert "Nobody has given" in shown_text(second_review("Ben", "compare"))
    agreement.give_opinion(workspace, dataset, {3: ("keep", None), 4: ("drop", None)}, who="Ben")
    agreement.give_opinion(workspace, dataset, {5: ("drop", None), 6: ("drop", None)}, who="Ben")
    page = second_review("Cleo", "compare")
    assert not page.exception
    assert page.metric[0].value == "0.40"
    assert "**3** images that both Ben and somebody else" in shown_text(page)
    assert "**0** of 1 disagreements settled" in page.get("progress")[0].proto.text
    assert "Every disagreement" not in shown_text(page)
    agreement.settle(workspace, dataset, {5: ("drop", None)}, who="Cleo", second="Ben")
    page.run()
    assert "**1** of 1 disagreements settled" in page.get("progress")[0].proto.text
    assert "Every disagreement is settled." in shown_text(page)
    page.segmented_control(key="disagreements-shown").set_value("all").run()
    assert not page.exception
    assert "Every disagreement is settled." not in shown_text(page)


def test_a_relabel_is_suggested_by_the_name_of_a_class() -> None:
    entry = Finding(
        "label_errors", (4, 5), ("a", "b"), 9.0, True, {"4": "relabel:1", "5": "relabel:no such"}, "evidence"
    )
    shown = review_cuts.cut_of("label_errors", [entry], ["0", "2", "1"], np.zeros(6, int))
    assert shown.suggested.wanted == {4: ("relabel", 2)}
