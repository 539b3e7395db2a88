"""The worker: claims jobs, runs each as a process group, beats for them, and takes back what died."""

import secrets
import signal
import socket
import threading
import time
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

from wbc_core.database import waiting_at_most
from wbc_core.jobs import order, queue
from wbc_core.jobs.devices import parse_devices
from wbc_core.jobs.executors import Executor, JobProcess, LocalExecutor
from wbc_core.jobs.tasks import TRAINING_KINDS
from wbc_core.progress import Progress, silent
from wbc_core.quiet import say
from wbc_core.records import TERMINAL_STATES, Job
from wbc_core.tracking.background import mirror_what_was_missed
from wbc_core.workspace import Workspace

POLL_SECONDS = 0.3
BEAT_SECONDS = 1.0
DEAD_AFTER_SECONDS = 15.0
TERM_GRACE_SECONDS = 7.0
CLOSE_SECONDS = 3.0
"""So long does a worker that stops wait for a database that does not answer."""
LOCK_SECONDS = 0.5
"""So long at a time: whoever waits looks after no other job and hears no request to stop."""


@dataclass
class _Child:
    job: Job
    claim: str
    process: JobProcess
    terminated: float | None = None


@dataclass
class DeathWatch:
    """Tells which heartbeats stopped, by this process's monotonic clock: no wall clock can mislead it.

    Of the time between two looks only a little counts: what held this process up, such as a database that
    was away, may have held up the others too, and they must get to beat before they are judged.
    """

    dead_after: float
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    _looked: float = float("inf")

    def stopped(self, beats: dict[str, int], at: float) -> list[str]:
        """Names whose count has not changed for `dead_after` seconds of looking.

        Args:
            beats: Name to count of heartbeats, of everything that should be alive.
            at: Monotonic time, in seconds.

        Example:
            >>> watch = DeathWatch(dead_after=15.0)
            >>> for at in range(15):
            ...     assert watch.stopped({"a": at, "b": 1}, at) == []
            >>> watch.stopped({"a": 15, "b": 1}, 15), watch.stopped({"a": 15, "b": 2}, 100)
            (['b'], [])
        """
        passed = min(max(0.0, at - self._looked), self.dead_after / 3)
        self._looked = at
        last = self._seen
        self._seen = {
            name: (count, last[name][1] + passed) if name in last and last[name][0] == count else (count, 0.0)
            for name, count in beats.items()
        }
        return [name for name, (_, still) in self._seen.items() if still >= self.dead_after]


class Worker:
    """Runs jobs until it is told to stop.

    Args:
        workspace: Whose queue.
        executor: Says what may run at once, and starts it.
        only: Run this job alone.
        dead_after: Take over a job whose heartbeat has stopped for so long, in seconds.
    """

    def __init__(
        self,
        workspace: Workspace,
        executor: Executor,
        only: str | None = None,
        dead_after: float = DEAD_AFTER_SECONDS,
    ) -> None:
        self.id = f"wk-{secrets.token_hex(5)}"
        self._workspace, self._executor, self._only = workspace, executor, only
        self._children: dict[str, _Child] = {}
        self._watch = DeathWatch(dead_after)
        self._last_beat = float("-inf")
        self.stop = threading.Event()

    def run(self) -> None:
        """Work until `stop` is set, then end the running jobs and give them back to the queue."""
        self._workspace.clear_abandoned_scratch()
        try:
            while not self.stop.is_set():
                self.turn_surely()
                self.stop.wait(POLL_SECONDS)
        finally:
            self.stop.set()
            self.close()

    def turn_surely(self) -> None:
        """Turn once, and go on when the database does not answer."""
        try:
            with waiting_at_most(LOCK_SECONDS):
                self.turn()
        except DBAPIError as error:
            # A database that is locked or restarting must not end the worker, nor the trainings it holds.
            say(f"The database did not answer: {error.orig}. Trying again.")

    def turn(self) -> None:
        """Do once what the worker does all the time."""
        for name, child in list(self._children.items()):
            self._look_after(name, child)
        if time.monotonic() - self._last_beat >= BEAT_SECONDS:
            self._beat()
        for name, lane in self._executor.lanes().items():
            if name not in self._children:
                claimed = queue.claim_next(
                    self._workspace, lane.kinds, lane.device, self._only, but=lane.passes_by
                )
                if claimed:
                    self._begin(name, *claimed)

    def _begin(self, lane: str, job: Job, claim: str) -> None:
        try:
            process = self._executor.start(self._workspace, job, claim, lane)
            self._children[lane] = _Child(job, claim, process)
        except OSError as error:  # a full disk or too many processes: the other jobs must go on
            queue.settle(self._workspace, job.id, claim, f"Its process could not be started ({error})")

    def _beat(self) -> None:
        self._last_beat = time.monotonic()
        if self._only is None:
            devices = [
                lane.device for lane in self._executor.lanes().values() if lane.kinds == TRAINING_KINDS
            ]
            queue.announce_worker(self._workspace, self.id, socket.gethostname(), ",".join(devices)[:200])
        for child in self._children.values():
            held = queue.beat(self._workspace, child.job.id, child.claim)
            if child.process.ending() is not None:
                continue
            if not held or queue.get_job(self._workspace, child.job.id).cancel_requested:
                self._terminate(child)
        self._recover()

    def _recover(self) -> None:
        """Settle the jobs of workers that are gone."""
        mine = {child.job.id for child in self._children.values()}
        running = {job: (claim, beats) for job, claim, beats in queue.running_claims(self._workspace)}
        beats = {job: count for job, (_, count) in running.items() if job not in mine}
        for job_id in self._watch.stopped(beats, time.monotonic()):
            queue.settle(self._workspace, job_id, running[job_id][0], "Its worker died")

    def _terminate(self, child: _Child) -> None:
        if child.terminated is None:
            child.terminated = time.monotonic()
            child.process.signal(signal.SIGTERM)
        elif time.monotonic() - child.terminated > TERM_GRACE_SECONDS:
            child.process.signal(signal.SIGKILL)

    def _look_after(self, lane: str, child: _Child) -> None:
        ending = child.process.ending()
        if ending is None:
            if child.terminated is not None:
                self._terminate(child)
            return
        child.process.clear()
        if ending:
            counts = not child.process.is_misplaced()
            if self.stop.is_set():
                ending, counts = "its worker was stopped", False
            queue.settle(self._workspace, child.job.id, child.claim, ending, counts=counts)
        del self._children[lane]

    def close(self) -> None:
        """End the running jobs within seconds, give them back to the queue, and leave the list of workers."""
        with waiting_at_most(LOCK_SECONDS):
            self._end_children()
            try:
                queue.withdraw_worker(self._workspace, self.id)
            except DBAPIError:  # the list shows only those that beat
                return

    def _end_children(self) -> None:
        for child in self._children.values():
            self._terminate(child)
        until = time.monotonic() + TERM_GRACE_SECONDS + CLOSE_SECONDS
        while self._children:
            for lane, child in list(self._children.items()):
                try:
                    self._look_after(lane, child)
                except DBAPIError as error:
                    say(f"What became of {child.job.id} was not written: {error.orig}.")
                    if time.monotonic() > until:  # another worker takes it over, as after a kill
                        del self._children[lane]
            time.sleep(0.05)


def run_worker(workspace: Workspace, executor: Executor) -> None:
    """Work in this process until SIGTERM or SIGINT."""
    worker = Worker(workspace, executor)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop.set())
    mirror_what_was_missed(workspace)
    worker.run()


def worker_is_alive(workspace: Workspace, *, within: float = 3 * BEAT_SECONDS) -> bool:
    """Whether any worker gives a sign of life within some seconds."""
    before = queue.worker_beats(workspace)
    deadline = time.monotonic() + within
    while before and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        if any(count > before.get(worker, 0) for worker, count in queue.worker_beats(workspace).items()):
            return True
    return False


def _own_worker(workspace: Workspace, job_id: str) -> Worker:
    return Worker(workspace, LocalExecutor(parse_devices(None)), only=job_id)


def _standing(workspace: Workspace, job_id: str) -> tuple[Job, str]:
    """A job, and how it stands in words."""
    job = queue.get_job(workspace, job_id)
    held_back = job.state == "queued" and (job.paused or order.queue_is_paused(workspace))
    return job, "Paused: `wbc jobs start` lets it go on" if held_back else job.message


def follow(workspace: Workspace, job_id: str, progress: Progress = silent) -> Job:
    """Wait until a job has ended; where no worker is alive, be its worker.

    Args:
        workspace: Whose queue.
        job_id: The job.
        progress: Told how the job stands whenever that changes.

    Returns:
        The job in its terminal state.
    """
    worker = None if worker_is_alive(workspace) else _own_worker(workspace, job_id)
    told, looked = "", time.monotonic()
    try:
        while True:
            try:
                job, message = _standing(workspace, job_id)
                if message != told:
                    told = message
                    progress(job.progress, told)
                if job.state in TERMINAL_STATES:
                    return job
                if worker is None and time.monotonic() - looked > DEAD_AFTER_SECONDS:
                    if not worker_is_alive(workspace):
                        worker = _own_worker(workspace, job_id)
                    looked = time.monotonic()
            except DBAPIError as error:
                say(f"The database did not answer: {error.orig}. Trying again.")
            if worker is not None:
                worker.turn_surely()
            time.sleep(POLL_SECONDS)
    finally:
        if worker is not None:
            worker.stop.set()
            worker.close()
