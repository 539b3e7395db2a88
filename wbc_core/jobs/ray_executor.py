"""Jobs on a Ray cluster: the worker keeps the queue, Ray finds the place and runs the process there."""

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from wbc_core.errors import WbcError
from wbc_core.jobs.devices import device_environment
from wbc_core.jobs.executors import JobProcess, Lane, LocalProcess, desk_kinds
from wbc_core.jobs.ray_node import GONE_AFTER_SECONDS
from wbc_core.jobs.tasks import TRAINING_KINDS
from wbc_core.records import Job, Json
from wbc_core.workspace import Workspace

SILENT_AFTER_SECONDS = 20.0
"""How long a head may not answer; Ray would wait for a minute and then end the process."""

HERE_KINDS = ["import", "evaluate", "explain", "latency", "predict", "export", "export_clean"]
"""Kinds that read or write where a person said, perhaps outside of the workspace, or time this machine."""

HERE = "here"

CLOSE_SECONDS = 10.0

FULL_SECONDS = 60.0
"""How long a node that had no room for a job is not asked again."""


class RayJob:
    """The process group of one job on a node; see `JobProcess`."""

    def __init__(self, executor: "RayExecutor", number: int) -> None:
        self._executor, self._number = executor, number

    def ending(self) -> str | None:
        """See `JobProcess`."""
        return self._executor.ending(self._number)

    def is_misplaced(self) -> bool:
        """See `JobProcess`."""
        return self._executor.had_no_room(self._number)

    def signal(self, number: int) -> None:
        """See `JobProcess`."""
        self._executor.order(signal=self._number, number=number)

    def clear(self) -> None:
        """See `JobProcess`; the node did it."""


def _place_name(kind: str, node: Json) -> str:
    return f"{kind}:ray:{node['name'].replace(',', ' ')}"[:40]  # of the jobs' column


class RayExecutor:
    """One training at a time on each GPU of a cluster, or on each node where the cluster has none.

    Another lane a node takes the kinds that do not train, but for a node that does not see the workspace;
    where none does, they run on this machine.

    Args:
        address: The cluster, for messages.
        bridge: A process of `wbc_core.jobs.ray_bridge`.
    """

    def __init__(self, address: str, bridge: "subprocess.Popen[str]") -> None:
        self._address, self._bridge = address, bridge
        self._numbers = itertools.count()
        self._endings: dict[int, str] = {}
        self._started: dict[int, tuple[str, str]] = {}
        self._full: dict[int, float] = {}
        self._nodes: list[Json] = []
        self._refused: str | None = None
        self._heard = time.monotonic()
        self._gone_at: float | None = None
        self._answered = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._bridge.stdout or ():
            reply = json.loads(line)
            if "nodes" in reply:
                self._nodes, self._heard = reply["nodes"], time.monotonic()
                self._answered.set()
            elif "ending" in reply:
                if reply["no_room"]:
                    self._full[reply["ending"]] = time.monotonic()
                self._endings[reply["ending"]] = reply["how"]
            elif "left_out" in reply:
                print(f"A node is not used. {reply['left_out']}", file=sys.stderr, flush=True)
            elif "apart" in reply:
                say = f"The node {reply['apart']} does not see the workspace: what it trains travels."
                print(say, file=sys.stderr, flush=True)
            else:
                self._refused = reply["refused"]
        self._answered.set()

    def wait_for_nodes(self) -> None:
        """Wait until every node was looked at.

        Raises:
            WbcError: The cluster cannot be used, with the reason.
        """
        self._answered.wait()
        if not self._nodes:
            raise WbcError(self._refused or f"The connection to the Ray cluster at {self._address} broke.")
        self._heard = time.monotonic()

    def _is_gone(self) -> bool:
        if self._gone_at is None:
            silent = time.monotonic() - self._heard > SILENT_AFTER_SECONDS
            if silent or self._bridge.poll() is not None:
                self._bridge.kill()
                self._gone_at = time.monotonic()
        return self._gone_at is not None

    def lanes(self) -> Mapping[str, Lane]:
        """See `Executor`.

        Raises:
            WbcError: The cluster does not answer any more.
        """
        if self._is_gone():
            raise WbcError(
                f"The Ray cluster at {self._address} does not answer any more.",
                fix="Its jobs are in the queue again; start it, and then wbc worker --ray.",
            )
        all_apart = bool(self._nodes) and all(node["apart"] for node in self._nodes)
        here = Lane(desk_kinds() if all_apart else HERE_KINDS, "cpu")
        return {name: lane for name, (lane, _) in self._places().items()} | {HERE: here}

    def _places(self) -> dict[str, tuple[Lane, Json]]:
        """Every lane of the cluster by name, and what a job in it demands of which node."""
        places = {}
        with_gpus = any(node["gpus"] for node in self._nodes)
        desk = [kind for kind in desk_kinds() if kind not in HERE_KINDS]
        for node in self._nodes:
            # Where trainings take CPUs they leave one, so that a scan never waits for a training.
            cpus = 1 if with_gpus else max(1, node["cpus"] - 1)
            for number in range(node["gpus"] if with_gpus else 1):
                demand = {"node": node["id"], "cpus": cpus, "gpus": int(with_gpus)}
                device = _place_name("gpu" if with_gpus else "cpu", node)
                lane = Lane(TRAINING_KINDS, device, self._too_large_for(node["id"]))
                places[f"{node['id']} {number}"] = lane, demand
            if node["apart"]:
                continue
            demand = {"node": node["id"], "cpus": min(1, node["cpus"] - 1), "gpus": 0}
            places[f"{node['id']} desk"] = Lane(desk, _place_name("cpu", node)), demand
        return places

    def _too_large_for(self, node: str) -> tuple[str, ...]:
        """Ids of the jobs that a node had no room for a short while ago."""
        lately = time.monotonic() - FULL_SECONDS
        of_node = (self._started[number] for number, at in list(self._full.items()) if at > lately)
        return tuple(job for place, job in of_node if place == node)

    def had_no_room(self, number: int) -> bool:
        """Whether the node of a job had no room for it; see `JobProcess.is_misplaced`."""
        return number in self._full

    def start(self, workspace: Workspace, job: Job, claim: str, lane: str) -> JobProcess:
        """See `Executor`."""
        if lane == HERE:
            return LocalProcess(workspace, job.id, claim, device_environment("cpu"))
        places = self._places()
        if lane not in places:
            raise OSError("its node has just left the cluster")
        number, demand = next(self._numbers), places[lane][1]
        self._started[number] = demand["node"], job.id
        self.order(start=number, job=job.id, claim=claim, **demand)
        return RayJob(self, number)

    def order(self, **what: object) -> None:
        """Tell the bridge something; without effect where the cluster is gone."""
        with suppress(OSError):  # its end is noticed by those who ask for endings
            print(json.dumps(what), file=self._bridge.stdin, flush=True)

    def ending(self, number: int) -> str | None:
        """How a job ended; see `JobProcess.ending`."""
        if number not in self._endings and self._is_gone():
            since = time.monotonic() - (self._gone_at or 0.0)
            # Its lease is over only then; sooner it could still run beside its successor.
            return "Its cluster was lost" if since > GONE_AFTER_SECONDS else None
        return self._endings.get(number)

    def close(self) -> None:
        """Leave the cluster."""
        with suppress(OSError):
            if self._bridge.stdin:
                self._bridge.stdin.close()
        try:
            self._bridge.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._bridge.kill()
        self._reader.join()


@contextmanager
def on_ray(workspace: Workspace, address: str) -> Iterator[RayExecutor]:
    """Connect to a Ray cluster for the length of a block.

    Args:
        workspace: Whose jobs are to run there.
        address: As for `wbc_core.curation.ray_cluster.connected`.

    Raises:
        WbcError: The cluster cannot be used, or a node does not see the workspace or reach its database.
    """
    command = [sys.executable, "-m", "wbc_core.jobs.ray_bridge", str(workspace.home), address]
    # In a session of its own, so that Ctrl-C reaches only the worker, which then ends the jobs in order.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as bridge:
        executor = RayExecutor(address, bridge)
        try:
            executor.wait_for_nodes()
            yield executor
        finally:
            executor.close()
