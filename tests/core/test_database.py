"""The database as SQLite and as PostgreSQL: same answers, same safety."""

import threading

import pytest
from sqlalchemy import MetaData, Table, create_engine, inspect

from wbc_core.curation.review import effective_decisions
from wbc_core.database import decisions, engine_of, jobs
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.workspace import Workspace


def test_many_claimants_get_each_job_once(any_workspace: Workspace) -> None:
    for _ in range(40):
        queue.submit(any_workspace, "scan", {"dataset": "ds-0123456789ab"})
    taken: list[str] = []

    def take() -> None:
        while claimed := queue.claim_next(any_workspace, ["scan"], "cpu"):
            taken.append(claimed[0].id)

    claimants = [threading.Thread(target=take) for _ in range(4)]
    for claimant in claimants:
        claimant.start()
    for claimant in claimants:
        claimant.join()
    assert len(taken) == 40
    assert len(set(taken)) == 40


def test_a_job_comes_back_as_it_was_written(any_workspace: Workspace) -> None:
    spec = {"source": "/cells/æøå.zip", "classes": ["a", "b"], "size": None}
    job = queue.submit(any_workspace, "import", spec)
    assert queue.get_job(any_workspace, job.id).spec == spec
    assert queue.list_jobs(any_workspace) == [job]


def test_tables_made_by_many_at_once(workspace: Workspace) -> None:
    errors: list[Exception] = []

    def open_database() -> None:
        try:
            engine_of(workspace)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_database) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {"decisions", "jobs", "workers"} <= set(inspect(engine_of(workspace)).get_table_names())


def test_the_jobs_of_an_older_lab_are_still_there(any_workspace: Workspace) -> None:
    newer = {"place", "paused", "usage", "died_in_epoch", "priority"}
    older = Table(
        "jobs", MetaData(), *(column._copy() for column in jobs.columns if column.name not in newer)
    )
    any_workspace.home.mkdir()
    engine = create_engine(any_workspace.database_url)
    older.create(engine)
    with engine.begin() as connection:
        values = {"kind": "scan", "spec": {"dataset": "ds-1"}, "state": "queued", "created": "2026"}
        connection.execute(older.insert().values(id="job-0123456789", number=1, **values))
    engine.dispose()
    (job,) = queue.list_jobs(any_workspace)
    assert (job.id, job.spec, job.paused, job.usage) == ("job-0123456789", {"dataset": "ds-1"}, False, None)
    assert queue.claim_next(any_workspace, ["scan"], "cpu") is not None


def test_the_decisions_of_an_older_lab_still_hold(any_workspace: Workspace) -> None:
    columns = (column._copy() for column in decisions.columns if column.name != "threshold")
    older = Table("decisions", MetaData(), *columns)
    any_workspace.home.mkdir()
    engine = create_engine(any_workspace.database_url)
    older.create(engine)
    with engine.begin() as connection:
        values = {"image_id": "a", "action": "drop", "reason": "", "who": "Ada", "at": "2026", "step": "s"}
        connection.execute(older.insert().values(dataset="ds-1", row=3, **values))
    engine.dispose()
    held = effective_decisions(any_workspace, "ds-1")
    assert (held[3].who, held[3].threshold) == ("Ada", None)


def test_sqlite_survives_a_crash_in_the_middle_of_a_write(workspace: Workspace) -> None:
    with engine_of(workspace).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000


@pytest.mark.parametrize("url", ["nonsense", "oracle+nothing://x", "sqlite:////nowhere/at/all.db"])
def test_a_wrong_url_is_said_in_words(
    workspace: Workspace, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WBC_DATABASE_URL", url)
    with pytest.raises(WbcError, match="WBC_DATABASE_URL"):
        engine_of(workspace)
