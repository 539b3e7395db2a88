"""A job's own process: `python -m wbc_core.jobs.process HOME JOB`, with the claim in `WBC_CLAIM`.

It ends with 0 when it has written how the job ended, and with 75 when it was told to stop or could not write
it; its worker then decides what becomes of the job.
"""

import errno
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from types import FrameType

from sqlalchemy.exc import DBAPIError

from wbc_core.errors import Cancelled, WbcError
from wbc_core.jobs.delivery import is_apart, write_outcome
from wbc_core.jobs.meters import keep_measuring
from wbc_core.jobs.queue import finish, get_job, write_held
from wbc_core.jobs.tasks import TASKS
from wbc_core.workspace import Workspace, now

STOPPED = 75
GRACE_SECONDS = 6.0
WRITE_EVERY_SECONDS = 0.5

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _say(text: str) -> None:
    """Write a line to the log; a disk too full for it must not decide what becomes of the job."""
    with suppress(OSError):
        print(f"{now()} {text}", flush=True)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Cancelled


def _end_with_parent() -> None:
    """Stop when the worker is gone, so that another worker can run the job without a second copy running."""
    worker = int(os.environ["WBC_WORKER_PROCESS"])
    while os.getppid() == worker:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(STOPPED)


class QueueProgress:
    """Write progress to the job's row, at most twice a second, and stop when the claim was lost."""

    def __init__(self, workspace: Workspace, job_id: str, claim: str) -> None:
        self._workspace, self._job, self._claim = workspace, job_id, claim
        self._written = 0.0
        self._message = ""

    def __call__(self, fraction: float, message: str) -> None:
        """Report; see `wbc_core.progress.Progress`."""
        if time.monotonic() - self._written < WRITE_EVERY_SECONDS:
            return
        if message != self._message:
            _say(f"{fraction:6.1%} {message}")
        self._written, self._message = time.monotonic(), message
        values = {"progress": min(1.0, max(0.0, fraction)), "message": message}
        epoch = message.removeprefix("epoch ").partition("/")[0]
        if message.startswith("epoch ") and epoch.isdigit():
            values["epoch"] = int(epoch)
        try:
            held = write_held(self._workspace, self._job, self._claim, **values)
        except DBAPIError as error:
            _say(f"progress was not written: {error.orig}")
            return
        if not held:
            raise Cancelled


def finish_surely(workspace: Workspace, job_id: str, claim: str, **outcome: object) -> int:
    """Write the outcome even when the database is away for a few minutes; returns the exit status."""
    if is_apart():  # its files come first
        write_outcome(workspace, outcome)
        return 0
    for attempt in range(20):
        try:
            finish(workspace, job_id, claim, **outcome)  # type: ignore[arg-type]
            return 0
        except DBAPIError as error:
            _say(f"the outcome was not written yet: {error.orig}")
            time.sleep(min(15.0, 0.5 * 2**attempt))
    return STOPPED


def _in_words(error: Exception) -> str:
    if isinstance(error, WbcError):
        return str(error)
    if getattr(error, "errno", None) in _FULL or "No space left on device" in str(error):
        full = WbcError(
            "The disk is full.", got=error, fix="Free some space, then resume: finished epochs are kept."
        )
        return str(full)
    return f"{type(error).__name__}: {error}. This is a fault of the lab; its log has the details."


def run(workspace: Workspace, job_id: str, claim: str) -> int:
    """Run one claimed job to its end and return the exit status for its worker."""
    ended = threading.Event()
    threading.Thread(target=keep_measuring, args=(workspace, job_id, claim, ended), daemon=True).start()
    try:
        job = get_job(workspace, job_id)
        result = TASKS.get(job.kind)(workspace, job_id, job.spec, QueueProgress(workspace, job_id, claim))
        return finish_surely(workspace, job_id, claim, state="succeeded", result=result)
    except Cancelled:
        _say("stopped")
        return STOPPED
    except Exception as error:
        if isinstance(error, WbcError):
            _say(str(error))
        else:
            with suppress(OSError):
                traceback.print_exc()
        return finish_surely(workspace, job_id, claim, state="failed", error=_in_words(error))
    finally:
        ended.set()


def main() -> int:
    """Run the job that the command line names."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    home, job_id = sys.argv[1:]
    return run(Workspace(home), job_id, os.environ["WBC_CLAIM"])


if __name__ == "__main__":
    sys.exit(main())
