"""A worker whose jobs are forked rather than started: `python forking_worker.py HOME`, ended by SIGTERM.

So that 200 jobs are 200 processes with all that they write, without 200 times the start of an interpreter.
"""

import os
import signal
import sys
from collections.abc import Mapping

from wbc_core.jobs import process
from wbc_core.jobs.executors import JobProcess, Lane
from wbc_core.jobs.worker import run_worker
from wbc_core.records import Job
from wbc_core.workspace import Workspace


class ForkedProcess:
    """See `JobProcess`."""

    def __init__(self, workspace: Workspace, job: Job, claim: str) -> None:
        self._ending: str | None = None
        self._id = os.fork()
        if self._id == 0:
            os.setsid()
            os._exit(process.run(workspace, job.id, claim))

    def ending(self) -> str | None:
        if self._ending is None:
            ended, status = os.waitpid(self._id, os.WNOHANG)
            self._ending = (f"ended with status {status}" if status else "") if ended else None
        return self._ending

    def is_misplaced(self) -> bool:
        return False

    def signal(self, number: int) -> None:
        os.killpg(self._id, number)

    def clear(self) -> None:
        pass


class ForkingExecutor:
    """Eight naps at a time; see `Executor`."""

    def lanes(self) -> Mapping[str, Lane]:
        return {f"lane {number}": Lane(["nap"], "cpu") for number in range(8)}

    def start(self, workspace: Workspace, job: Job, claim: str, lane: str) -> JobProcess:
        return ForkedProcess(workspace, job, claim)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run_worker(Workspace(sys.argv[1]), ForkingExecutor())
