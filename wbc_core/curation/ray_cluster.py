"""Spread the chunks of a pass over a Ray cluster, which the extra `cluster` can reach."""

import logging
import os
import platform
import re
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import cv2
import numpy as np

from wbc_core.curation.measures import MEASURES
from wbc_core.curation.spread import Spread
from wbc_core.errors import WbcError
from wbc_core.quiet import quiet_standard_error

_ADDRESS = re.compile(r"auto|(?:ray://)?(?P<server>[^\s/@]+:\d{1,5})")

_ANSWER_SECONDS = 5.0
"""How long a server may take to answer at all; Ray itself would wait for over a minute."""

_ATTEMPTS = 3
"""How often to ask for a client's process."""

_PROBE_SECONDS = 120.0
"""How long every node may take to start a worker and import the lab."""

_IN_FLIGHT_BYTES = 512_000_000
"""What all chunks that wait for their result may weigh together."""


@contextmanager
def over_ray(address: str) -> Iterator[Spread]:
    """Connect to a running Ray cluster for the length of a block.

    Args:
        address: As for `connected`.

    Yields:
        What spreads chunks over the cluster: results in order, few chunks in flight.

    Raises:
        WbcError: As for `connected`; or a node's lab differs.
    """
    with connected(address) as ray:
        _refuse_other_labs(ray)
        yield partial(_spread, ray)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Connect this process to a running Ray cluster for the length of a block.

    Args:
        address: `HOST:PORT` of the head, from a machine of the cluster; `ray://HOST:PORT` of its client
            server, from anywhere; `auto` for the cluster that runs on this machine.

    Yields:
        The module `ray`.

    Raises:
        WbcError: Ray is not installed, nothing answers there, or it is another version.
    """
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise WbcError(
            "The address of the Ray cluster is wrong.",
            expected="HOST:PORT, ray://HOST:PORT or auto",
            got=repr(address),
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise WbcError("Ray is not installed.", fix="Run pip install 'wbc-lab[cluster]'.") from None
    if found["server"]:
        _refuse_silence(found["server"])
    _connect(ray, address)
    try:
        yield ray
    finally:
        with quiet_standard_error():
            ray.shutdown()


def _refuse_silence(server: str) -> None:
    """Refuse an address at which nothing speaks gRPC, as Ray does."""
    import grpc

    with grpc.insecure_channel(server) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_ANSWER_SECONDS)
        except grpc.FutureTimeoutError:
            raise WbcError(
                f"No Ray cluster answers at {server}.",
                fix="Check the address; `ray start --head` prints it where it starts one.",
            ) from None


def _connect(ray: Any, address: str) -> None:
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with quiet_standard_error():
            _initialise(ray, address)
    except Exception as error:  # connection, version and client errors share no class
        raise WbcError(
            f"The Ray cluster at {address} cannot be used.",
            expected=f"Ray {ray.__version__} on Python {platform.python_version()}, as here",
            got=f"{' '.join(str(error).split())[-300:]}",
            fix="Use the same versions everywhere, and ray://HOST:10001 from outside of the cluster.",
        ) from error
    finally:
        # Ray puts its own in place, by which a job that is told to stop would not say so.
        if in_main_thread and handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _initialise(ray: Any, address: str) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
            return
        except ConnectionError as error:
            # On a busy machine the process that a client gets now and then dies while it starts (Ray 2.60).
            if "client server failed" not in str(error) or attempt == _ATTEMPTS:
                raise


def lab_versions() -> dict[str, str]:
    """What the numbers that measures give depend on, by name."""
    libraries = {"NumPy": np.__version__, "OpenCV": cv2.__version__}
    return libraries | {f"the measure {name}": str(measure.version) for name, measure in MEASURES.items()}


def _refuse_other_labs(ray: Any) -> None:
    """Refuse a cluster with a node that cannot import the lab, or whose lab would measure something else."""
    here = lab_versions()
    for name, there in ask_nodes(ray, nodes_with_cpu(ray), lab_versions):
        if there != here:
            other = sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key))
            raise WbcError(
                f"The node {name} of the Ray cluster would measure something else.",
                expected=", ".join(f"{key} {here.get(key, 'absent')}" for key in other),
                got=", ".join(there.get(key, "absent") for key in other),
                fix="Install the same lab and libraries there as here.",
            )


def nodes_with_cpu(ray: Any) -> list[dict[str, Any]]:
    """The living nodes that can work, as `ray.nodes` describes them.

    Raises:
        WbcError: There is none.
    """
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if not nodes:
        raise WbcError("The Ray cluster has no node with a CPU.", fix="Start one with ray start --address.")
    return nodes


def ask_nodes(
    ray: Any, nodes: list[dict[str, Any]], function: Callable[..., Any], *arguments: object
) -> Iterator[tuple[str, Any]]:
    """Call a function of the lab on each of some nodes.

    Yields:
        Name of the node and what the function gave there.

    Raises:
        WbcError: A node cannot import the lab, or does not answer.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Without a CPU of its own, so that a busy node answers too.
    probe = ray.remote(num_cpus=0, max_retries=0)(function)
    strategies = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in nodes]
    answers = [probe.options(scheduling_strategy=strategy).remote(*arguments) for strategy in strategies]
    for node, answer in zip(nodes, answers, strict=True):
        name = node["NodeManagerHostname"]
        try:
            there = ray.get(answer, timeout=_PROBE_SECONDS)
        except Exception as error:  # whatever an import can raise, under several names of Ray's
            raise WbcError(
                f"The node {name} of the Ray cluster cannot import the lab.",
                got=f"{str(error).strip().splitlines()[-1]:.200}",
                fix="Install the lab there, for the Python that Ray runs on.",
            ) from error
        yield name, there


def _apply(function: Callable[[Any], Any], item: Any) -> Any:
    # Arrays come read-only out of Ray's shared memory; from threads they come writable.
    return function(item.copy() if isinstance(item, np.ndarray) else item)


def _spread(ray: Any, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """See `Spread`; at most two items a CPU are in flight."""
    call = ray.remote(num_cpus=1)(_apply)
    limit = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting: deque[tuple[Any, int]] = deque()
    weight = 0
    for item in items:
        size = getattr(item, "nbytes", 0)
        waiting.append((call.remote(function, item), size))
        weight += size
        while waiting and (len(waiting) >= limit or weight > _IN_FLIGHT_BYTES):
            reference, size = waiting.popleft()
            weight -= size
            yield _result(ray, reference)
    while waiting:
        yield _result(ray, waiting.popleft()[0])


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise WbcError(
            "The Ray cluster lost a piece of the work.",
            got=f"{str(error).strip().splitlines()[0]:.200}",
            fix="Look at its nodes with ray status, and scan again; what was measured is kept.",
        ) from error
