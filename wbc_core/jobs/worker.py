"""The worker: claims jobs, runs each as a process group, beats for them, and takes back what died."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

from wbc_core.jobs import queue
from wbc_core.jobs.devices import device_environment, parse_devices
from wbc_core.jobs.tasks import TASKS, TRAINING_KINDS
from wbc_core.progress import Progress, silent
from wbc_core.records import TERMINAL_STATES, Job
from wbc_core.tracking.background import mirror_what_was_missed
from wbc_core.workspace import Workspace

POLL_SECONDS = 0.3
BEAT_SECONDS = 1.0
DEAD_AFTER_SECONDS = 15.0
TERM_GRACE_SECONDS = 7.0
DESK = "desk"


@dataclass
class _Child:
    job: Job
    claim: str
    process: subprocess.Popen[bytes]
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

    One training at a time runs on each device; every other kind of job runs, one at a time, in a lane of its
    own, so that a scan never waits for a training.

    Args:
        workspace: Whose queue.
        devices: Names of the devices to train on.
        only: Run this job alone.
        dead_after: Take over a job whose heartbeat has stopped for so long, in seconds.
    """

    def __init__(
        self,
        workspace: Workspace,
        devices: list[str],
        only: str | None = None,
        dead_after: float = DEAD_AFTER_SECONDS,
    ) -> None:
        self.id = f"wk-{secrets.token_hex(5)}"
        self._workspace, self._devices, self._only = workspace, devices, only
        self._children: dict[str, _Child] = {}
        self._watch = DeathWatch(dead_after)
        self._last_beat = float("-inf")
        self.stop = threading.Event()

    def run(self) -> None:
        """Work until `stop` is set, then end the running jobs and give them back to the queue."""
        self._workspace.clear_abandoned_scratch()
        while not self.stop.is_set():
            self.turn_surely()
            self.stop.wait(POLL_SECONDS)
        self.close()

    def turn_surely(self) -> None:
        """Turn once, and go on when the database does not answer."""
        try:
            self.turn()
        except DBAPIError as error:
            # A database that is locked or restarting must not end the worker, nor the trainings it holds.
            print(f"The database did not answer: {error.orig}. Trying again.", file=sys.stderr, flush=True)

    def turn(self) -> None:
        """Do once what the worker does all the time."""
        for lane, child in list(self._children.items()):
            self._look_after(lane, child)
        if time.monotonic() - self._last_beat >= BEAT_SECONDS:
            self._beat()
        lanes = dict.fromkeys(self._devices, TRAINING_KINDS)
        lanes[DESK] = [kind for kind in TASKS if kind not in TRAINING_KINDS]
        for lane, kinds in lanes.items():
            if lane not in self._children:
                device = "cpu" if lane == DESK else lane
                claimed = queue.claim_next(self._workspace, kinds, device, self._only)
                if claimed:
                    self._begin(lane, *claimed)

    def _begin(self, lane: str, job: Job, claim: str) -> None:
        try:
            self._children[lane] = self._start(job, claim)
        except OSError as error:  # a full disk or too many processes: the other jobs must go on
            queue.settle(self._workspace, job.id, claim, f"Its process could not be started ({error})")

    def _start(self, job: Job, claim: str) -> _Child:
        log = self._workspace.job_log(job.id)
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **os.environ,
            **device_environment(job.device or "cpu"),
            "WBC_CLAIM": claim,
            "WBC_WORKER_PROCESS": str(os.getpid()),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "wbc_core.jobs.process", str(self._workspace.home), job.id]
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        return _Child(job, claim, process)

    def _beat(self) -> None:
        self._last_beat = time.monotonic()
        if self._only is None:
            queue.announce_worker(self._workspace, self.id, socket.gethostname(), ",".join(self._devices))
        for child in self._children.values():
            held = queue.beat(self._workspace, child.job.id, child.claim)
            if child.process.poll() is not None:
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
            _signal_group(child.process, signal.SIGTERM)
        elif time.monotonic() - child.terminated > TERM_GRACE_SECONDS:
            _signal_group(child.process, signal.SIGKILL)

    def _look_after(self, lane: str, child: _Child) -> None:
        status = child.process.poll()
        if status is None:
            if child.terminated is not None:
                self._terminate(child)
            return
        self._settle(child, status)
        del self._children[lane]

    def _settle(self, child: _Child, status: int) -> None:
        # What the job's process started (data workers) must not outlive it.
        _signal_group(child.process, signal.SIGKILL)
        self._workspace.clear_scratch_of(child.process.pid)
        if status == 0:
            return
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        stopping = self.stop.is_set()
        queue.settle(self._workspace, child.job.id, child.claim, f"Its process {how}", stopping=stopping)

    def close(self) -> None:
        """End the running jobs within seconds, give them back to the queue, and leave the list of workers."""
        for child in self._children.values():
            self._terminate(child)
        while self._children:
            for lane, child in list(self._children.items()):
                self._look_after(lane, child)
            time.sleep(0.05)
        queue.withdraw_worker(self._workspace, self.id)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def run_worker(workspace: Workspace, devices: list[str]) -> None:
    """Work in this process until SIGTERM or SIGINT."""
    worker = Worker(workspace, devices)
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


def follow(workspace: Workspace, job_id: str, progress: Progress = silent) -> Job:
    """Wait until a job has ended; where no worker is alive, be its worker.

    Args:
        workspace: Whose queue.
        job_id: The job.
        progress: Told how the job stands whenever that changes.

    Returns:
        The job in its terminal state.
    """
    worker = None if worker_is_alive(workspace) else Worker(workspace, parse_devices(None), only=job_id)
    told, looked = "", time.monotonic()
    try:
        while True:
            job = queue.get_job(workspace, job_id)
            if job.message != told:
                told = job.message
                progress(job.progress, told)
            if job.state in TERMINAL_STATES:
                return job
            if worker is not None:
                worker.turn_surely()
            elif time.monotonic() - looked > DEAD_AFTER_SECONDS:
                if not worker_is_alive(workspace):
                    worker = Worker(workspace, parse_devices(None), only=job_id)
                looked = time.monotonic()
            time.sleep(POLL_SECONDS)
    finally:
        if worker is not None:
            worker.stop.set()
            worker.close()
