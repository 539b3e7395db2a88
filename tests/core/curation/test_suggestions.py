"""What is suggested and still open, and what accepting follows of it."""

import numpy as np
import pytest

from tests.core.curation.conftest import Store, hidden_conflict, noise_images
from wbc_core.curation.accepting import Accepted, accept
from wbc_core.curation.review import decide, decision_log, effective_decisions, undo
from wbc_core.curation.scan import DUPLICATE_CHECKS, duplicate_groups, load_findings, scan
from wbc_core.curation.standing import brought_up_to_date, nothing_decided
from wbc_core.curation.suggestions import conflicting, open_suggestions, suggestions_of
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Finding
from wbc_core.splitting import make_split, split_table
from wbc_core.workspace import Workspace

ONE_LABEL = np.zeros(30, dtype=np.int64)


def actions_now(workspace: Workspace, dataset: str) -> dict[int, tuple[str, int | None]]:
    return {row: (line.action, line.label) for row, line in effective_decisions(workspace, dataset).items()}


def pair(kept: int, copy: int, score: float) -> Finding:
    suggested = {str(kept): "keep", str(copy): "drop"}
    return Finding("near_duplicates", (kept, copy), (str(kept), str(copy)), score, False, suggested, "alike")


def test_accept_follows_suggestions_once_and_respects_a_verdict(workspace: Workspace, store: Store) -> None:
    images = noise_images(30)
    images[[5, 6, 20]] = images[4]
    dataset = store(images, ONE_LABEL).id
    scan(workspace, dataset, ["exact_duplicates"])
    decide(workspace, dataset, {20: ("keep", None)}, who="Ada", check="exact_duplicates")
    assert accept(workspace, dataset, ["exact_duplicates"], who="Ada") == Accepted(2, 0)
    assert actions_now(workspace, dataset) == {5: ("drop", None), 6: ("drop", None), 20: ("keep", None)}
    assert [line.threshold for line in decision_log(workspace, dataset)] == [None, 2.0, 2.0]
    assert accept(workspace, dataset, ["exact_duplicates"], who="Ada") == Accepted(0, 0)
    assert undo(workspace, dataset, who="Ada") == 2


def test_a_threshold_is_accepted_at_and_written_into_the_log(workspace: Workspace, store: Store) -> None:
    images = noise_images(30)
    for place, shade in enumerate((2, 4, 12)):
        images[place] = images[place] // 20 + shade
    dataset = store(images, ONE_LABEL).id
    scan(workspace, dataset, ["exposure"])
    found = {one.rows[0]: one.score for one in load_findings(workspace, dataset, "exposure") if one.suggested}
    scores = sorted(found.values())
    threshold = (scores[-1] + scores[-2]) / 2
    wanted = Accepted(1, 0)
    assert len(scores) > 1
    for checks, value, hint in (
        (["exposure"], 1e9, "exposure cannot be cut"),
        (["exposure"], float("nan"), "exposure cannot be cut"),
        (["exposure", "blur"], threshold, "that of one check"),
    ):
        with pytest.raises(WbcError, match=f"(?i){hint}"):
            accept(workspace, dataset, checks, who="Ada", threshold=value)
    assert accept(workspace, dataset, ["exposure"], who="Ada", threshold=threshold) == wanted
    (line,) = decision_log(workspace, dataset)
    assert (found[line.row], line.threshold, line.check) == (scores[-1], threshold, "exposure")


@pytest.mark.parametrize(
    ("by_hand", "check", "left"),
    [
        ({4: ("drop", None)}, "exact_duplicates", [5]),
        ({4: ("drop", None)}, None, [5]),
        ({4: ("drop", None), 6: ("relabel", 0)}, "exact_duplicates", [6]),
        ({6: ("relabel", 0)}, "exact_duplicates", [4, 6]),
        # What is dropped as foreign is so with all its copies.
        ({4: ("drop", None)}, "foreign", []),
    ],
)
def test_accept_never_drops_the_last_copy_that_a_person_left(
    workspace: Workspace,
    store: Store,
    by_hand: dict[int, tuple[str, int | None]],
    check: str | None,
    left: list[int],
) -> None:
    images = noise_images(30)
    images[[5, 6]] = images[4]
    dataset = store(images, ONE_LABEL).id
    scan(workspace, dataset, ["exact_duplicates"])
    decide(workspace, dataset, by_hand, who="Ada", check=check)
    accept(workspace, dataset, ["exact_duplicates"], who="Ada")
    dropped = {row for row, (action, _) in actions_now(workspace, dataset).items() if action == "drop"}
    assert sorted({4, 5, 6} - dropped) == left


def test_accept_needs_a_scan(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(4)).id
    with pytest.raises(WbcError, match="not scanned for blur"):
        accept(workspace, dataset, ["blur"], who="Ada")


def test_groups_whose_labels_conflict_are_left_for_a_person(workspace: Workspace, store: Store) -> None:
    images, labels = noise_images(30), np.arange(30) % 2
    images[[2, 4]], images[[5, 6, 8]] = images[0], images[3]
    dataset = store(images, labels).id
    scan(workspace, dataset, ["exact_duplicates"])
    assert accept(workspace, dataset, ["exact_duplicates"], who="Ada") == Accepted(2, 1)
    assert actions_now(workspace, dataset) == {2: ("drop", None), 4: ("drop", None)}
    # Once what is left carries one label, the first copy stays as in any other group.
    decide(workspace, dataset, {6: ("relabel", 1), 8: ("drop", None)}, who="Ada", check="label_errors")
    assert accept(workspace, dataset, ["exact_duplicates"], who="Ada") == Accepted(2, 0)
    dropped = {row for row, (action, _) in actions_now(workspace, dataset).items() if action == "drop"}
    assert dropped == {2, 4, 5, 6, 8}


def test_what_a_person_kept_under_the_check_is_no_open_conflict(workspace: Workspace, store: Store) -> None:
    images = noise_images(30)
    images[5] = images[4]
    dataset = store(images).id
    scan(workspace, dataset, ["exact_duplicates"])
    decide(workspace, dataset, {4: ("keep", None), 5: ("keep", None)}, who="Ada", check="exact_duplicates")
    assert accept(workspace, dataset, ["exact_duplicates"], who="Ada") == Accepted(0, 0)


def test_a_conflict_that_another_check_drops_whole_is_not_told(workspace: Workspace, store: Store) -> None:
    images = noise_images(30)
    images[5] = images[4]
    images[[4, 5]] //= 8
    dataset = store(images).id
    scan(workspace, dataset, ["exact_duplicates", "exposure"])
    assert accept(workspace, dataset, ["exact_duplicates", "exposure"], who="Ada") == Accepted(2, 0)


def test_a_drop_as_near_copy_hides_no_conflict_between_exact_ones(workspace: Workspace) -> None:
    dataset = hidden_conflict(workspace).id
    scan(workspace, dataset, DUPLICATE_CHECKS)
    assert [found.rows for found in load_findings(workspace, dataset) if found.flagged] == [(4, 5), (6, 4)]
    for checks in (list(DUPLICATE_CHECKS), ["near_duplicates"], ["exact_duplicates"]):
        assert accept(workspace, dataset, checks, who="Ada") == Accepted(0, 1)
    # Nor does it where a person drops that copy: the label that the better one carries still counts.
    decide(workspace, dataset, {4: ("drop", None)}, who="Ada", check="near_duplicates")
    assert accept(workspace, dataset, DUPLICATE_CHECKS, who="Ada") == Accepted(0, 1)
    decide(workspace, dataset, {5: ("relabel", 0)}, who="Ada", check="label_errors")
    assert accept(workspace, dataset, DUPLICATE_CHECKS, who="Ada") == Accepted(1, 0)
    assert {row for row, (action, _) in actions_now(workspace, dataset).items() if action == "drop"} == {4, 5}


def test_copies_left_in_conflict_stay_on_one_side_of_a_split(workspace: Workspace, store: Store) -> None:
    images = noise_images(40)
    for row in range(0, 20, 2):
        images[row + 1] = images[row]
    dataset = store(images).id
    scan(workspace, dataset)
    assert accept(workspace, dataset, ["exact_duplicates", "near_duplicates"], who="Ada").conflicts == 10
    assert {(row, row + 1) for row in range(0, 20, 2)} <= set(duplicate_groups(workspace, dataset))
    table = split_table(workspace, make_split(workspace, dataset, fractions=(0.5, 0.5)).id)
    part = dict(zip(table["row"], table["part"], strict=True))
    assert all(part[row] == part[row + 1] for row in range(0, 20, 2))


@pytest.mark.parametrize(
    ("pairs", "dropped"),
    [
        ([(0, 1), (1, 2), (2, 3)], {1, 3}),
        ([(2, 3), (1, 2), (0, 1)], {1, 3}),
        ([(1, 2), (0, 1)], {2}),
        ([(0, 1), (0, 2), (1, 2)], {1, 2}),
    ],
)
def test_no_image_goes_whose_only_like_went_before(
    workspace: Workspace, store: Store, pairs: list[tuple[int, int]], dropped: set[int]
) -> None:
    dataset: Dataset = store(noise_images(30), ONE_LABEL)
    findings = [pair(*rows, 90.0 - place) for place, rows in enumerate(pairs)]
    made = suggestions_of("near_duplicates", findings, dataset.class_names, ONE_LABEL)
    standing = nothing_decided(dataset)
    assert conflicting(made, standing) == []
    opened = open_suggestions(made, standing)
    assert opened.actions == dict.fromkeys(sorted(dropped), ("drop", None))
    # Nor in a second go.
    decide(workspace, dataset.id, opened.actions, who="Ada", check="near_duplicates")
    assert open_suggestions(made, brought_up_to_date(workspace, dataset, standing)).actions == {}
