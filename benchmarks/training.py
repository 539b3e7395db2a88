"""What the lab's training costs over a bare `model.fit`, and what a frozen backbone saves.

    .venv/bin/python benchmarks/training.py --home WORKSPACE --prepared pr-... [--backbones NAME ..]

The prepared set should have no online stage. A few steps of each way follow each other in turn, all in one
process and with one compiled network: *bare* is keras's fit on images as one array in memory, and *again* the
same, which shows the noise; *lab* is the lab's loop on the memory-mapped set with progress and schedule;
*ready* is the lab's loop on one batch again and again, which waits for no data. Validation and checkpoints
come between epochs and do not count. A network that costs almost nothing shows what the loop adds to a step.
Then the head alone: ten epochs on features computed once, against ten epochs that look at the images; both
validate after every epoch. Last, what an epoch of the head takes and writes in a run, where it is recorded.
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray

from wbc_core.backbones.freezing import apply_freezing
from wbc_core.backbones.model import split_model
from wbc_core.progress import silent
from wbc_core.records import content_id
from wbc_core.training import loop
from wbc_core.training.callbacks import ProgressReporter, Recorder
from wbc_core.training.data import Batches, TrainingData, as_keras_data, load_training_data
from wbc_core.training.device import computing
from wbc_core.training.features import on_features, steps_a_call
from wbc_core.training.network import build_network, compile_network
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace, now

if TYPE_CHECKING:
    import keras

HEAD_EPOCHS = 10
BATCH = 32
BLOCK = 3
RECORDED = (
    "recorded", "images", "epochs", "best", "ms an epoch", "CPU ms", "s in all", "MB an epoch", "MB in all"
)  # fmt: skip


def spread(values: list[float], digits: int = 1) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def print_row(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def print_header(cells: Sequence[str]) -> None:
    print_row(cells)
    print("|---" * len(cells) + "|")


def trimmed(values: NDArray[np.float64]) -> str:
    """The mean without the tenth at either end, and its standard error, in percent.

    Logarithms of ratios: the mean of ratios of two noisy times lies above 1 where the times are the same.
    """
    values = 100 * np.sort(np.log(values))
    kept = values[len(values) // 10 : len(values) - len(values) // 10]
    return f"{kept.mean():.2f} +- {kept.std(ddof=1) / len(kept) ** 0.5:.2f}"


class ReadyBatches(Batches):
    """The first batch, over and over."""

    def __getitem__(self, index: int) -> Any:
        if not hasattr(self, "first"):
            self.first = super().__getitem__(0)
        return self.first


def almost_nothing(data: TrainingData) -> "keras.Model":
    """A network whose steps take no time, so that what the loop adds to them shows."""
    import keras

    image = keras.Input(data.dataset.image_shape)
    features = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image[:, :8, :8]))
    return keras.Model(image, keras.layers.Dense(len(data.dataset.class_names), "softmax")(features))


def endless_steps(
    model: "keras.Model", train: Batches | tuple[Any, Any], keeper: "keras.callbacks.Callback | None"
) -> Iterator[None]:
    """What `fit` does, one step whenever the next is asked for."""
    from keras.src.backend.tensorflow.trainer import TFEpochIterator
    from keras.src.callbacks import CallbackList

    options: dict[str, Any] = {"distribute_strategy": model.distribute_strategy}
    if isinstance(train, tuple):
        steps = TFEpochIterator(x=train[0], y=train[1], batch_size=BATCH, shuffle=True, **options)
    else:
        steps = TFEpochIterator(x=as_keras_data(train), shuffle=False, **options)
    callbacks = CallbackList([keeper] if keeper else [], model=model, epochs=1, steps=steps.num_batches)
    for epoch in itertools.count():
        callbacks.on_epoch_begin(epoch)
        with steps.catch_stop_iteration():
            for begin, end, iterator in steps:
                callbacks.on_train_batch_begin(begin)
                logs = model.train_function(iterator)
                callbacks.on_train_batch_end(end, logs)
                yield


def timed_block(steps: Iterator[None]) -> tuple[float, float]:
    """Milliseconds a step, by the clock and of CPU time, of the steps after the first of a few."""
    next(steps)
    began = np.array([time.perf_counter(), time.process_time()])
    for _ in range(BLOCK):
        next(steps)
    passed = np.array([time.perf_counter(), time.process_time()]) - began
    return tuple(passed * 1000 / BLOCK)


def overhead(spec: RunSpec, workspace: Workspace, rounds: int, images: int, *, tiny: bool = False) -> None:
    """A few steps of each way in turn, with the same compiled network, so that nothing else differs."""
    data = load_training_data(workspace, spec.prepared, batch_size=BATCH, seed=0)
    train = data.train
    train.rows, train.labels = train.rows[:images], train.labels[:images]
    in_memory = (np.ascontiguousarray(train.images[train.rows]), train.labels)
    ready = ReadyBatches(train.images, train.rows, train.labels, batch_size=BATCH, seed=0)
    run_id = content_id("job", [time.time_ns()])
    with computing(spec) as device:
        model = almost_nothing(data) if tiny else build_network(spec, data, workspace)
        compile_network(model, spec, data, spec.learning_rate, {})
        model.make_train_function()
        run = loop._begin(workspace, run_id, spec, data, model, device, epochs=0, created=now())
        recorder = Recorder(workspace, run, model, [], ProgressReporter(run, silent))
        ways = {
            "bare": endless_steps(model, in_memory, None),
            "again": endless_steps(model, in_memory, None),
            "lab": endless_steps(model, train, loop._epoch_keeper(train, recorder)),
            "ready": endless_steps(model, ready, loop._epoch_keeper(ready, recorder)),
        }
        for steps in ways.values():
            timed_block(steps)  # Each kind of input is compiled for once.
        order = np.random.default_rng(0)
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name in order.permutation(list(ways)):
                measured[name].append(timed_block(ways[name]))
    found = {name: np.transpose(values) for name, values in measured.items()}
    cells = ["almost nothing" if tiny else spec.backbone]
    cells += [f"{np.median(values):.2f}" for name in ("bare", "lab") for values in found[name]]
    for ours, other in (("again", "bare"), ("lab", "bare"), ("lab", "ready")):
        cells += [f"{trimmed(mine / its)} %" for mine, its in zip(found[ours], found[other], strict=True)]
    print_row(cells)


def frozen(spec: RunSpec, workspace: Workspace, rounds: int, images: int) -> None:
    """Ten epochs of the head alone, computing the features included, against ten epochs that look."""
    seconds: dict[str, list[float]] = {"looking": [], "features": []}
    for _ in range(rounds):
        for name in seconds:
            data = load_training_data(workspace, spec.prepared, batch_size=spec.batch_size, seed=0)
            for part, count in ((data.train, images), (data.validation, images // 9)):
                part.rows, part.labels = part.rows[:count], part.labels[:count]
            model = build_network(spec, data, workspace)
            apply_freezing(model, "all")
            extractor, head = split_model(model)
            learner, steps = (head, steps_a_call(spec)) if name == "features" else (model, 1)
            compile_network(learner, spec, data, spec.learning_rate, {}, steps=steps)
            began = time.perf_counter()
            train, validation = data.train, data.validation
            if learner is head:
                train, validation = on_features(extractor, data, workspace, lambda done, of: None)
            learner.fit(
                as_keras_data(train),
                validation_data=as_keras_data(validation),
                epochs=HEAD_EPOCHS,
                shuffle=False,
                verbose=0,
            )
            seconds[name].append(time.perf_counter() - began)
    ratio = [slow / fast for slow, fast in zip(seconds["looking"], seconds["features"], strict=True)]
    print_row([spec.backbone, *(spread(values) for values in seconds.values()), f"{spread(ratio)}x"])


def written_bytes() -> int:
    """Bytes that this process has given to the kernel to be written."""
    return int(dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())["wchar"])


def recorded(spec: RunSpec, workspace: Workspace, images: int) -> None:
    """Seconds and bytes of an epoch of the head in a run with its history, checkpoint and best weights.

    The first epoch, which compiles and computes the features, is left out.
    """
    data = load_training_data(workspace, spec.prepared, batch_size=spec.batch_size, seed=0)
    for part, count in ((data.train, images), (data.validation, images // 9)):
        part.rows, part.labels = part.rows[:count], part.labels[:count]
    marks = []

    def watch(row: Mapping[str, float]) -> None:
        marks.append((time.perf_counter(), time.process_time(), written_bytes(), row["val_accuracy"]))

    with computing(spec) as device:
        loop._train(workspace, content_id("job", [time.time_ns()]), spec, data, silent, watch, None, device)
    clock, cpu, written = np.diff(np.array(marks)[:, :3], axis=0).T
    best = np.maximum.accumulate(np.array(marks)[:, 3])
    cells = [spec.backbone, str(len(data.train.rows)), str(len(clock)), str(int((np.diff(best) > 0).sum()))]
    cells += [spread(list(1000 * clock), 0), spread(list(1000 * cpu), 0), f"{clock.sum():.2f}"]
    print_row([*cells, spread(list(written / 1e6), 2), f"{written.sum() / 1e6:.1f}"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="a workspace; its runs are not touched")
    parser.add_argument("--prepared", required=True)
    parser.add_argument("--backbones", nargs="+", default=["mobilenet_v3_small", "densenet121"])
    parser.add_argument("--images", type=int, default=1024, help="how many train images an epoch has")
    parser.add_argument("--rounds", type=int, default=100, help="blocks of steps of each way")
    parser.add_argument("--frozen-rounds", type=int, default=2)
    parser.add_argument("--recorded-epochs", type=int, default=13)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(folder)
        for name in ("datasets", "splits", "prepared"):
            (workspace.home / name).symlink_to((options.home / name).resolve())
        print(f"{options.images:,} images, batch {BATCH}; medians; shares: trimmed mean +- standard error\n")
        shares = [
            f"{share}, {time}" for share in ("again", "the lab costs", "waits") for time in ("wall", "CPU")
        ]
        print_header(["backbone", "bare, ms a step", "CPU ms", "lab, ms a step", "CPU ms", *shares])
        for backbone in options.backbones:
            overhead(RunSpec(options.prepared, backbone), workspace, options.rounds, options.images)
        spec = RunSpec(options.prepared, options.backbones[0])
        overhead(spec, workspace, 10 * options.rounds, options.images, tiny=True)
        print()
        print_header([f"frozen, {HEAD_EPOCHS} epochs", "looking, s", "on features, s", "ratio"])
        for backbone in options.backbones:
            spec = RunSpec(options.prepared, backbone, freeze="all")
            frozen(spec, workspace, options.frozen_rounds, options.images)
        print()
        print_header(RECORDED)
        for backbone in options.backbones:
            spec = RunSpec(options.prepared, backbone, freeze="all", epochs=options.recorded_epochs)
            recorded(spec, workspace, options.images)


if __name__ == "__main__":
    main()
