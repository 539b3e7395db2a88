"""Training one run, from its spec to its best weights."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wbc_core.backbones.freezing import block_depths
from wbc_core.backbones.model import split_model
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.records import Json
from wbc_core.training.callbacks import ProgressReporter, Recorder, Watch
from wbc_core.training.checkpoint import Checkpoint, averaged_weights, load_checkpoint
from wbc_core.training.data import Batches, TrainingData, as_keras_data
from wbc_core.training.device import computing, versions
from wbc_core.training.features import on_features, steps_a_call
from wbc_core.training.network import build_network, compile_network, data_of_run, open_for
from wbc_core.training.optimisers import set_rates
from wbc_core.training.phases import Phase, phases
from wbc_core.training.runs import Run, load_run, write_run
from wbc_core.training.schedules import learning_rate
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace, now

if TYPE_CHECKING:
    import keras


def train(
    workspace: Workspace,
    run_id: str,
    spec: RunSpec,
    progress: Progress = silent,
    *,
    watch: Watch | None = None,
) -> Json:
    """Train a run, or resume it after its last finished epoch.

    The phases follow each other: the head alone on a frozen backbone, then the backbone too, at once or
    block by block. The run ends early when the validation accuracy no longer rises; the best epoch's
    weights are kept as `best.keras`.

    Args:
        workspace: The workspace.
        run_id: The run's id, which is its job's.
        spec: What to train on what and how.
        progress: Told the epoch, the step, the loss, the last validation accuracy and the time left, about
            twice a second; may raise `Cancelled`, after which the same call resumes the run.
        watch: Called after every epoch with its row of the history, once it cannot be lost any more; returns
            why the run should end now, in words, or None.

    Returns:
        `run`, `epochs` (finished), `best_epoch` (from 1), `val_accuracy` (of that epoch, 0..1), `seconds`,
        `ended` (why, in words).

    Raises:
        WbcError: A wrong spec, nothing to validate on, weights that are not to be had, a diverging loss, or
            too little memory.
    """
    earlier = _earlier_run(workspace, run_id, spec.checked())
    if earlier and earlier.finished:
        return _summary(earlier)
    data = data_of_run(workspace, spec)
    progress(0.0, "loading keras")
    with computing(spec) as device:
        run = _train(workspace, run_id, spec, data, progress, watch, earlier, device)
    progress(1.0, f"{run.ended} - best val accuracy {run.val_accuracy:.3f}")
    return _summary(run)


def _train(
    workspace: Workspace,
    run_id: str,
    spec: RunSpec,
    data: TrainingData,
    progress: Progress,
    watch: Watch | None,
    earlier: Run | None,
    device: Mapping[str, str],
) -> Run:
    checkpoint = load_checkpoint(workspace, run_id)
    # A checkpoint holds every weight: where the first ones came from may be gone, or be on another machine.
    model = build_network(replace(spec, weights="random") if checkpoint else spec, data, workspace)
    # The checkpoint is the truth: a kill may have come before the summary that follows from it.
    epochs = checkpoint.epochs if checkpoint else 0
    created = earlier.created if earlier else now()
    run = _begin(workspace, run_id, spec, data, model, device, epochs=epochs, created=created)
    reporter = ProgressReporter(run, progress)
    recorder = Recorder(workspace, run, model, checkpoint.history if checkpoint else [], reporter, watch)
    for phase in phases(spec, BACKBONES.get(spec.backbone).block_count):
        if phase.end >= epochs and not recorder.ended:
            _train_phase(phase, model, data, recorder, checkpoint)
    return recorder.finish()


def _train_phase(
    phase: Phase, model: "keras.Model", data: TrainingData, recorder: Recorder, checkpoint: Checkpoint | None
) -> None:
    spec = recorder.run.spec
    open_for(phase, model, spec)
    apart = phase.head_only and data.train.online is None
    extractor, head = split_model(model) if apart else (None, model)
    depths = block_depths(model, spec.backbone) if spec.layer_decay < 1 else {}
    rates = {path: spec.layer_decay**depth for path, depth in depths.items()}
    steps = steps_a_call(spec) if extractor is not None else 1
    compile_network(head, spec, data, learning_rate(spec, phase.first, []), rates, steps=steps)
    with recorder.head_alone(extractor, head) if extractor is not None else nullcontext():
        if checkpoint is not None and phase.first < checkpoint.epochs <= phase.end:
            checkpoint.restore(model, head.optimizer)
            recorder.resume(head.optimizer, checkpoint.best_head)
            if recorder.ended or checkpoint.epochs == phase.end:
                # As keras does at the end of a fit: the next phase begins with the averaged weights.
                head.optimizer.finalize_variable_values(head.trainable_variables)
                return
        _fit(head, extractor, data, recorder, phase.end)


def _fit(
    learner: "keras.Model",
    extractor: "keras.Model | None",
    data: TrainingData,
    recorder: Recorder,
    epochs: int,
) -> None:
    """Train a network, or the head alone on what an extractor makes of the images, up to an epoch."""
    train, validation, reporter = data.train, data.validation, recorder.reporter
    if extractor is not None:  # images that never change have the same features in every epoch
        began = time.monotonic()
        train, validation = on_features(extractor, data, recorder.workspace, reporter.features_computed)
        reporter.features_seconds = time.monotonic() - began
    learner.fit(
        as_keras_data(train, data.class_weights(recorder.run.spec.class_weight)),
        validation_data=as_keras_data(validation),
        initial_epoch=len(recorder.history),
        epochs=epochs,
        # The order comes from seed and epoch; keras would shuffle from a state that a kill loses.
        shuffle=False,
        callbacks=[_epoch_keeper(train, recorder)],
        verbose=0,
    )


def _epoch_keeper(train: Batches, recorder: Recorder) -> "keras.callbacks.Callback":
    """The callback that sets the learning rate, reports, and keeps every epoch."""
    import keras

    spec, reporter = recorder.run.spec, recorder.reporter
    averaged = ExitStack()

    class EpochKeeper(keras.callbacks.Callback):  # type: ignore[misc]  # keras carries no types
        rates: Sequence[float] = (math.nan,)

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.epoch = train.epoch = epoch
            reporter.on_epoch_begin(epoch)

        def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
            coming = range(batch, min(batch + self.model.steps_per_execution, len(train)))
            rates = [learning_rate(spec, self.epoch + step / len(train), recorder.history) for step in coming]
            if len({*rates, *self.rates}) > 1:  # to set them costs more than all else here
                set_rates(self.model.optimizer, rates)
            self.rates = rates

        def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
            reporter.on_train_batch_end(batch, logs)

        def on_test_begin(self, logs: object = None) -> None:
            averaged.enter_context(averaged_weights(self.model.optimizer))

        def on_test_end(self, logs: object = None) -> None:
            averaged.close()

        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
            recorder.epoch_finished(logs, self.model.optimizer, self.rates[-1])
            self.model.stop_training = bool(recorder.ended)

    return EpochKeeper()


def _earlier_run(workspace: Workspace, run_id: str, spec: RunSpec) -> Run | None:
    folder = workspace.run_dir(run_id)
    begun = (folder / "summary.json").exists()
    if not begun and not (folder / "spec.json").exists():
        return None
    launched = RunSpec.from_json(workspace.read_json(folder / "spec.json", f"run {run_id}"))
    if launched != spec:
        raise WbcError(
            f"Run {run_id} was launched with another spec.",
            expected=launched.to_json(),
            got=spec.to_json(),
            fix="Launch a new run; a spec is written once.",
        )
    return load_run(workspace, run_id) if begun else None  # killed between spec and summary


def _begin(
    workspace: Workspace,
    run_id: str,
    spec: RunSpec,
    data: TrainingData,
    model: "keras.Model",
    device: Mapping[str, str],
    *,
    epochs: int,
    created: str,
) -> Run:
    """Write what the run is, once, and where it stands before its next epoch."""
    folder = workspace.run_dir(run_id)
    if not (folder / "spec.json").exists():
        workspace.write_json(folder / "spec.json", spec.to_json())
    workspace.write_json(folder / "versions.json", {**versions(), **device})
    run = Run(
        id=run_id,
        spec=spec,
        dataset=data.dataset.id,
        split=data.prepared.split,
        class_names=data.dataset.class_names,
        image_shape=data.dataset.image_shape,
        train_images=len(data.train.rows),
        validation_images=len(data.validation.rows),
        parameters=int(model.count_params()),
        epochs=epochs,
        best_epoch=None,
        val_accuracy=None,
        seconds=0.0,
        device=device["device"],
        device_name=device["name"],
        created=created,
        finished=False,
        ended="",
        leaky=data.prepared.leaky,
    )
    write_run(workspace, run)
    return run


def _summary(run: Run) -> Json:
    return {
        "run": run.id,
        "epochs": run.epochs,
        "best_epoch": run.best_epoch,
        "val_accuracy": run.val_accuracy,
        "seconds": round(run.seconds, 1),
        "ended": run.ended,
    }
