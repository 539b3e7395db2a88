"""What a run costs on this machine, measured by a few of its own steps."""

import math
import resource
import sys
import time
from collections.abc import Callable

from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.quiet import import_keras_quietly
from wbc_core.training.data import TrainingData, load_training_data
from wbc_core.training.device import arithmetic, check_precision, device_summary, memory_explained
from wbc_core.training.estimate import Cost, Rates, foreseen_cost
from wbc_core.training.losses import needs_shares
from wbc_core.training.network import build_network, compile_network
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

_TIMED_STEPS = 2


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


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
    model = build_network(spec, data, workspace)
    compile_network(model, spec, data, spec.learning_rate, {})
    images, labels = data.train[0]
    progress(0.4, "timing steps of training")
    training = len(images) / _seconds(lambda: model.train_on_batch(images, labels))
    held_out, _ = data.validation[0]
    progress(0.8, "timing steps of prediction")
    return Rates(training, len(held_out) / _seconds(lambda: model.predict_on_batch(held_out)))


def dry_run(workspace: Workspace, spec: RunSpec, progress: Progress = silent) -> Cost:
    """Train two steps of a run, keep nothing, and tell what the whole of it will cost on this device.

    Args:
        workspace: The workspace.
        spec: The run.
        progress: Told what is being measured.

    Returns:
        Its cost, measured. The memory is that of this process, which should have done nothing else before.

    Raises:
        WbcError: Whatever would stop the run at its start.
    """
    began = time.perf_counter()
    data = load_training_data(
        workspace,
        spec.checked().prepared,
        batch_size=spec.batch_size,
        seed=spec.seed,
        validation_shift=spec.validation_shift,
        validation_strength=spec.validation_strength,
        shares=needs_shares(spec),
    )
    progress(0.1, "loading keras")
    import_keras_quietly()
    with arithmetic(spec.precision), memory_explained(spec):
        check_precision(spec.precision, device_summary()["device"])
        rates = _measured_rates(spec, data, workspace, progress)
    if not all(math.isfinite(rate) for rate in (rates.training, rates.prediction)):
        raise WbcError("The steps were too short to be timed.", fix="Use more images.")
    cost = foreseen_cost(
        spec,
        len(data.train.rows),
        len(data.validation.rows),
        online=data.train.online is not None,
        rates=rates,
        start=time.perf_counter() - began,
    )
    progress(1.0, "measured")
    return Cost(cost.seconds, cost.epoch_seconds, peak_memory_mb(), cost.disk_mb, measured=True)
