"""`wbc lab`: the Streamlit server and one local worker beside it, started and ended together."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from wbc_core.datasets.store import list_datasets
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.jobs.devices import parse_devices
from wbc_core.quiet import say
from wbc_core.workspace import Workspace

CHECK_EVERY_SECONDS = 0.5
END_WITHIN_SECONDS = 12.0
MAXIMUM_DEATHS = 3
"""So often may server and worker die within `DEATHS_WITHIN_SECONDS`; once more, and the lab ends."""
DEATHS_WITHIN_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def submit_demo_if_empty(workspace: Workspace) -> None:
    """Queue the demo on a workspace that holds neither data sets nor jobs."""
    if not list_datasets(workspace) and not queue.list_jobs(workspace, limit=1):
        queue.submit(workspace, "demo", {})


def run_lab(workspace: Workspace, *, port: int, with_worker: bool, devices: str | None = None) -> int:
    """Serve the lab on 127.0.0.1 until Ctrl-C, and start server or worker again when one dies.

    The trainings of the worker go on while the server is away.

    Args:
        workspace: The workspace to open.
        port: TCP port of the server.
        with_worker: Whether to start a worker too.
        devices: As `wbc worker --devices`.

    Returns:
        The exit status: 0 after Ctrl-C, else above 0: server and worker died again and again.

    Raises:
        WbcError: The port is taken, or a device is not here.
    """
    _refuse_taken_port(port)
    parse_devices(devices)
    submit_demo_if_empty(workspace)
    stop = _stop_when_told()
    environment = _environment(workspace)
    main_page = Path(__file__).parents[2] / "app" / "main.py"
    options = ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"]
    options += ["--server.fileWatcherType", "none"]
    serve = [sys.executable, "-m", "streamlit", "run", str(main_page), *options]
    work = [sys.executable, "-m", "wbc_core.cli", "worker", "--home", str(workspace.home)]
    work += ["--devices", devices] if devices else []
    starts = {"server": partial(_child, serve, environment, main_page.parents[1])}
    if with_worker:
        starts["worker"] = partial(_child, work, environment)
    return _keep_alive(starts, stop)


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise WbcError(
                f"Port {port} cannot be used.", got=error.strerror, fix="Choose another with --port."
            ) from None


def _stop_when_told() -> threading.Event:
    stop = threading.Event()
    # A hang-up too: in sessions of their own, server and worker would outlive a closed terminal.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays in force
            signal.signal(number, lambda *_: stop.set())
    return stop


def _environment(workspace: Workspace) -> dict[str, str]:
    environment = {**os.environ, "WBC_HOME": str(workspace.home)}
    url, relative = workspace.database_url, workspace.database_url.removeprefix("sqlite:///")
    if relative != url and not relative.startswith("/"):
        # The server runs in another folder, where a relative path would name another database.
        environment["WBC_DATABASE_URL"] = f"sqlite:///{Path(relative).absolute()}"
    return environment


def _keep_alive(starts: Mapping[str, Callable[[], "subprocess.Popen[bytes]"]], stop: threading.Event) -> int:
    """Start processes, and each again when it dies, until told to stop or that helps no more."""
    # In sessions of their own, so that Ctrl-C reaches only this process, which then ends them in order.
    running: dict[str, subprocess.Popen[bytes]] = {}
    deaths: list[float] = []
    try:
        running.update((name, start()) for name, start in starts.items())
        while not stop.wait(CHECK_EVERY_SECONDS):
            for name, start in starts.items():
                status = running[name].poll()
                if status is None:
                    continue
                deaths = [at for at in deaths if time.monotonic() - at < DEATHS_WITHIN_SECONDS]
                deaths.append(time.monotonic())
                if len(deaths) > MAXIMUM_DEATHS:
                    say(
                        f"The {name} died with status {status}, the {len(deaths)}th death within "
                        f"{DEATHS_WITHIN_SECONDS:.0f} s: the lab ends. What was printed before says why."
                    )
                    return max(1, status)
                say(f"The {name} died; starting it again.")
                running[name] = start()
        return 0
    finally:
        _end([process for _, process in sorted(running.items(), reverse=True)])  # the worker first


def _child(
    command: list[str], environment: dict[str, str], cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that is told to end when this one is killed."""
    library = ctypes.CDLL(None)

    def end_with_parent() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(
        command,
        env=environment,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=end_with_parent,
    )


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(END_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
