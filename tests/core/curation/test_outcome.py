"""A decision settles the question of its check and leaves those of the others alone."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.curation.conftest import Store, noise_images
from wbc_core.curation.accepting import accept
from wbc_core.curation.clean import clean_set
from wbc_core.curation.outcome import held_by_check, outcome
from wbc_core.curation.review import ACTIONS, Verdict, decide, effective_decisions, undo
from wbc_core.curation.scan import scan
from wbc_core.curation.standing import brought_up_to_date, nothing_decided
from wbc_core.workspace import Workspace

LINES = st.lists(
    st.builds(Verdict, action=st.sampled_from(ACTIONS), check=st.sampled_from([None, "blur", "foreign"])),
    max_size=7,
)


def by_the_words(lines: Sequence[Verdict]) -> Verdict | None:
    """The rule as it is told: newest per check, what has no check overrides, a drop wins, then a relabel."""
    start = max(
        (at + 1 for at, line in enumerate(lines) if (line.action, line.check) == ("keep", None)), default=0
    )
    later = list(lines[start:])
    stands = [
        line for at, line in enumerate(later) if all(line.check != other.check for other in later[at + 1 :])
    ]
    changes = [line for line in stands if line.action != "keep"]
    whole = max(
        (at for at, line in enumerate(changes) if (line.action, line.check) == ("relabel", None)), default=0
    )
    drops = [line for line in changes[whole:] if line.action == "drop"]
    return (drops or changes or stands or list(lines[:start]) or [None])[-1]


@given(lines=LINES)
def test_the_outcome_is_that_of_the_rule_in_words(lines: list[Verdict]) -> None:
    found, told = outcome(lines), by_the_words(lines)
    assert (found and (found.action, found.check)) == (told and (told.action, told.check))
    assert found is None or found in held_by_check(lines).values()


def test_a_keep_under_one_check_leaves_drops_and_relabels_of_the_others(
    workspace: Workspace, store: Store
) -> None:
    dataset = store(noise_images(8)).id
    decide(workspace, dataset, {5: ("relabel", 0)}, who="Ada", check="label_errors")
    decide(workspace, dataset, {6: ("drop", None)}, who="Ada", check="exact_duplicates")
    before = clean_set(workspace, dataset)
    decide(workspace, dataset, {5: ("keep", None), 6: ("keep", None)}, who="Ada", check="blur")
    after = clean_set(workspace, dataset)
    assert (after.id, after.dropped) == (before.id, 1)
    # Under its own check a keep takes the verdict back; the step before comes back with an undo.
    decide(workspace, dataset, {6: ("keep", None)}, who="Ada", check="exact_duplicates")
    assert clean_set(workspace, dataset).dropped == 0
    undo(workspace, dataset, who="Ada")
    assert clean_set(workspace, dataset).id == before.id
    # Without a check it is a word on the image as a whole.
    decide(workspace, dataset, {5: ("keep", None), 6: ("keep", None)}, who="Ada")
    assert {line.action for line in effective_decisions(workspace, dataset).values()} == {"keep"}
    undo(workspace, dataset, 4, who="Ada")
    assert effective_decisions(workspace, dataset) == {}


@pytest.mark.parametrize("first", ["blur", None])
def test_a_new_label_under_a_check_brings_back_nothing_that_was_dropped(
    workspace: Workspace, store: Store, first: str | None
) -> None:
    dataset = store(noise_images(4)).id
    decide(workspace, dataset, {1: ("drop", None)}, who="Ada", check=first)
    decide(workspace, dataset, {1: ("relabel", 0)}, who="Ada", check="label_errors")
    assert clean_set(workspace, dataset).rows.tolist() == [0, 2, 3]
    # Neither does its being taken back; the drop's own check, or a word on the whole image, does.
    for check, action, labels in (
        ("label_errors", ("keep", None), [0, 0, 1]),
        (first, ("relabel", 0), [0, 0, 0, 1]),
        (None, ("relabel", 0), [0, 0, 0, 1]),
        (None, ("keep", None), [0, 1, 0, 1]),
    ):
        decide(workspace, dataset, {1: action}, who="Ada", check=check)
        assert clean_set(workspace, dataset).labels.tolist() == labels
        undo(workspace, dataset, who="Ada")
    assert clean_set(workspace, dataset).dropped == 1


def test_a_drop_after_a_relabel_without_a_check_holds(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(4)).id
    decide(workspace, dataset, {1: ("relabel", 0)}, who="Ada")
    decide(workspace, dataset, {1: ("drop", None)}, who="Ada", check="blur")
    decide(workspace, dataset, {1: ("relabel", 0)}, who="Ada", check="label_errors")
    assert clean_set(workspace, dataset).dropped == 1


@pytest.mark.parametrize(
    ("by_hand", "check", "settled", "accepted"),
    [
        (("keep", None), "blur", False, 1),
        (("keep", None), "exact_duplicates", True, 0),
        (("keep", None), None, True, 0),
        (("relabel", 0), "label_errors", False, 1),
        (("relabel", 0), None, True, 0),
        (("drop", None), "blur", True, 0),
    ],
)
def test_what_is_settled_is_what_accepting_leaves_alone(
    workspace: Workspace,
    store: Store,
    by_hand: tuple[str, int | None],
    check: str | None,
    settled: bool,
    accepted: int,
) -> None:
    images = noise_images(30)
    images[5] = images[4]
    dataset = store(images, np.zeros(30, dtype=np.int64))
    scan(workspace, dataset.id, ["exact_duplicates"])
    decide(workspace, dataset.id, {5: by_hand}, who="Ada", check=check)
    standing = brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    assert standing.settled("exact_duplicates")[5] == settled
    assert accept(workspace, dataset.id, ["exact_duplicates"], who="Ada").images == accepted
