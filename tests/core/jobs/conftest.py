"""A kind of job that takes a nap, known to this process and to every job process that a worker starts."""

import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wbc_core.jobs import tasks

ROOT = Path(__file__).parents[3]

NAP = textwrap.dedent(
    '''
    import os, signal, subprocess, time
    from pathlib import Path

    def nap(workspace, job_id, spec, progress):
        """Report every tenth of a second; leave a line at the start and one at the end."""
        diary = Path(spec["diary"])
        with diary.open("a") as file:
            file.write(f"start {job_id} {os.getpid()}\\n")
        if spec.get("children"):  # a child and its child, that take no hint
            subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 3000 & wait"])
        if spec.get("stubborn"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if spec.get("fill"):
            with Path(spec["fill"]).open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        until = time.monotonic() + spec["seconds"]
        while time.monotonic() < until:
            progress(0.5, "epoch 1/2 - napping")
            time.sleep(0.05)
        if spec.get("crash"):
            os.kill(os.getpid(), 9)
        if spec.get("fault"):
            raise ZeroDivisionError("a fault")
        with diary.open("a") as file:
            file.write(f"end {job_id} {os.getpid()}\\n")
        return {"slept": spec["seconds"]}

    from wbc_core.jobs.tasks import TASKS
    if "nap" not in TASKS:
        TASKS.add("nap", nap)

    if os.environ.get("WBC_BUSY_SECONDS"):
        from wbc_core import database
        database.BUSY_SECONDS = float(os.environ["WBC_BUSY_SECONDS"])
    if os.environ.get("WBC_CLOCK_JUMPS"):
        import itertools
        from wbc_core.jobs import queue
        years = itertools.cycle((2000, 2050))
        queue.now = lambda: f"{next(years)}-01-01T00:00:00+00:00"
        time.time = lambda: (next(years) - 1970) * 31_557_600.0
    '''
)


@pytest.fixture
def nap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, object]]]:
    """Specs for jobs of kind `nap`; `diary` names the file that they write to."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NAP)
    # It runs before the current folder is searched, and would import the lab that is installed.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    exec(compile(NAP, "nap", "exec"), {})  # noqa: S102
    diary = tmp_path / "diary"
    diary.touch()
    yield lambda seconds=0.2, **more: {"seconds": seconds, "diary": str(diary), **more}
    del tasks.TASKS._entries["nap"]


@pytest.fixture
def diary(tmp_path: Path) -> Callable[[], list[list[str]]]:
    """The lines that naps have written so far, as words."""
    return lambda: [line.split() for line in (tmp_path / "diary").read_text().splitlines()]


def is_running(process_id: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # it may end between opening and reading
        return False
    return state != "Z"
