"""What may go wrong around the jobs: a full disk, a locked database, a clock that jumps. Real processes."""

import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.core.jobs.conftest import is_running
from tests.core.jobs.test_worker import state, working
from tests.waiting import wait_until
from wbc_core import database
from wbc_core.jobs import queue, worker
from wbc_core.jobs.executors import Lane, LocalExecutor
from wbc_core.workspace import Workspace

Nap = Callable[..., dict[str, object]]
Diary = Callable[[], list[list[str]]]


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 2 MB; skips where none may be mounted."""
    monkeypatch.delenv("WBC_DATABASE_URL", raising=False)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_fails_the_job_in_words_and_the_next_one_runs(small_disk: Path, nap: Nap) -> None:
    workspace, ballast = Workspace(small_disk / "workspace"), small_disk / "ballast"
    job, after = (queue.submit(workspace, "nap", nap(0, **more)).id for more in ({"fill": str(ballast)}, {}))
    with working(workspace):
        wait_until(lambda: ballast.exists() and shutil.disk_usage(small_disk).free == 0)
        time.sleep(1)  # the worker's and the job's writes fail meanwhile
        ballast.unlink()
        wait_until(lambda: state(workspace, after) == "succeeded")
    failed = queue.get_job(workspace, job)
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert "The disk is full" in (failed.error or "")
    assert "resume" in (failed.error or "")


@contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Nobody else can write to the database inside the block."""
    lock = sqlite3.connect(workspace.home / "lab.sqlite")
    lock.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        lock.rollback()
        lock.close()


def test_a_database_locked_for_long_neither_loses_nor_repeats_a_job(
    workspace: Workspace,
    nap: Nap,
    diary: Diary,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # So workers and job meet the error, which they wait a minute for otherwise.
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    monkeypatch.setenv("WBC_BUSY_SECONDS", "0.2")
    job = queue.submit(workspace, "nap", nap(1)).id
    with working(workspace, dead_after=1.5), working(workspace, dead_after=1.5):
        wait_until(lambda: len(diary()) == 1)
        with locked(workspace):
            time.sleep(3)  # longer than the job takes, and than a silent worker is waited for
            assert state(workspace, job) == "running"
        wait_until(lambda: state(workspace, job) == "succeeded")
    assert [line[0] for line in diary()] == ["start", "end"]
    assert queue.get_job(workspace, job).attempts == 1
    assert "The database did not answer: database is locked. Trying again." in capsys.readouterr().err
    log = queue.read_log(workspace, job)
    assert "progress was not written: database is locked" in log
    assert "the outcome was not written yet: database is locked" in log


def test_a_worker_that_stops_while_the_database_is_locked_gives_its_job_back(
    workspace: Workspace, nap: Nap, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    job = queue.submit(workspace, "nap", nap(60)).id
    with working(workspace) as stopping:
        wait_until(lambda: len(diary()) == 1)
        with locked(workspace):
            stopping.stop.set()
            wait_until(lambda: not is_running(int(diary()[0][2])))
            time.sleep(0.5)
    waiting = queue.get_job(workspace, job)
    assert (waiting.state, waiting.attempts) == ("queued", 0)


class TwoLanes(LocalExecutor):
    """Two naps at once."""

    def lanes(self) -> Mapping[str, Lane]:
        return {name: Lane(["nap"], "cpu") for name in ("one", "two")}


def test_a_locked_database_saves_no_stubborn_job_from_its_worker(
    workspace: Workspace, nap: Nap, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "TERM_GRACE_SECONDS", 1.0)
    monkeypatch.setattr(worker, "CLOSE_SECONDS", 1.0)
    for stubborn in (False, True):
        queue.submit(workspace, "nap", nap(60, stubborn=stubborn))
    stopping = worker.Worker(workspace, TwoLanes([]))
    thread = threading.Thread(target=stopping.run)
    thread.start()
    wait_until(lambda: len(diary()) == 2)
    with locked(workspace):
        began = time.monotonic()
        stopping.stop.set()
        wait_until(lambda: not any(is_running(int(line[2])) for line in diary()))
        thread.join()
        assert time.monotonic() - began < 30  # of the minute that others wait for a lock


def test_a_clock_that_jumps_ends_no_job_and_starts_none_twice(
    workspace: Workspace, nap: Nap, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    years = iter([2000, 2050] * 10_000)
    monkeypatch.setattr(queue, "now", lambda: datetime(next(years), 1, 1, tzinfo=UTC).isoformat())
    monkeypatch.setenv("WBC_CLOCK_JUMPS", "1")  # in the job's process too
    job = queue.submit(workspace, "nap", nap(2.5)).id
    with working(workspace, dead_after=1.5), working(workspace, dead_after=1.5):
        wait_until(lambda: state(workspace, job) == "succeeded")
    assert [line[0] for line in diary()] == ["start", "end"]
    ended = queue.get_job(workspace, job)
    assert ended.attempts == 1
    assert (ended.finished or "")[:10] in ("2000-01-01", "2050-01-01")
