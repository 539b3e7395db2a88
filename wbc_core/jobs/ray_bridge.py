"""The one process that speaks with Ray: `python -m wbc_core.jobs.ray_bridge HOME ADDRESS`.

Ray ends its driver once it has lost the head for a minute; a worker must outlive that to give its jobs back.
So it starts this process, writes orders to it and reads how they go, one JSON object a line:

- in: `start` (a number, with `node`, `cpus`, `gpus`, `job`, `claim`), `signal` (that number, with `number`)
- out: `nodes` every second, `left_out` (why a node is not used), `apart` (a node that does not see the
  workspace), `ending` (a number, with `how`, and whether its node had `no_room`), `refused`
"""

import json
import os
import queue
import socket
import sys
import threading
import time
from collections import defaultdict
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from wbc_core.curation.ray_cluster import ask_nodes, connected, nodes_with_cpu
from wbc_core.errors import WbcError
from wbc_core.jobs.delivery import APART
from wbc_core.jobs.queue import announce_worker, get_job, withdraw_worker
from wbc_core.jobs.ray_files import (
    NODE_FOLDER,
    Checksums,
    HolderFailed,
    NodeFull,
    NodeLost,
    NotSent,
    RecordMissing,
    is_no_room,
)
from wbc_core.jobs.ray_node import GONE_AFTER_SECONDS, JobHolder, look_in_a_process, machine, versions
from wbc_core.quiet import quiet_standard_error
from wbc_core.records import Json
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    from wbc_core.jobs.ray_delivery import Delivery

RENEW_SECONDS = 0.5
NODES_SECONDS = 1.0
_CALL_SECONDS = 120.0


def settings() -> dict[str, str]:
    """The variables of this process that a job's process on another machine needs too."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("WBC_", "MLFLOW_TRACKING_", "KERAS_BACKEND"))
    }


def refuse_unfit_nodes(ray: Any, workspace: Workspace, nodes: list[Json]) -> set[str]:
    """Refuse nodes that do not reach the workspace's database, or have another lab.

    Returns:
        The ids of those that do not see the workspace's folder, and are fit to train without.

    Raises:
        WbcError: Of the first such node, with what to do about it.
    """
    folder = workspace.scratch_name()
    folder.mkdir(parents=True)
    question = folder.name
    announce_worker(workspace, question, socket.gethostname(), "a look at a Ray cluster")
    try:
        asked = (str(workspace.home), question, settings())
        looked = ask_nodes(ray, nodes, look_in_a_process, *asked)
        sees = [sees_workspace(workspace, name, seen) for name, seen in looked]
        return {node["NodeID"] for node, shared in zip(nodes, sees, strict=True) if not shared}
    finally:
        withdraw_worker(workspace, question)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def sees_workspace(workspace: Workspace, name: str, seen: Json) -> bool:
    """Refuse one node, or tell whether it sees the workspace, by what `look_in_a_process` saw there.

    Returns:
        False where its trainings need a workspace of their own.

    Raises:
        WbcError: It cannot run jobs of this workspace.
    """
    if "failed" in seen:
        raise WbcError(
            f"The node {name} of the Ray cluster cannot run the lab's jobs.",
            got=f"{seen['failed']:.200}",
            fix="Install the lab there, for the Python that Ray runs on.",
        )
    sqlite = workspace.database_url.startswith("sqlite")
    if seen["folder"] and sqlite:
        raise WbcError(
            f"The node {name} of the Ray cluster does not see the workspace.",
            expected=f"the folder {workspace.home} of this machine, to read and to write",
            got=seen["folder"],
            fix="Mount it there (NFS, for example) at the same path; or set WBC_DATABASE_URL to a PostgreSQL "
            "server that it reaches, and what it trains is brought there and back.",
        )
    if sqlite and seen["machine"] != machine():
        raise WbcError(
            f"The node {name} of the Ray cluster is another machine, and machines cannot share SQLite.",
            expected="a PostgreSQL server that every node reaches",
            fix="Set WBC_DATABASE_URL to one, such as postgresql+psycopg://user@host/name.",
        )
    if seen["database"]:
        raise WbcError(
            f"The node {name} of the Ray cluster does not reach the lab's database.",
            got=seen["database"],
            fix="Let WBC_DATABASE_URL name a host, not localhost, that every node reaches.",
        )
    if seen["versions"] != versions():
        raise WbcError(
            f"The node {name} of the Ray cluster has another lab.",
            expected=versions(),
            got=seen["versions"],
            fix="Install the same versions there as here.",
        )
    if seen["folder"] and seen["own_folder"]:
        raise WbcError(
            f"The node {name} of the Ray cluster sees no workspace, and has no place for one of its own.",
            got=seen["own_folder"],
            fix=f"Set {NODE_FOLDER} where the node is started to a folder that it can write to.",
        )
    return not seen["folder"]


class Bridge:
    """Carries out a worker's orders on a cluster.

    Args:
        ray: The module, connected.
        workspace: Whose jobs.
        replies: Where to write what happens.
    """

    def __init__(self, ray: Any, workspace: Workspace, replies: IO[str]) -> None:
        self._ray, self._workspace, self._replies = ray, workspace, replies
        self._writing = threading.Lock()
        self._signals: dict[int, queue.SimpleQueue[int]] = {}
        self._known: dict[str, bool] = {}
        self._apart: set[str] = set()
        self._checksums = Checksums()
        self._sending: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def reply(self, **what: object) -> None:
        """Tell the worker something."""
        with self._writing:
            print(json.dumps(what), file=self._replies, flush=True)

    def run(self, orders: IO[str]) -> None:
        """Work until the worker closes its end."""
        nodes = nodes_with_cpu(self._ray)
        self._look_at(nodes)
        self._known = {node["NodeID"]: True for node in nodes}
        threading.Thread(target=self._watch_nodes, daemon=True).start()
        for line in orders:
            order = json.loads(line)
            if "signal" in order:
                self._signals[order["signal"]].put(order["number"])
            else:
                self._signals[order["start"]] = queue.SimpleQueue()
                threading.Thread(target=self._run_job, args=(order,), daemon=True).start()

    def _look_at(self, nodes: list[Json]) -> None:
        apart = refuse_unfit_nodes(self._ray, self._workspace, nodes)
        self._apart = self._apart.difference(node["NodeID"] for node in nodes) | apart
        for node in nodes:
            if node["NodeID"] in apart:
                self.reply(apart=node["NodeManagerHostname"])

    def _watch_nodes(self) -> None:
        """Tell which nodes there are, which is also the sign that the head answers."""
        while True:
            alive = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
            for node in alive:
                if node["NodeID"] not in self._known:
                    self._known[node["NodeID"]] = False
                    threading.Thread(target=self._admit, args=(node,), daemon=True).start()
            fit = [node for node in alive if self._known.get(node["NodeID"])]
            self.reply(nodes=[self._described(node) for node in fit])
            time.sleep(NODES_SECONDS)

    def _admit(self, node: Json) -> None:
        """Use a node that joined the cluster, if it is fit."""
        try:
            self._look_at([node])
        except WbcError as error:
            if any(other["NodeID"] == node["NodeID"] and other["Alive"] for other in self._ray.nodes()):
                self.reply(left_out=str(error))
        else:
            self._known[node["NodeID"]] = True

    def _run_job(self, order: Json) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        apart = order["node"] in self._apart
        there = NodeAffinitySchedulingStrategy(order["node"], soft=False)
        demands = {"num_cpus": order["cpus"], "num_gpus": order["gpus"], "max_restarts": 0}
        # Where files travel, the lease is renewed meanwhile.
        demands |= {"scheduling_strategy": there, "max_concurrency": 4 if apart else 1}
        holder = self._ray.remote(_holder_class(apart)).options(**demands).remote()
        no_room = False
        try:
            how, no_room = self._run_apart(holder, order) if apart else (self._hold(holder, order), False)
        except self._ray.exceptions.RayTaskError as error:
            how = f"Its process could not be started ({error.cause})"
            no_room = apart and is_no_room(error.cause)
        except Exception:  # Ray's errors and its client's share no class
            how = "Its node was lost"
            # Only a look at it tells whether that node is still there.
            self._known.pop(order["node"], None)
            # One that was merely cut off runs the process until its lease is over.
            time.sleep(GONE_AFTER_SECONDS)
        self.reply(ending=order["start"], how=how, no_room=no_room)
        self._ray.kill(holder)

    def _run_apart(self, holder: Any, order: Json) -> tuple[str, bool]:
        """Hold a training on a node that does not see the workspace.

        Returns:
            How it ended, and whether that is because the node has no room for it.
        """
        from wbc_core.jobs.process import finish_surely
        from wbc_core.jobs.ray_delivery import Delivery

        job, signals = get_job(self._workspace, order["job"]), self._signals[order["start"]]
        call = partial(self._call, holder)
        delivery = Delivery(
            self._workspace, job, order["claim"], call, self._checksums, lambda: not signals.empty()
        )
        no_room = False
        try:
            how = self._hold(holder, order, delivery)
        except NodeFull as error:
            how, no_room = str(error), True
        except NotSent as error:
            how = f"Its files could not be sent ({error})"
        except RecordMissing as error:
            finish_surely(self._workspace, job.id, order["claim"], state="failed", error=str(error))
            how = ""
        finally:
            delivery.stop()
        if delivery.begun:  # else the holder has not begun either
            call("close")
        return how, no_room

    def _call(self, holder: Any, method: str, *arguments: Any) -> Any:
        """See `wbc_core.jobs.ray_delivery.Call`."""
        try:
            return self._ray.get(getattr(holder, method).remote(*arguments), timeout=_CALL_SECONDS)
        except self._ray.exceptions.RayTaskError as error:
            failed = NodeFull if is_no_room(error.cause) else HolderFailed
            raise failed(str(error.cause)) from error
        except Exception as error:
            raise NodeLost from error

    def _hold(self, holder: Any, order: Json, delivery: "Delivery | None" = None) -> str:
        """Look after a job on its node to its end, and tell how it ended."""
        ray, signals = self._ray, self._signals[order["start"]]
        # The process starts only once there is room for it, so that until then there is none to end.
        ready = holder.renew.remote([])
        while not ray.wait([ready], timeout=RENEW_SECONDS)[0]:
            if not signals.empty():
                return "It was stopped before there was room for it"
        ray.get(ready)
        home = self._send(delivery, order) if delivery else str(self._workspace.home)
        if home is None:
            return "It was stopped before its files were sent"
        device = "gpu" if order["gpus"] else "cpu"
        environment = settings() | ({APART: "1"} if delivery else {})
        asked = (home, order["job"], order["claim"], environment, device)
        ray.get(holder.start.remote(*asked), timeout=GONE_AFTER_SECONDS)
        if delivery:
            delivery.begin()
        while True:
            numbers = _taken(signals, RENEW_SECONDS)
            ending: str | None = ray.get(holder.renew.remote(numbers), timeout=GONE_AFTER_SECONDS)
            if ending is not None:
                return delivery.end(ending) if delivery else ending
            if delivery:
                delivery.take_log()

    def _send(self, delivery: "Delivery", order: Json) -> str | None:
        # Two trainings that begin on one node at once would both be sent what they share.
        one_at_a_time = self._sending[order["node"]]
        while not one_at_a_time.acquire(timeout=RENEW_SECONDS):
            if not self._signals[order["start"]].empty():
                return None
        try:
            return delivery.send()
        finally:
            one_at_a_time.release()

    def _described(self, node: Json) -> Json:
        resources = node["Resources"]
        return {
            "id": node["NodeID"],
            "name": node["NodeManagerHostname"],
            "cpus": int(resources["CPU"]),
            "gpus": int(resources.get("GPU", 0)),
            "apart": node["NodeID"] in self._apart,
        }


def _holder_class(apart: bool) -> type[JobHolder]:
    if not apart:
        return JobHolder
    # A second of imports, which a bridge whose nodes all see the workspace does without.
    from wbc_core.jobs.ray_apart import ApartHolder

    return ApartHolder


def _taken(signals: queue.SimpleQueue[int], within: float) -> list[int]:
    """The signals that wait, or come within some seconds."""
    try:
        return [signals.get(timeout=within)]
    except queue.Empty:
        return []


def main() -> int:
    """Serve one worker."""
    home, address = sys.argv[1:]
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no reply
    try:
        # Ray tells at length of every node that dies; the job's record says it in a clause.
        with connected(address) as ray, quiet_standard_error():
            Bridge(ray, Workspace(home), replies).run(sys.stdin)
    except WbcError as error:
        print(json.dumps({"refused": str(error)}), file=replies, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
