"""Reading only what is new of the log gives what reading all of it gives."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from tests.core.curation.conftest import noise_images, write_dataset
from wbc_core.curation.clean import clean_set
from wbc_core.curation.review import ACTIONS, decide, decision_log, effective_decisions, undo
from wbc_core.curation.standing import DROP, UNDECIDED, brought_up_to_date, nothing_decided
from wbc_core.database import decisions, transaction
from wbc_core.workspace import Workspace

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["Ada", "Ben"]),
        st.sampled_from([*ACTIONS, "undo"]),
        st.integers(0, 3),
        st.sampled_from([None, "blur", "exposure"]),
    ),
    max_size=10,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_step_by_step_is_all_at_once(
    workspace: Workspace, steps: list[tuple[str, str, int, str | None]]
) -> None:
    dataset = write_dataset(workspace, noise_images(4))
    with transaction(workspace) as connection:
        connection.execute(delete(decisions))
    known = nothing_decided(dataset)
    for who, action, row, check in steps:
        if action == "undo":
            undo(workspace, dataset.id, who=who, only_by=who)
        else:
            label = 1 if action == "relabel" else None
            decide(workspace, dataset.id, {row: (action, label), 3: ("keep", None)}, who=who, check=check)
        known = brought_up_to_date(workspace, dataset, known)
        assert known.effective == effective_decisions(workspace, dataset.id)
        expected = [UNDECIDED] * 4
        for place, line in known.effective.items():
            expected[place] = 1 + ACTIONS.index(line.action)
        assert known.codes.tolist() == expected
        assert known.kept == len(clean_set(workspace, dataset.id).rows)
    assert brought_up_to_date(workspace, dataset, known) is known
    anew = brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    assert anew.effective == known.effective
    for check in (None, "blur", "exposure"):
        assert (anew.settled(check) == known.settled(check)).all()


def test_what_was_known_stays_as_it_was(workspace: Workspace) -> None:
    dataset = write_dataset(workspace, noise_images(4))
    decide(workspace, dataset.id, {0: ("drop", None)}, who="Ada")
    known = brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    undo(workspace, dataset.id, who="Ada")
    assert brought_up_to_date(workspace, dataset, known).effective == {}
    assert (list(known.effective), known.codes[0]) == ([0], DROP)


def test_a_line_that_becomes_visible_late_is_not_missed(workspace: Workspace) -> None:
    dataset = write_dataset(workspace, noise_images(4))
    decide(workspace, dataset.id, {0: ("drop", None)}, who="Ada")
    decide(workspace, dataset.id, {1: ("drop", None)}, who="Ada")
    early = decision_log(workspace, dataset.id)[0]
    with transaction(workspace) as connection:
        connection.execute(delete(decisions).where(decisions.c.id == early.id))
    known = brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    assert list(known.effective) == [1]
    with transaction(workspace) as connection:
        connection.execute(insert(decisions), [vars(early)])
    assert np.array_equal(np.flatnonzero(brought_up_to_date(workspace, dataset, known).codes), [0, 1])
