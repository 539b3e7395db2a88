"""Key presses that arrive more than once: written once, also by a server that was started anew."""

import threading
from functools import partial

import pytest
from sqlalchemy import text

from tests.core.curation.conftest import noise_images, write_dataset
from wbc_core import database
from wbc_core.curation.agreement import agreement, give_opinion, settle
from wbc_core.curation.presses import last_written, write_once
from wbc_core.curation.review import decide, decision_log, undo
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace


def test_an_undo_that_comes_again_takes_back_nothing_more(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(4)).id
    decide(workspace, dataset, {2: ("drop", None), 3: ("drop", None)}, who="Ada", reason="accepted")
    batch = [
        lambda: decide(workspace, dataset, {0: ("drop", None)}, who="Ada"),
        lambda: undo(workspace, dataset, who="Ada", only_by="Ada"),
    ]
    assert all(write_once(workspace, "tab", number, write) for number, write in enumerate(batch, 1))
    log = decision_log(workspace, dataset)
    # Killed before the browser heard of it: a new server gets the same batch.
    database._engine.cache_clear()
    assert not any(write_once(workspace, "tab", number, write) for number, write in enumerate(batch, 1))
    assert decision_log(workspace, dataset) == log
    assert (last_written(workspace, "tab"), last_written(workspace, "other")) == (2, 0)
    assert write_once(workspace, "other", 1, batch[1])
    assert len(decision_log(workspace, dataset)) == len(log) + 2


def test_a_fault_leaves_neither_the_decision_nor_the_note(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(4)).id

    def killed() -> None:
        decide(workspace, dataset, {0: ("drop", None)}, who="Ada")
        give_opinion(workspace, dataset, {0: ("keep", None)}, who="Ben")
        settle(workspace, dataset, {0: ("keep", None)}, who="Ada", second="Ben")
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        write_once(workspace, "tab", 1, killed)
    assert (decision_log(workspace, dataset), last_written(workspace, "tab")) == ([], 0)
    assert agreement(workspace, dataset, "Ben").images == 0


def test_a_refused_press_is_not_tried_again(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(4)).id

    def refused() -> None:
        decide(workspace, dataset, {0: ("drop", None)}, who="Ada")
        decide(workspace, dataset, {9: ("drop", None)}, who="Ada")

    with pytest.raises(WbcError, match="no row 9"):
        write_once(workspace, "tab", 1, refused)
    assert not write_once(workspace, "tab", 1, refused)
    assert decision_log(workspace, dataset) == []


def test_a_press_that_arrives_over_two_connections_is_written_once(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(12)).id
    done: list[bool] = []

    def send() -> None:
        for row in range(12):
            press = partial(decide, workspace, dataset, {row: ("drop", None)}, who="Ada")
            done.append(write_once(workspace, "tab", row + 1, press))

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False] * 24 + [True] * 12
    assert [line.row for line in decision_log(workspace, dataset)] == list(range(12))


def test_tabs_that_were_silent_for_a_month_are_forgotten(any_workspace: Workspace) -> None:
    workspace = any_workspace
    dataset = write_dataset(workspace, noise_images(4)).id
    press = partial(decide, workspace, dataset, {0: ("drop", None)}, who="Ada")
    for client in ("old", "recent", "older lab's"):
        write_once(workspace, client, 5, press)
    with database.engine_of(workspace).begin() as connection:
        for client, at in (("old", "2020-01-01T00:00:00+00:00"), ("older lab's", None)):
            change = text("UPDATE presses SET at = :at WHERE client = :client")
            connection.execute(change, {"at": at, "client": client})
    write_once(workspace, "recent", 6, press)
    assert last_written(workspace, "old") == 5
    write_once(workspace, "new", 1, press)
    known = {client: last_written(workspace, client) for client in ("old", "recent", "older lab's", "new")}
    assert known == {"old": 0, "recent": 6, "older lab's": 5, "new": 1}


def test_a_database_whose_presses_have_no_time_still_opens(workspace: Workspace) -> None:
    dataset = write_dataset(workspace, noise_images(4)).id
    press = partial(decide, workspace, dataset, {0: ("drop", None)}, who="Ada")
    write_once(workspace, "tab", 1, press)
    with database.engine_of(workspace).begin() as connection:
        connection.execute(text("ALTER TABLE presses DROP COLUMN at"))
    database._engine.cache_clear()
    assert not write_once(workspace, "tab", 1, press)
    assert write_once(workspace, "tab", 2, press)


def test_a_database_from_before_presses_were_kept_still_opens(workspace: Workspace) -> None:
    dataset = write_dataset(workspace, noise_images(4)).id
    decide(workspace, dataset, {0: ("drop", None)}, who="Ada")
    with database.engine_of(workspace).begin() as connection:
        connection.execute(text("DROP TABLE presses"))
    database._engine.cache_clear()
    assert write_once(workspace, "tab", 1, lambda: decide(workspace, dataset, {1: ("keep", None)}, who="Ada"))
    assert [line.row for line in decision_log(workspace, dataset)] == [0, 1]
