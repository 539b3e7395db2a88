"""Where the jobs of a worker run: as processes of this machine, or wherever else an executor puts them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from wbc_core.jobs.devices import device_environment
from wbc_core.jobs.tasks import TASKS, TRAINING_KINDS
from wbc_core.records import Job
from wbc_core.workspace import Workspace


def desk_kinds() -> list[str]:
    """The kinds of job that do not train."""
    return [kind for kind in TASKS if kind not in TRAINING_KINDS]


@dataclass(frozen=True)
class Lane:
    """Runs one job at a time.

    Args:
        kinds: The kinds of job that it takes.
        device: What the jobs' records call the place: its kind (see `device_kind`), then which it is.
        passes_by: Ids of jobs that it has no room for at present.
    """

    kinds: list[str]
    device: str
    passes_by: tuple[str, ...] = ()


class JobProcess(Protocol):
    """The process group of one job."""

    def ending(self) -> str | None:
        """None while it runs, empty once it has written its outcome, else how it ended, as a clause."""

    def is_misplaced(self) -> bool:
        """Whether it ended because its place has no room for it; another may have."""

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; without effect where it has ended."""

    def clear(self) -> None:
        """End what is left of the group and remove what it left half-written."""


class Executor(Protocol):
    """Starts jobs somewhere."""

    def lanes(self) -> Mapping[str, Lane]:
        """The lanes that there are at present, by name."""

    def start(self, workspace: Workspace, job: Job, claim: str, lane: str) -> JobProcess:
        """Start a claimed job.

        Raises:
            OSError: Its process could not be started.
        """


class LocalProcess:
    """A job's process group on this machine, a child of this process.

    Args:
        workspace: Whose job.
        job_id: The job.
        claim: The claim that lets the process write to the job.
        environment: Variables of the process, beside those of this one.
    """

    def __init__(self, workspace: Workspace, job_id: str, claim: str, environment: dict[str, str]) -> None:
        self._workspace = workspace
        log = workspace.job_log(job_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **os.environ,
            **environment,
            "WBC_CLAIM": claim,
            "WBC_WORKER_PROCESS": str(os.getpid()),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "wbc_core.jobs.process", str(workspace.home), job_id]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def ending(self) -> str | None:
        """See `JobProcess`."""
        status = self._process.poll()
        if not status:
            return None if status is None else ""
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"Its process {how}"

    def is_misplaced(self) -> bool:
        """See `JobProcess`."""
        return False

    def signal(self, number: int) -> None:
        """See `JobProcess`."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def clear(self) -> None:
        """See `JobProcess`."""
        # What the job's process started (data workers) must not outlive it.
        self.signal(signal.SIGKILL)
        self._workspace.clear_scratch_of(self._process.pid)


class LocalExecutor:
    """One training at a time on each device of this machine, and a lane of its own for all other kinds.

    So a scan never waits for a training.

    Args:
        devices: Names of the devices to train on; see `parse_devices`.
    """

    def __init__(self, devices: list[str]) -> None:
        self._devices = devices

    def lanes(self) -> Mapping[str, Lane]:
        """See `Executor`."""
        # A device that is named twice is two lanes: its trainings share it.
        lanes = {
            f"{place} {device}": Lane(TRAINING_KINDS, device) for place, device in enumerate(self._devices)
        }
        return lanes | {"desk": Lane(desk_kinds(), "cpu")}

    def start(self, workspace: Workspace, job: Job, claim: str, lane: str) -> JobProcess:
        """See `Executor`."""
        return LocalProcess(workspace, job.id, claim, device_environment(self.lanes()[lane].device))
