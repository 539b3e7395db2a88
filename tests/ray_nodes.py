"""Real Ray nodes, several on one machine, that tests start and kill."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).parents[1]


@dataclass
class RayNode:
    """One node: `ray start --block`, leader of a session that all of the node is in."""

    start: Callable[[], subprocess.Popen[bytes]]
    log: Path

    def __post_init__(self) -> None:
        self.process = self.start()

    def wait(self) -> None:
        """Wait until it has joined its cluster."""
        attempts = 1
        for _ in range(int(PATIENCE_SECONDS / 0.2)):
            said = self.log.read_text()
            if "Ray runtime started" in said:
                return
            if self.process.poll() is not None:
                # Ray 2.60 gives a raylet 30 seconds, which a busy machine now and then exceeds.
                assert "timed out during startup" in said, said
                assert attempts < 3, said
                attempts += 1
                self.process = self.start()
            time.sleep(0.2)
        pytest.fail(self.log.read_text())

    def kill(self) -> None:
        """End the node with all its processes at once, as a power cut does; what they started lives on."""
        for process_id in self.processes():
            os.kill(process_id, signal.SIGKILL)
        self.process.wait()

    def processes(self) -> list[int]:
        """Ids of the node's processes."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                session = int(status.read_text().rpartition(")")[2].split()[3])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if session == self.process.pid:
                found.append(int(status.parent.name))
        return found

    def end(self) -> None:
        """End the node in order where it still runs, else what is left of it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


def start_node(
    folder: Path, name: str, *options: str, before: tuple[str, ...] = (), path: str = "", **variables: str
) -> RayNode:
    """Begin to start a node.

    Args:
        folder: Where its log goes.
        name: Name of the log.
        options: Of `ray start`.
        before: A command to start it under.
        path: A folder to find modules in, before the lab's own.
        variables: Of its environment.
    """
    command = [*before, sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options]
    command += ["--dashboard-agent-listen-port=0", "--object-store-memory=100000000"]
    command += ["--min-worker-port=0", "--max-worker-port=0"]
    # Forking beside gRPC's threads, Ray 2.60 now and then loses the process for a client.
    environment = {**os.environ, **variables, "RAY_USAGE_STATS_ENABLED": "0", "GRPC_ENABLE_FORK_SUPPORT": "0"}
    environment["RAY_prestart_worker_first_driver"] = "0"  # processes that these tests do not need
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [path, str(ROOT)]))
    log = folder / f"{name}.log"

    def start() -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                command, stdout=output, stderr=output, env=environment, cwd=ROOT, start_new_session=True
            )

    return RayNode(start, log)


@dataclass
class RayHead:
    """The head of a cluster."""

    folder: Path
    node: RayNode
    address: str
    client: str


@contextmanager
def ray_head(cpus: int) -> Iterator[RayHead]:
    """A Ray cluster of one node, with ports and a folder of its own."""
    # Not under pytest's folder: the name of a Unix socket may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="wbc-ray-"))
    port, client_port = free_port(), free_port()
    options = ["--head", f"--port={port}", f"--ray-client-server-port={client_port}", f"--num-cpus={cpus}"]
    node = start_node(folder, "head", *options, "--include-dashboard=false", f"--temp-dir={folder}")
    try:
        node.wait()
        yield RayHead(folder, node, f"127.0.0.1:{port}", f"ray://127.0.0.1:{client_port}")
    finally:
        node.end()
        shutil.rmtree(folder, ignore_errors=True)
