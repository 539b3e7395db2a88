"""The decision log: appended to, undone by further lines, and true after both."""

import pytest
from sqlalchemy import insert, inspect, text

from tests.core.curation.conftest import Store, noise_images, write_dataset
from wbc_core import database
from wbc_core.curation.review import (
    decide,
    decision_log,
    effective_decisions,
    head,
    undo,
)
from wbc_core.database import decisions, engine_of, transaction
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace


def actions_now(workspace: Workspace, dataset: str) -> dict[int, tuple[str, int | None]]:
    return {row: (line.action, line.label) for row, line in effective_decisions(workspace, dataset).items()}


def test_the_newest_decision_of_a_row_holds_and_all_are_logged(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(4)).id
    assert head(workspace, dataset) == 0
    decide(workspace, dataset, {0: ("drop", None), 1: ("relabel", 1)}, who="Ada", reason="smudge")
    decide(workspace, dataset, {0: ("relabel", 0)}, who="Ben", check="blur")
    assert actions_now(workspace, dataset) == {0: ("drop", None), 1: ("relabel", 1)}
    log = decision_log(workspace, dataset)
    assert [(line.row, line.who, line.reason, line.check) for line in log] == [
        (0, "Ada", "smudge", None),
        (1, "Ada", "smudge", None),
        (0, "Ben", "", "blur"),
    ]
    assert head(workspace, dataset) == log[-1].id
    assert log[0].step == log[1].step != log[2].step


def test_undo_takes_back_the_last_step_of_anyone_and_only_adds_lines(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(4)).id
    decide(workspace, dataset, {0: ("drop", None), 1: ("drop", None)}, who="Ada")
    decide(workspace, dataset, {0: ("keep", None)}, who="Ben")
    before = decision_log(workspace, dataset)
    assert undo(workspace, dataset, who="Cleo") == 1
    assert actions_now(workspace, dataset) == {0: ("drop", None), 1: ("drop", None)}
    assert undo(workspace, dataset, 5, who="Cleo") == 2
    assert actions_now(workspace, dataset) == {}
    assert undo(workspace, dataset, who="Cleo") == 0
    log = decision_log(workspace, dataset)
    assert log[: len(before)] == before
    assert [(line.action, line.undoes) for line in log[3:]] == [("undo", 3), ("undo", 1), ("undo", 2)]


def test_two_steps_are_undone_together(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(4)).id
    for row in range(3):
        decide(workspace, dataset, {row: ("drop", None)}, who="Ada")
    assert undo(workspace, dataset, 2, who="Ada") == 2
    assert list(actions_now(workspace, dataset)) == [0]


def test_a_person_may_undo_only_their_own(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(4)).id
    decide(workspace, dataset, {0: ("drop", None)}, who="Ada")
    decide(workspace, dataset, {1: ("relabel", 1)}, who="Ben")
    assert undo(workspace, dataset, who="Ada", only_by="Ada") == 1
    assert actions_now(workspace, dataset) == {1: ("relabel", 1)}
    assert undo(workspace, dataset, who="Ada", only_by="Ada") == 0


def dropped_line(dataset: str) -> dict[str, str]:
    """A line of the log as the database holds it, but for its row and step."""
    return {"dataset": dataset, "image_id": "x", "action": "drop", "who": "Ada", "at": "now", "reason": ""}


def test_everything_is_undone_in_one_go(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(4)).id
    with transaction(workspace) as connection:
        line = dropped_line(dataset)
        lines = [{**line, "row": number % 4, "step": str(number)} for number in range(2500)]
        connection.execute(insert(decisions), lines)
    assert undo(workspace, dataset, 99_999, who="Ada") == 4
    assert actions_now(workspace, dataset) == {}
    assert sum(entry.action == "undo" for entry in decision_log(workspace, dataset)) == 2500


def test_an_older_log_gets_its_indexes(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(4)).id
    decide(workspace, dataset, {0: ("drop", None)}, who="Ada")
    with engine_of(workspace).begin() as connection:
        connection.execute(text("DROP INDEX decisions_by_step"))
    database._engine.cache_clear()
    names = {index["name"] for index in inspect(engine_of(workspace)).get_indexes(decisions.name)}
    assert {index.name for index in decisions.indexes} <= names


@pytest.mark.parametrize(
    ("actions", "who", "words"),
    [
        ({4: ("drop", None)}, "Ada", "no row 4"),
        ({-1: ("drop", None)}, "Ada", "no row -1"),
        ({0: ("burn", None)}, "Ada", "keep, drop, relabel"),
        ({0: ("relabel", None)}, "Ada", "a label from 0 to 1"),
        ({0: ("relabel", 2)}, "Ada", "a label from 0 to 1"),
        ({0: ("drop", 1)}, "Ada", "no label"),
        ({0: ("drop", None)}, "  ", "name"),
        ({}, "Ada", "at least one row"),
    ],
)
def test_a_wrong_decision_is_refused_whole(
    workspace: Workspace, store: Store, actions: dict[int, tuple[str, int | None]], who: str, words: str
) -> None:
    dataset = store(noise_images(4)).id
    with pytest.raises(WbcError, match=words):
        decide(workspace, dataset, {1: ("drop", None), **actions} if actions else {}, who=who)
    assert decision_log(workspace, dataset) == []


def test_a_long_log_is_read_whole(workspace: Workspace, store: Store) -> None:
    # benchmarks/decisions.py says how long 100,000 lines take.
    dataset = store(noise_images(4)).id
    line = {**dropped_line(dataset), "step": "one"}
    with transaction(workspace) as connection:
        connection.execute(insert(decisions), [{**line, "row": row} for row in range(20_000)])
    assert len(effective_decisions(workspace, dataset)) == 20_000
