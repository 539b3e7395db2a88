"""What runs on a node of a Ray cluster: a look at it before the start, and the holder of a job's process."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from wbc_core.errors import WbcError
from wbc_core.jobs.devices import device_environment
from wbc_core.jobs.executors import LocalProcess
from wbc_core.jobs.queue import worker_beats
from wbc_core.jobs.ray_files import NodeStore
from wbc_core.records import Json
from wbc_core.workspace import Workspace

LEASE_SECONDS = 5.0
"""How long a job goes on when nothing is heard from its worker."""

GRACE_SECONDS = 7.0
"""How long a process that was told to stop may take."""

GONE_AFTER_SECONDS = LEASE_SECONDS + GRACE_SECONDS + 1.0
"""When a job whose node or worker fell silent has ended for certain; sooner than others take it over."""

LOOK_SECONDS = 100.0


def versions() -> dict[str, str]:
    """What a checkpoint that goes on elsewhere depends on, by name."""
    installed = {found.name.lower(): found.version for found in importlib.metadata.distributions()}
    return {name: installed.get(name, "absent") for name in ("wbc-lab", "keras", "numpy")}


def machine() -> str:
    """A name of the running kernel, by which two nodes on one machine are told from two machines."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def look(workspace: Workspace, question: str) -> Json:
    """See whether the workspace and the database are here, as a job's process would.

    Args:
        workspace: The workspace, under the path that it has for the worker.
        question: Name of a folder in its scratch folder, and of a worker in its database.

    Returns:
        `machine`, `versions`, and `folder` and `database`: empty where they are reached, else why not.
    """
    seen: Json = {"machine": machine(), "versions": versions(), "folder": "", "database": ""}
    folder = workspace.scratch_dir / question
    try:
        if folder.is_dir():
            (folder / f"{os.getpid()}").touch()
        else:
            seen["folder"] = "another folder, or none, at this path"
    except OSError as error:
        seen["folder"] = error.strerror
    if seen["folder"] and workspace.database_url.startswith("sqlite"):
        return seen  # its database is in the folder
    try:
        if question not in worker_beats(workspace):
            seen["database"] = "another database"
    except WbcError as error:
        seen["database"] = str(error)
    return seen


def look_in_a_process(home: str, question: str, environment: dict[str, str]) -> Json:
    """Call `look` in a process like those of jobs; where that cannot run, say so in `failed` alone.

    `own_folder` beside what it found says why this machine has no place for a workspace of its own, if so.
    """
    command = [sys.executable, "-m", "wbc_core.jobs.ray_node", home, question]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=LOOK_SECONDS,
    )
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no reason"])[-1]}
    answer: Json = {**json.loads(done.stdout), "own_folder": ""}
    if answer["folder"]:
        try:
            NodeStore.of_node()
        except (OSError, ValueError) as error:
            answer["own_folder"] = str(error)
    return answer


class JobHolder:
    """A Ray actor: holds the process of one job for as long as its worker renews the lease."""

    def __init__(self) -> None:
        self._process: LocalProcess | None = None
        self._renewed = time.monotonic()

    def start(self, home: str, job_id: str, claim: str, environment: dict[str, str], device: str) -> None:
        """Start the process.

        Args:
            home: Folder of the workspace.
            job_id: The job.
            claim: The claim that lets the process write to it.
            environment: The worker's own settings of the lab.
            device: `cpu`, or `gpu` for the one that Ray set aside for this actor.
        """
        if device == "gpu":
            import ray

            device = f"gpu:{ray.get_gpu_ids()[0]}"
        environment = environment | device_environment(device)
        self._process = LocalProcess(Workspace(home), job_id, claim, environment)
        self._renewed = time.monotonic()
        threading.Thread(target=self._end_with_lease, args=(self._process,), daemon=True).start()

    def renew(self, numbers: list[int]) -> str | None:
        """Renew the lease, send signals to the group, and tell how it ended; see `JobProcess.ending`."""
        if self._process is None:
            return None
        self._renewed = time.monotonic()
        ending = self._process.ending()
        if ending is not None:
            self._process.clear()
            return ending
        for number in numbers:
            self._process.signal(number)
        return None

    def _end_with_lease(self, process: LocalProcess) -> None:
        while time.monotonic() - self._renewed < LEASE_SECONDS:
            time.sleep(0.2)
            if process.ending() is not None:
                return
        process.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while process.ending() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        process.clear()


if __name__ == "__main__":
    print(json.dumps(look(Workspace(sys.argv[1]), sys.argv[2])))
