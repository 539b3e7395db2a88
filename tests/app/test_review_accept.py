"""Accepting suggestions on the Review page: what is offered, what is left, and what the log says."""

import numpy as np
import pytest

from app import cache
from app.components import review_actions, review_cuts, review_data
from app.components.gallery import Press
from tests.app.review_page import agreeing, button, conflicts_of, finding, open_review, shown_text
from tests.core.curation.conftest import hidden_conflict
from wbc_core.curation import review
from wbc_core.curation.accepting import accept, conflicts_left
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.cleaning_report import cleaning_facts
from wbc_core.curation.scan import DUPLICATE_CHECKS, scan, threshold_of_scan
from wbc_core.curation.suggestions import conflicting, open_suggestions
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Finding
from wbc_core.workspace import Workspace


def test_accepting_shows_the_effect_first_and_is_one_step_to_undo(demo_dataset: Dataset) -> None:
    workspace = Workspace.default()
    shown = review_cuts.cut(demo_dataset.id, "exact_duplicates")
    kept = shown.findings[0].rows[1]
    review.decide(workspace, demo_dataset.id, {kept: ("keep", None)}, who="anna")
    page = open_review(check="exact_duplicates")
    actions = open_suggestions(shown.suggested, cache.standing(demo_dataset)).actions
    assert kept not in actions
    button(page, "Accept").click().run()
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


def test_one_suggestion_is_offered_and_undone_in_the_singular(demo_dataset: Dataset) -> None:
    shown = review_cuts.cut(demo_dataset.id, "exact_duplicates")
    actions = open_suggestions(shown.suggested, cache.standing(demo_dataset)).actions
    assert len(actions) == 1
    page = open_review(check="exact_duplicates")
    assert page.button(key="accept-all").label == "Accept 1 suggestion"
    page.button(key="accept-all").click().run()
    assert page.button(key="accept-now").label == "Drop 1 image"
    page.button(key="accept-now").click().run()
    page.button(key="undo-step").click().run()
    assert "1 image is as before." in [toast.value for toast in page.toast]


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


def test_a_relabel_is_suggested_by_the_name_of_a_class() -> None:
    entry = Finding(
        "label_errors", (4, 5), ("a", "b"), 9.0, True, {"4": "relabel:1", "5": "relabel:no such"}, "evidence"
    )
    shown = review_cuts.cut_of("label_errors", [entry], ["0", "2", "1"], np.zeros(6, int))
    assert shown.suggested.wanted == {4: ("relabel", 2)}
