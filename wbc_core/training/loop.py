"""Training one run, from its spec to its best weights."""

from typing import TYPE_CHECKING

from wbc_core.backbones.model import build_model
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.quiet import import_keras_quietly
from wbc_core.records import Json
from wbc_core.training.callbacks import ProgressReporter, Recorder
from wbc_core.training.checkpoint import load_checkpoint
from wbc_core.training.data import TrainingData, as_keras_data, load_training_data
from wbc_core.training.device import device_summary, versions
from wbc_core.training.runs import Run, load_run, write_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace, now

if TYPE_CHECKING:
    import keras


def train(workspace: Workspace, run_id: str, spec: RunSpec, progress: Progress = silent) -> Json:
    """Train a run, or resume it after its last finished epoch.

    AdamW on cross-entropy; the learning rate falls on a plateau of the validation loss; the run ends
    early when the validation accuracy no longer rises; the best epoch's weights are kept as `best.keras`.

    Args:
        workspace: The workspace.
        run_id: The run's id, which is its job's.
        spec: What to train on what and how.
        progress: Told the epoch, the loss, the last validation accuracy and the time left, about twice a
            second; may raise `Cancelled`, after which the same call resumes the run.

    Returns:
        `run`, `epochs` (finished), `best_epoch` (from 1), `val_accuracy` (of that epoch, 0..1), `seconds`.

    Raises:
        WbcError: A wrong spec, nothing to validate on, weights that are not to be had, or a diverging loss.
    """
    earlier = _earlier_run(workspace, run_id, spec.checked())
    if earlier and earlier.finished:
        return _summary(earlier)
    data = load_training_data(
        workspace,
        spec.prepared,
        batch_size=spec.batch_size,
        seed=spec.seed,
        validation_shift=spec.validation_shift,
        validation_strength=spec.validation_strength,
    )
    BACKBONES.get(spec.backbone).check_size(data.dataset.image_shape)

    progress(0.0, "loading keras")
    import_keras_quietly()
    import keras

    keras.utils.set_random_seed(spec.seed)
    checkpoint = load_checkpoint(workspace, run_id)
    model = checkpoint.model if checkpoint else _compiled_model(spec, data)
    run = _begin(
        workspace,
        run_id,
        spec,
        data,
        model,
        # The checkpoint is the truth: a kill may have come before the summary that follows from it.
        epochs=checkpoint.epochs if checkpoint else 0,
        created=earlier.created if earlier else now(),
    )

    early_stopping = keras.callbacks.EarlyStopping(
        monitor="val_accuracy", mode="max", patience=spec.early_stopping_patience
    )
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", mode="min", patience=spec.plateau_patience, factor=spec.plateau_factor
    )
    reporter = ProgressReporter(run, progress)
    watched = {"early_stopping": early_stopping, "plateau": plateau}
    recorder = Recorder(workspace, run, model, watched, reporter, checkpoint)

    def begin_epoch(epoch: int, logs: object = None) -> None:
        data.train.epoch = epoch
        reporter.on_epoch_begin(epoch)

    record = keras.callbacks.LambdaCallback(
        on_train_begin=recorder.on_train_begin,
        on_epoch_begin=begin_epoch,
        on_train_batch_end=reporter.on_train_batch_end,
        on_epoch_end=recorder.on_epoch_end,
    )
    if not recorder.stopped and run.epochs < spec.epochs:
        model.fit(
            as_keras_data(data.train),
            validation_data=as_keras_data(data.validation),
            initial_epoch=run.epochs,
            epochs=spec.epochs,
            class_weight=data.class_weights(spec.class_weight),
            # The order comes from seed and epoch; keras would shuffle from a state that a kill loses.
            shuffle=False,
            callbacks=[early_stopping, plateau, record],
            verbose=0,
        )
    finished = recorder.finish()
    progress(1.0, f"{finished.ended} - best val accuracy {finished.val_accuracy:.3f}")
    return _summary(finished)


def _compiled_model(spec: RunSpec, data: TrainingData) -> "keras.Model":
    import keras

    model = build_model(
        spec.backbone,
        data.dataset.image_shape,
        len(data.dataset.class_names),
        dropout=spec.dropout,
        weights=spec.weights,
    )
    if data.train.shares_of:
        loss = keras.losses.CategoricalCrossentropy()
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    else:
        loss = keras.losses.SparseCategoricalCrossentropy()
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(
        optimizer=keras.optimizers.AdamW(spec.learning_rate, weight_decay=spec.weight_decay),
        loss=loss,
        metrics=[accuracy],
        # keras leaves XLA off on a CPU, where forcing it makes MobileNetV3 eight times slower.
        jit_compile="auto",
    )
    return model


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
    *,
    epochs: int,
    created: str,
) -> Run:
    """Write what the run is, once, and where it stands before its next epoch."""
    device = device_summary()
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
    }
