"""How long a run's model takes for one image and for a batch, on the machine that asks."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.datasets.store import open_images
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Json
from wbc_core.training.runs import Run, load_run
from wbc_core.workspace import Workspace, now

BATCH_SIZES = (1, 32)
_WARM_UP_CALLS = 5
_CALLS = 100
_SECONDS = 5.0


def time_calls(
    predict: Callable[[NDArray[np.uint8]], Any],
    images: NDArray[np.uint8],
    batch: int = 1,
    progress: Progress = silent,
) -> Json:
    """Time calls of a model, after a few that are not counted.

    Args:
        predict: The model; it has answered when it returns.
        images: uint8 (n, H, W, 3), taken in turn.
        batch: Images a call.
        progress: Told the share of calls done.

    Returns:
        Of one call, in milliseconds: `median_ms` and `p95_ms`; `images_per_second` of the median call; the
        number of `calls`: 100, or fewer where they take longer than 5 seconds.

    Example:
        >>> timed = time_calls(lambda images: images.sum(), np.zeros((4, 8, 8, 3), np.uint8), 8)
        >>> timed["calls"], 0 < timed["median_ms"] <= timed["p95_ms"]
        (100, True)
    """

    def chosen(call: int) -> NDArray[np.uint8]:
        return np.take(images, np.arange(call * batch, (call + 1) * batch), axis=0, mode="wrap")

    for call in range(_WARM_UP_CALLS):
        predict(chosen(call))
    times: list[float] = []
    while len(times) < _CALLS and sum(times) < _SECONDS:
        progress(max(len(times) / _CALLS, sum(times) / _SECONDS), f"Timing batches of {batch}")
        given = chosen(len(times))
        started = time.perf_counter()
        predict(given)
        times.append(time.perf_counter() - started)
    median, high = np.percentile(times, (50, 95))
    return {
        "median_ms": 1000 * float(median),
        "p95_ms": 1000 * float(high),
        "images_per_second": batch / float(median),
        "calls": len(times),
    }


def measure_latency(workspace: Workspace, run_id: str, progress: Progress = silent) -> Json:
    """Time the model of a run on this machine and keep what was found as `runs/ID/latency.json`.

    The time counts from a uint8 batch in memory to its probabilities in memory.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        progress: Where to report.

    Returns:
        `run`; `device` (`cpu` or `gpu:0`) and what `processor` it is; `macs`, multiply-accumulates an image;
        `batches`: for a batch of 1 and one of 32, by its size as text, what `time_calls` found; `created`.

    Raises:
        WbcError: There is no such run, or it has no model yet.
    """
    from wbc_core.backbones.cost import macs
    from wbc_core.training.device import device_summary
    from wbc_core.training.predict import load_model

    run = load_run(workspace, run_id)
    progress(0.0, "Loading the model")
    model = load_model(workspace, run_id)
    images = open_images(workspace, run.dataset)[: max(BATCH_SIZES)]
    share = 0.9 / len(BATCH_SIZES)
    batches = {
        str(size): time_calls(
            model.predict_on_batch,
            np.asarray(images),
            size,
            part_of(progress, 0.1 + place * share, 0.1 + (place + 1) * share),
        )
        for place, size in enumerate(BATCH_SIZES)
    }
    device = device_summary()
    measured = {
        "run": run.id,
        "device": device["device"],
        "processor": device["name"],
        "macs": macs(model),
        "batches": batches,
        "created": now(),
    }
    workspace.write_json(workspace.run_dir(run_id) / "latency.json", measured)
    progress(1.0, "Timed")
    return measured


def load_latency(workspace: Workspace, run_id: str) -> Json | None:
    """What `measure_latency` kept of a run; None where nobody measured.

    Raises:
        WbcError: The file is damaged.
    """
    path = workspace.run_dir(run_id) / "latency.json"
    return workspace.read_json(path, f"latency of run {run_id}") if path.exists() else None


def foreseen_macs(run: Run) -> int | None:
    """About how many multiply-accumulates an image costs a run, without loading its model.

    The registry counts at 96 x 96 pixels; operations grow with the area. None for a backbone that is no more
    in the registry, and for a run with an input size of its own.
    """
    from wbc_core.backbones.registry import BACKBONES

    if run.backbone not in BACKBONES or run.spec.input_size:
        return None
    height, width, _ = run.image_shape
    return round(BACKBONES.get(run.backbone).macs * height * width / (96 * 96))
