"""The pictures on the Review page: their order, pages and stacks, and what stands under them."""

import json

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import cache
from app.components import review_cuts, review_data
from tests.app.review_page import finding, flagged, open_review
from wbc_core.curation import review
from wbc_core.records import Dataset, Finding
from wbc_core.workspace import Workspace


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


def test_what_was_settled_on_arrival_comes_last_and_nothing_moves_after_it(demo_dataset: Dataset) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    shown = review_cuts.cut(dataset, "exact_duplicates")
    places = list(range(len(shown.findings)))

    def drawn(since: int) -> list[int]:
        ordered = review_cuts.left_first(dataset, shown, cache.standing(demo_dataset), since)
        return list(dict.fromkeys(place for page in ordered.pages for place, _, _ in page))

    def settle(place: int) -> None:
        verdicts = dict.fromkeys(shown.findings[place].rows, ("keep", None))
        review.decide(workspace, dataset, verdicts, who="Ada", check="exact_duplicates")

    assert len(places) > 2
    settle(0)
    since = cache.standing(demo_dataset).head
    assert drawn(0) == places
    assert drawn(since) == [*places[1:], 0]
    settle(1)
    assert drawn(since) == [*places[1:], 0]
    assert drawn(cache.standing(demo_dataset).head) == [*places[2:], 0, 1]


def test_the_page_begins_with_what_is_left_on_arrival(demo_dataset: Dataset) -> None:
    workspace, dataset = Workspace.default(), demo_dataset.id
    first, *others = [found.rows[0] for found in review_cuts.cut(dataset, "exposure").findings]
    review.decide(workspace, dataset, {first: ("keep", None)}, who="Ada", check="exposure")

    page = open_review(check="exposure")
    assert shown_rows(page) == [*others, first]
    review.decide(
        Workspace.default(), demo_dataset.id, {others[0]: ("drop", None)}, who="Ada", check="exposure"
    )
    assert shown_rows(page.run()) == [*others, first]


def shown_rows(page: AppTest) -> list[int]:
    drawn = [json.loads(entry.proto.json) for entry in page.get("bidi_component")]
    return [item["row"] for item in next(data["items"] for data in drawn if "items" in data)]


@pytest.fixture
def flagged_rows(demo_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of class outliers, each on a page of its own; the first is settled."""
    monkeypatch.setattr(review_cuts, "PAGE", 1)
    rows = [found.rows[0] for found in review_cuts.cut(demo_dataset.id, "class_outliers").findings]
    assert len(rows) == 3
    keep(demo_dataset, rows[0])
    return rows


def keep(dataset: Dataset, row: int) -> None:
    review.decide(Workspace.default(), dataset.id, {row: ("keep", None)}, who="Ada", check="class_outliers")


def test_a_check_chosen_from_a_later_page_of_another_begins_with_what_is_left(
    flagged_rows: list[int],
) -> None:
    page = open_review(check="exact_duplicates", page="2")
    assert page.query_params["page"] == "2"
    # As a click on a check does.
    page.session_state["check"], page.session_state["page"] = "class_outliers", 1
    assert shown_rows(page.run()) == flagged_rows[1:2]


def test_a_reload_on_a_later_page_shows_the_same_pictures(
    demo_dataset: Dataset, flagged_rows: list[int]
) -> None:
    page = open_review(check="class_outliers")
    since = page.query_params["since"]
    keep(demo_dataset, flagged_rows[1])
    assert shown_rows(open_review(check="class_outliers", page="2", since=since)) == flagged_rows[2:]
    st.cache_resource.clear()
    reloaded = open_review(check="class_outliers", page="2", since=since)
    assert shown_rows(reloaded) == flagged_rows[2:]
    assert reloaded.query_params["since"] == since
    reloaded.session_state["check"], reloaded.session_state["page"] = "exact_duplicates", 1
    assert reloaded.run().query_params["since"] > since


@pytest.mark.parametrize("text", ["x", "-1", "²", "9" * 17, "9" * 5000])
def test_a_url_that_names_no_moment_of_the_log_leaves_the_order_as_it_is(
    flagged_rows: list[int], text: str
) -> None:
    page = open_review(check="class_outliers", page="2", since=text)
    assert not page.exception
    assert shown_rows(page) == flagged_rows[1:2]
    assert "since" not in page.query_params


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
