"""Real workers, real job processes, real signals."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy.exc import OperationalError

from tests.core.jobs.conftest import is_running
from tests.waiting import PATIENCE_SECONDS, wait_until
from wbc_core.jobs import queue
from wbc_core.jobs import worker as worker_module
from wbc_core.jobs.executors import LocalExecutor
from wbc_core.jobs.worker import DeathWatch, Worker, follow, worker_is_alive
from wbc_core.workspace import Workspace

Nap = Callable[..., dict[str, object]]
Diary = Callable[[], list[list[str]]]


@contextmanager
def working(workspace: Workspace, *, dead_after: float = 2.5) -> Iterator[Worker]:
    """A worker in a thread of this process."""
    worker = Worker(workspace, LocalExecutor(["cpu"]), dead_after=dead_after)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop.set()
        thread.join()


def state(workspace: Workspace, job: str) -> str:
    return queue.get_job(workspace, job).state


def test_jobs_run_in_order_with_progress_and_log(workspace: Workspace, nap: Nap, diary: Diary) -> None:
    jobs = [queue.submit(workspace, "nap", nap(0.6)).id for _ in range(2)]
    with working(workspace):
        wait_until(lambda: all(state(workspace, job) == "succeeded" for job in jobs))
    assert [line[:2] for line in diary()] == [[word, job] for job in jobs for word in ("start", "end")]
    done = queue.get_job(workspace, jobs[0])
    assert (done.result, done.attempts, done.epoch, done.device) == ({"slept": 0.6}, 1, 1, "cpu")
    assert "napping" in queue.read_log(workspace, jobs[0])


def test_cancel_ends_the_process_within_seconds(workspace: Workspace, nap: Nap, diary: Diary) -> None:
    job = queue.submit(workspace, "nap", nap(600)).id
    with working(workspace):
        wait_until(lambda: len(diary()) == 1)
        queue.cancel(workspace, job)
        wait_until(lambda: state(workspace, job) == "cancelled")
    assert not is_running(int(diary()[0][2]))
    assert len(diary()) == 1


@pytest.mark.parametrize("stubborn", [False, True])
def test_cancel_ends_children_that_ignore_it_too(
    workspace: Workspace, nap: Nap, diary: Diary, monkeypatch: pytest.MonkeyPatch, stubborn: bool
) -> None:
    assert worker_module.BEAT_SECONDS + worker_module.TERM_GRACE_SECONDS < 10
    monkeypatch.setattr(worker_module, "TERM_GRACE_SECONDS", 0.5)
    job = queue.submit(workspace, "nap", nap(600, children=True, stubborn=stubborn)).id
    with working(workspace):
        wait_until(lambda: queue.get_job(workspace, job).progress > 0)
        everyone = psutil.Process(int(diary()[0][2])).children(recursive=True)
        queue.cancel(workspace, job)
        wait_until(lambda: state(workspace, job) == "cancelled")
        assert len(everyone) == 2
        assert psutil.wait_procs(everyone, timeout=PATIENCE_SECONDS)[1] == []


def test_a_process_that_dies_is_tried_again_and_fails_in_the_end(
    workspace: Workspace, nap: Nap, diary: Diary
) -> None:
    job = queue.submit(workspace, "nap", nap(0.1, crash=True)).id
    with working(workspace):
        wait_until(lambda: state(workspace, job) == "failed")
    assert len(diary()) == queue.MAXIMUM_ATTEMPTS


def test_a_fault_fails_at_once_with_its_traceback_in_the_log_and_the_queue_goes_on(
    workspace: Workspace, nap: Nap
) -> None:
    job, after = (queue.submit(workspace, "nap", nap(0.1, fault=fault)).id for fault in (True, False))
    with working(workspace):
        wait_until(lambda: state(workspace, after) == "succeeded")
    failed = queue.get_job(workspace, job)
    assert failed.attempts == 1
    assert "ZeroDivisionError" in (failed.error or "")
    assert "Traceback" in queue.read_log(workspace, job)


def test_a_killed_worker_leaves_no_process_and_another_takes_over(
    workspace: Workspace, nap: Nap, diary: Diary
) -> None:
    job = queue.submit(workspace, "nap", nap(4)).id
    command = [
        sys.executable,
        "-m",
        "wbc_core.cli",
        "worker",
        "--devices",
        "cpu",
        "--home",
        str(workspace.home),
    ]
    with subprocess.Popen(command) as killed:
        wait_until(lambda: len(diary()) == 1)
        killed.send_signal(signal.SIGKILL)
    first = int(diary()[0][2])
    with working(workspace):
        wait_until(lambda: state(workspace, job) == "succeeded")
    assert not is_running(first)
    words = [line[0] for line in diary()]
    assert words == ["start", "start", "end"]
    assert queue.get_job(workspace, job).attempts == 2


def test_two_workers_run_each_job_exactly_once(workspace: Workspace, nap: Nap, diary: Diary) -> None:
    jobs = {queue.submit(workspace, "nap", nap(0.0)).id for _ in range(4)}
    with working(workspace), working(workspace):
        wait_until(lambda: not queue.active_jobs(workspace))
    assert sorted(line[1] for line in diary() if line[0] == "start") == sorted(jobs)


def test_follow_is_the_worker_where_there_is_none(workspace: Workspace, nap: Nap) -> None:
    seen: list[str] = []
    job = queue.submit(workspace, "nap", nap(0.8)).id
    ended = follow(workspace, job, lambda _fraction, message: seen.append(message))
    assert ended.state == "succeeded"
    assert "epoch 1/2 - napping" in seen
    assert not worker_is_alive(workspace, within=0.5)


def test_follow_leaves_the_work_to_a_living_worker(workspace: Workspace, nap: Nap, diary: Diary) -> None:
    with working(workspace):
        wait_until(lambda: bool(queue.worker_beats(workspace)))
        job = queue.submit(workspace, "nap", nap(0.1)).id
        assert follow(workspace, job).state == "succeeded"
    assert [line[0] for line in diary()] == ["start", "end"]


@pytest.mark.parametrize("jump", [-1e6, 0.0, 1e6])
def test_the_death_watch_ignores_the_wall_clock(jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = DeathWatch(dead_after=15.0)
    monkeypatch.setattr(time, "time", lambda: jump)
    assert watch.stopped({"a": 1}, 0.0) == []
    for second in range(14, 29):
        assert watch.stopped({"a": 2}, second) == []
    assert watch.stopped({"a": 2}, 29.0) == ["a"]


def test_a_watch_that_was_held_up_itself_lets_the_others_beat_first() -> None:
    watch = DeathWatch(dead_after=15.0)
    assert watch.stopped({"a": 1}, 0.0) == []
    assert watch.stopped({"a": 1}, 60.0) == []  # the database was away for a minute, for everyone
    assert watch.stopped({"a": 2}, 61.0) == []
    assert [second for second in range(62, 80) if watch.stopped({"a": 2}, second)] == [76, 77, 78, 79]


def test_a_process_that_cannot_be_started_does_not_end_the_worker(workspace: Workspace, nap: Nap) -> None:
    (workspace.home / "logs").mkdir(parents=True)
    job = queue.submit(workspace, "nap", nap()).id
    workspace.job_log(job).mkdir()  # no log can be opened here
    after = queue.submit(workspace, "nap", nap(0.0)).id
    with working(workspace):
        wait_until(lambda: state(workspace, after) == "succeeded")
    failed = queue.get_job(workspace, job)
    assert failed.state == "failed"
    assert "could not be started" in (failed.error or "")


def test_follow_goes_on_when_the_database_is_away_for_a_while(
    workspace: Workspace, nap: Nap, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, failures = queue.submit(workspace, "nap", nap(0.0)).id, iter(range(6))

    def failing(works: Callable[..., object]) -> Callable[..., object]:
        def fail_at_first(*arguments: object) -> object:
            if next(failures, None) is not None:
                raise OperationalError("UPDATE", {}, Exception("database is locked"))
            return works(*arguments)

        return fail_at_first

    monkeypatch.setattr(Worker, "turn", failing(Worker.turn))
    monkeypatch.setattr(worker_module, "_standing", failing(worker_module._standing))
    with Path("/dev/full").open("w") as full:  # its output goes to a file on a disk that is full
        monkeypatch.setattr(sys, "stderr", full)
        assert follow(workspace, job).state == "succeeded"
        with suppress(OSError):
            full.close()


def test_two_workers_on_postgresql_run_each_of_200_jobs_exactly_once(
    postgres: Workspace, nap: Nap, diary: Diary
) -> None:
    command = [sys.executable, str(Path(__file__).with_name("forking_worker.py")), str(postgres.home)]
    workers = [subprocess.Popen(command) for _ in range(2)]
    try:
        jobs = sorted(queue.submit(postgres, "nap", nap(0)).id for _ in range(200))
        wait_until(lambda: not queue.active_jobs(postgres) or any(w.poll() for w in workers))
    finally:
        for worker in workers:
            worker.terminate()
        statuses = [worker.wait(PATIENCE_SECONDS) for worker in workers]
    assert statuses == [0, 0]
    assert {job.state for job in queue.list_jobs(postgres)} == {"succeeded"}
    assert sorted(line[1] for line in diary() if line[0] == "start") == jobs
    assert sorted(line[1] for line in diary() if line[0] == "end") == jobs
