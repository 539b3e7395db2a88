"""What a run costs on this machine, measured by a few of its own steps."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

from wbc_core.augment.prepare import peak_megabytes
from wbc_core.backbones.registry import BACKBONES
from wbc_core.progress import Progress, silent
from wbc_core.training.data import TrainingData
from wbc_core.training.device import computing
from wbc_core.training.estimate import Cost, Rates, foreseen_cost, mapped_memory
from wbc_core.training.network import build_network, compile_network, data_of_run, open_for
from wbc_core.training.phases import phases
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

_TIMED_STEPS = 2


def _seconds(step: Callable[[], object]) -> float:
    """The faster of two calls, after one that compiles."""
    step()
    measured = math.inf
    for _ in range(_TIMED_STEPS):
        began = time.perf_counter()
        step()
        measured = min(measured, time.perf_counter() - began)
    return measured


def _measured_rates(spec: RunSpec, data: TrainingData, workspace: Workspace, progress: Progress) -> Rates:
    """Images a second of the last phase, with the work on the images themselves."""
    model = build_network(spec, data, workspace)
    phase = phases(spec, BACKBONES.get(spec.backbone).block_count)[-1]
    open_for(phase, model, spec)
    compile_network(model, spec, data, spec.learning_rate, {})
    progress(0.4, "timing steps of prediction")
    held_out = len(data.validation[0][0])
    prediction = held_out / _seconds(lambda: model.predict_on_batch(data.validation[0][0]))
    if phase.head_only and data.train.online is None:
        return Rates(prediction, prediction)  # the backbone only ever looks
    progress(0.7, "timing steps of training")
    return Rates(len(data.train[0][0]) / _seconds(lambda: model.train_on_batch(*data.train[0])), prediction)


def dry_run(workspace: Workspace, spec: RunSpec, progress: Progress = silent) -> Cost:
    """Train two steps of a run, keep nothing, and tell what the whole of it will cost on this device.

    Args:
        workspace: The workspace.
        spec: The run.
        progress: Told what is being measured.

    Returns:
        Its cost, measured. The memory is that of this process, which should have done nothing else before,
        and of the images that a whole run looks at.

    Raises:
        WbcError: Whatever would stop the run at its start.
    """
    began = time.perf_counter()
    data = data_of_run(workspace, spec.checked())
    progress(0.1, "loading keras")
    with computing(spec) as device:
        rates = _measured_rates(spec, data, workspace, progress)
    images, held_out = len(data.train.rows), len(data.validation.rows)
    cost = foreseen_cost(
        spec,
        images,
        held_out,
        online=data.train.online is not None,
        rates=rates,
        start=time.perf_counter() - began,
    )
    progress(1.0, "measured")
    memory = peak_megabytes() + mapped_memory(images, held_out, data.dataset.image_shape[0])
    return replace(cost, memory_mb=memory, measured=True, device_name=device["name"])
