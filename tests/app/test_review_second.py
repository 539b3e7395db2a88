"""The blind second review: who sees what, where verdicts go, and how far two people agree."""

import json
from dataclasses import replace

import numpy as np
from streamlit.testing.v1 import AppTest

from app import cache, state
from app.components import review_about, review_actions, review_cuts, review_data
from app.components.gallery import Press
from tests.app.review_page import finding, open_review, shown_text
from tests.results_lab import build_split
from wbc_core.curation import agreement, review
from wbc_core.curation.accepting import accept
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace


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
    nameless.text_input(key="person_here").set_value("Cleo").run()
    assert "You judge as Cleo" in shown_text(nameless)
    assert nameless.text_input(key="person").value == "Cleo"
    page = second_review("Ben", check="exact_duplicates")
    assert not page.exception
    assert "**0** of" in page.get("progress")[0].proto.text
    assert "Anna" not in shown_text(page)
    assert not page.expander
    row = review_cuts.cut(demo_dataset.id, "exact_duplicates").findings[0].rows[0]
    agreement.give_opinion(workspace, demo_dataset.id, {row: ("drop", None)}, who="Ben")
    page.run()
    assert "1 dropped" in page.get("progress")[0].proto.text


def test_nothing_tells_a_second_reviewer_how_many_images_are_left(demo_dataset: Dataset) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    prepared = build_split(workspace, demo_dataset)[1]
    review.decide(workspace, dataset, {3: ("drop", None), 4: ("drop", None)}, who="Anna")

    def chain(page: AppTest) -> list[str]:
        return [link.label for link in page.get("page_link")]

    page = second_review("Ben", check="exact_duplicates")
    assert {"clean", "plain recipe"} <= set(chain(page))
    assert not [label for label in chain(page) if "158" in label or "stale" in label]
    page.segmented_control(key="second").set_value("compare").run()
    told = [label.partition(" :red-badge")[0] for label in chain(page) if "stale" in label]
    assert told == ["split 50/50", f"plain recipe {prepared.images}"]
    assert "clean 158" in chain(page)


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
    assert "**3 images** that both Ben and somebody else" in shown_text(page)
    assert "**0** of 1 disagreement settled" in page.get("progress")[0].proto.text
    assert "Every disagreement" not in shown_text(page)
    agreement.settle(workspace, dataset, {5: ("drop", None)}, who="Cleo", second="Ben")
    page.run()
    assert "**1** of 1 disagreement settled" in page.get("progress")[0].proto.text
    assert "Every disagreement is settled." in shown_text(page)
    page.segmented_control(key="disagreements-shown").set_value("all").run()
    assert not page.exception
    assert "Every disagreement is settled." not in shown_text(page)


def test_a_disagreement_about_a_copy_is_settled_beside_its_group(demo_dataset: Dataset) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    cuts = review_data.cuts_of(dataset, cache.scanned_checks(dataset))
    group = cuts["near_duplicates"].findings[0]
    kept, copy = group.rows[:2]
    alone = next(
        row for row in range(demo_dataset.images) if not any(row in cut.worst for cut in cuts.values())
    )
    about = review_about.about_rows_beside_copies(
        demo_dataset, [alone, copy], cuts, {copy: "near_duplicates"}
    )
    assert [found.rows for found in about.findings] == [
        (copy, *(r for r in group.rows if r != copy)),
        (alone,),
    ]
    items = review_data.items(
        demo_dataset, about, 1, review_data.seen_in({}), notes={copy: "First: drop · Ben: keep"}
    )
    assert (items[0]["row"], items[1]["row"], items[0]["group"]) == (copy, kept, items[1]["group"])
    assert items[0]["note"] == f"{review_data.differences(group)[copy]} · First: drop · Ben: keep"
    review.decide(workspace, dataset, {copy: ("drop", None)}, who="Anna", check="near_duplicates")
    agreement.give_opinion(workspace, dataset, {copy: ("keep", None)}, who="Ben", check="near_duplicates")
    page = second_review("Ben", "compare")
    assert not page.exception
    grid = next(
        json.loads(entry.proto.json) for entry in page.get("bidi_component") if "items" in entry.proto.json
    )
    assert [item["row"] for item in grid["items"]] == [copy, *(row for row in group.rows if row != copy)]


def test_none_of_many_disagreements_about_one_picture_is_hidden_in_a_stack(demo_dataset: Dataset) -> None:
    many = review_cuts.SHOWN_OF_A_GROUP
    group = finding(
        tuple(range(4 * many)), **{"0": "keep"}, **{str(row): "drop" for row in range(1, 4 * many)}
    )
    cuts = {
        "blur": review_cuts.cut_of("blur", [group], demo_dataset.class_names, cache.labels(demo_dataset.id))
    }
    asked = list(range(many, 3 * many))
    about = review_about.about_rows_beside_copies(demo_dataset, asked, cuts, {})
    items = review_data.items(demo_dataset, about, 1, review_data.seen_in({}))
    assert not [item for item in items if item["more"]]
    assert {item["row"] for item in items} >= {0, *asked}
    assert max(len(found.rows) for found in about.findings) <= many
    assert all(0 in found.rows for found in about.findings)


def copies(dataset: Dataset, labels: list[int]) -> review_cuts.Cut:
    """Near duplicates that are one group of the first rows, of which row 0 is to stay."""
    suggested = {str(row): "drop" if row else "keep" for row in range(len(labels))}
    group = replace(finding(tuple(range(len(labels))), **suggested), check="near_duplicates")
    every = np.resize(labels, dataset.images)
    return review_cuts.cut_of("near_duplicates", [group], dataset.class_names, every)


def test_what_stands_beside_a_disagreement_is_told_apart_and_nothing_is_suggested_for_it(
    demo_dataset: Dataset,
) -> None:
    cuts = {"near_duplicates": copies(demo_dataset, [0, 0, 0])}
    about = review_about.about_rows_beside_copies(demo_dataset, [1], cuts, {1: "near_duplicates"})
    seen = review_data.seen_in({})._replace(asked=frozenset([1]))
    items = review_data.items(demo_dataset, about, 1, seen)
    assert [(item["row"], item["aside"], item["suggested"], item["badge"]) for item in items] == [
        (1, False, [(1, "drop", None)], "drop"),
        (0, True, [], None),
        (2, True, [], None),
    ]


def test_labels_that_conflict_in_a_whole_group_do_so_in_what_is_shown_of_it(demo_dataset: Dataset) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    cuts = {"near_duplicates": copies(demo_dataset, [*[0] * 29, 1])}
    about = review_about.about_rows_beside_copies(demo_dataset, [1], cuts, {1: "near_duplicates"})
    assert 29 not in about.findings[0].rows

    def conflicts() -> frozenset[int]:
        return review_about.conflicts_beside(about, cuts, cache.standing(demo_dataset))

    assert conflicts() == {0}
    seen = review_data.seen_in({})._replace(conflicts=conflicts())
    items = review_data.items(demo_dataset, about, 1, seen)
    assert {(item["badge"], len(item["suggested"])) for item in items} == {("conflict", 0)}
    # Dropped as a copy by this check, the other label is gone.
    review.decide(workspace, dataset, {29: ("drop", None)}, who="Anna", check="near_duplicates")
    assert conflicts() == frozenset()


def test_a_disagreement_about_a_label_offers_the_new_label_beside_the_copies(demo_dataset: Dataset) -> None:
    name = demo_dataset.class_names[1]
    labels = cache.labels(demo_dataset.id)
    label = replace(finding((1,), **{"1": f"relabel:{name}"}), check="label_errors")
    cuts = {
        "near_duplicates": copies(demo_dataset, [0, 0, 1]),
        "label_errors": review_cuts.cut_of("label_errors", [label], demo_dataset.class_names, labels),
    }
    about = review_about.about_rows_beside_copies(demo_dataset, [1, 2], cuts, {1: "label_errors"})
    seen = review_data.seen_in({})._replace(asked=frozenset([1, 2]), conflicts=frozenset([0]))
    shown = {item["row"]: item for item in review_data.items(demo_dataset, about, 1, seen)}
    assert (shown[1]["badge"], shown[1]["likely"]) == (f"→ {name}", 1)
    assert shown[1]["suggested"] == [(1, "relabel", 1)]
    # Of the copies none goes while their labels conflict.
    assert (shown[2]["badge"], shown[2]["suggested"]) == ("conflict", [])
