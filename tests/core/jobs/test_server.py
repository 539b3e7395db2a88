"""`wbc lab` for real: a server that answers, both replaced when they die, a clean end of both."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.core.jobs.conftest import is_running
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS, answers, wait_until
from wbc_core.errors import WbcError
from wbc_core.jobs import queue, server
from wbc_core.jobs.server import run_lab, submit_demo_if_empty
from wbc_core.workspace import Workspace

Nap = Callable[..., dict[str, object]]
Diary = Callable[[], list[list[str]]]


def start_lab(workspace: Workspace, port: int, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """`wbc lab` as a process in a folder, which gets what it prints as `output`."""
    lab = [sys.executable, "-m", "wbc_core.cli", "lab"]
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            [*lab, "--port", str(port), "--home", str(workspace.home), *options],
            stdout=output,
            stderr=output,
            cwd=folder,
        )


def child(lab: subprocess.Popen[bytes], word: str) -> psutil.Process:
    """The child of the lab that has a word on its command line."""
    return next(found for found in psutil.Process(lab.pid).children() if word in found.cmdline())


def is_open(port: int) -> bool:
    return answers(f"http://127.0.0.1:{port}/_stcore/health")


def test_the_lab_serves_works_and_ends_with_ctrl_c(
    workspace: Workspace, nap: Nap, diary: Diary, tmp_path: Path
) -> None:
    job = queue.submit(workspace, "nap", nap(0.2)).id
    port = free_port()
    lab = start_lab(workspace, port, tmp_path, "--devices", "cpu,cpu")
    try:
        wait_until(lambda: is_open(port) and queue.get_job(workspace, job).state == "succeeded")
        assert queue.live_workers(workspace) == ["cpu,cpu"]
        child(lab, "worker").kill()
        again = queue.submit(workspace, "nap", nap(600)).id
        wait_until(lambda: queue.get_job(workspace, again).state == "running" and len(diary()) == 3)
        child(lab, "streamlit").kill()
        wait_until(lambda: not is_open(port))
        wait_until(lambda: is_open(port))
        assert is_running(int(diary()[-1][2]))  # what ran goes on while the server is away
        assert queue.get_job(workspace, again).state == "running"
        everyone = psutil.Process(lab.pid).children(recursive=True)
        lab.send_signal(signal.SIGINT)
        assert lab.wait(PATIENCE_SECONDS) == 0
    finally:
        lab.kill()
    assert psutil.wait_procs(everyone, timeout=PATIENCE_SECONDS)[1] == []
    assert not is_open(port)
    waiting = queue.get_job(workspace, again)
    assert (waiting.state, waiting.attempts) == ("queued", 0)
    assert "Traceback" not in (tmp_path / "output").read_text()


@pytest.mark.parametrize("end", [signal.SIGHUP, signal.SIGKILL])
def test_nothing_outlives_a_closed_terminal_or_a_killed_lab(
    workspace: Workspace, nap: Nap, tmp_path: Path, end: signal.Signals
) -> None:
    job = queue.submit(workspace, "nap", nap(600)).id
    port = free_port()
    lab = start_lab(workspace, port, tmp_path)
    wait_until(lambda: is_open(port) and queue.get_job(workspace, job).state == "running")
    everyone = psutil.Process(lab.pid).children(recursive=True)
    lab.send_signal(end)
    lab.wait(PATIENCE_SECONDS)
    assert psutil.wait_procs(everyone, timeout=PATIENCE_SECONDS)[1] == []
    waiting = queue.get_job(workspace, job)
    assert (waiting.state, waiting.attempts) == ("queued", 0)


@pytest.mark.parametrize(
    ("dying", "died", "status", "started"),
    [
        ("streamlit", 3, 3, "SWSSS"),
        ("streamlit", 0, 1, "SWSSS"),
        ("worker", -9, 1, "SWWWW"),
        ("-m", 3, 3, "SWSWS"),
    ],
)
def test_both_share_a_database_named_relatively_and_what_cannot_live_ends_the_lab(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    dying: str,
    died: int,
    status: int,
    started: str,
) -> None:
    seen: list[tuple[str, Path | None]] = []

    class Started:
        def __init__(self, command: list[str], env: dict[str, str], cwd: Path | None, **more: object) -> None:
            seen.append((env["WBC_DATABASE_URL"], cwd))
            self.status = died if dying in command else None

        poll = wait = lambda self, *_: self.status
        terminate = lambda self: None  # noqa: E731

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WBC_DATABASE_URL", "sqlite:///shared.sqlite")
    monkeypatch.setattr(subprocess, "Popen", Started)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(server, "CHECK_EVERY_SECONDS", 0.01)
    assert run_lab(workspace, port=free_port(), with_worker=True) == status
    assert {url for url, _ in seen} == {f"sqlite:///{tmp_path}/shared.sqlite"}
    assert "".join("W" if cwd is None else "S" for _, cwd in seen) == started
    assert f"died with status {died}, the 4th death within 60 s: the lab ends." in capsys.readouterr().err


def test_a_taken_port_is_said_before_anything_starts(workspace: Workspace) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(WbcError, match="--port"):
            run_lab(workspace, port=taken.getsockname()[1], with_worker=False)
    assert queue.list_jobs(workspace) == []


def test_only_an_empty_workspace_gets_the_demo(workspace: Workspace) -> None:
    submit_demo_if_empty(workspace)
    submit_demo_if_empty(workspace)
    assert [job.kind for job in queue.list_jobs(workspace)] == ["demo"]
