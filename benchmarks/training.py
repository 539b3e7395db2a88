"""What the lab's training costs over a bare `model.fit`, and what a frozen backbone saves.

    .venv/bin/python benchmarks/training.py --home WORKSPACE --prepared pr-... [--backbones NAME ..]

The prepared set should have no online stage. Rounds alternate, all in one process: *bare* is keras's fit on
the first images as one array in memory; *lab* is the lab's loop on the memory-mapped set with progress,
schedule and checkpoint; *ready* is the lab's loop on one batch again and again, which waits for no data.
Images a second are those of the steps after the first of an epoch. Then the head alone: ten epochs on
features computed once, against ten epochs that look at the images.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from wbc_core.backbones.freezing import apply_freezing
from wbc_core.backbones.model import split_model
from wbc_core.records import content_id
from wbc_core.training import loop
from wbc_core.training.data import Batches, TrainingData, as_keras_data, load_training_data
from wbc_core.training.features import on_features
from wbc_core.training.network import build_network, compile_network
from wbc_core.training.runs import history
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

IMAGES = 1024
HEAD_EPOCHS = 10


def spread(values: list[float], digits: int = 1) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def print_row(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def print_header(cells: Sequence[str]) -> None:
    print_row(cells)
    print("|---" * len(cells) + "|")


class Stopwatch:
    """Images a second of the steps after the first of each epoch, as `history.csv` counts them."""

    def __init__(self, batch: int) -> None:
        import keras

        self.rates: list[float] = []
        watch = self

        class Callback(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
                self.steps, self.first = 0, 0.0

            def on_train_batch_end(self, step: int, logs: object = None) -> None:
                now = time.monotonic()
                self.steps += 1
                self.first = self.first or now
                self.last = now

            def on_epoch_end(self, epoch: int, logs: object = None) -> None:
                watch.rates.append((self.steps - 1) * batch / (self.last - self.first))

        self.callback = Callback()


def bare(spec: RunSpec, workspace: Workspace, images: np.ndarray, labels: np.ndarray) -> list[float]:
    """Keras's own fit on an array in memory; the first epoch, which compiles, is left out."""
    data = load_training_data(workspace, spec.prepared, batch_size=spec.batch_size, seed=0)
    model = build_network(spec, data, workspace)
    compile_network(model, spec, data, spec.learning_rate, {})
    watch = Stopwatch(spec.batch_size)
    options: dict[str, Any] = {"epochs": spec.epochs, "batch_size": spec.batch_size, "verbose": 0}
    model.fit(images, labels, callbacks=[watch.callback], **options)
    return watch.rates[1:]


def lab(spec: RunSpec, workspace: Workspace, change: Callable[[TrainingData], TrainingData]) -> list[float]:
    """The lab's loop on the first images of the set, or on what `change` makes of its batches."""
    load = loop.data_of_run

    def fewer(*given: Any, **named: Any) -> Any:
        data = load(*given, **named)
        for part in (data.train, data.validation):
            part.rows, part.labels = part.rows[:IMAGES], part.labels[:IMAGES]
        return change(data)

    loop.data_of_run = fewer
    run = content_id("job", [time.time_ns()])
    try:
        loop.train(workspace, run, spec)
    finally:
        loop.data_of_run = load
    return history(workspace, run)["images_per_second"].tolist()[1:]


class ReadyBatches(Batches):
    """The first batch, over and over."""

    def __getitem__(self, index: int) -> Any:
        if not hasattr(self, "first"):
            self.first = super().__getitem__(0)
        return self.first


def always_ready(data: TrainingData) -> TrainingData:
    train = data.train
    ready = ReadyBatches(train.images, train.rows, train.labels, batch_size=train.batch_size, seed=0)
    return replace(data, train=ready)


def overhead(spec: RunSpec, workspace: Workspace, rounds: int) -> None:
    data = load_training_data(workspace, spec.prepared, batch_size=spec.batch_size, seed=0)
    images = np.ascontiguousarray(data.train.images[data.train.rows[:IMAGES]])
    labels = data.train.labels[:IMAGES]
    found: dict[str, list[float]] = {"bare": [], "lab": [], "ready": []}
    for _ in range(rounds):
        found["bare"] += bare(spec, workspace, images, labels)
        found["lab"] += lab(spec, workspace, lambda data: data)
        found["ready"] += lab(spec, workspace, always_ready)
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    cells = [spec.backbone, *(spread(found[name]) for name in ("bare", "lab", "ready"))]
    cells.append(f"{100 * (middle['bare'] / middle['lab'] - 1):+.1f} %")
    cells.append(f"{100 * (1 - middle['lab'] / middle['ready']):.1f} %")
    print_row(cells)


def frozen(spec: RunSpec, workspace: Workspace, rounds: int) -> None:
    """Ten epochs of the head alone, computing the features included, against ten epochs that look."""
    seconds: dict[str, list[float]] = {"looking": [], "features": []}
    for _ in range(rounds):
        for name in seconds:
            data = load_training_data(workspace, spec.prepared, batch_size=spec.batch_size, seed=0)
            data.train.rows, data.train.labels = data.train.rows[:IMAGES], data.train.labels[:IMAGES]
            model = build_network(spec, data, workspace)
            apply_freezing(model, "all")
            extractor, head = split_model(model)
            learner = head if name == "features" else model
            compile_network(learner, spec, data, spec.learning_rate, {})
            began = time.perf_counter()
            train = (
                on_features(extractor, data.train, workspace, lambda done: None)
                if learner is head
                else data.train
            )
            learner.fit(as_keras_data(train), epochs=HEAD_EPOCHS, shuffle=False, verbose=0)
            seconds[name].append(time.perf_counter() - began)
    ratio = [slow / fast for slow, fast in zip(seconds["looking"], seconds["features"], strict=True)]
    print_row([spec.backbone, *(spread(values) for values in seconds.values()), f"{spread(ratio)}x"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="a workspace; its runs are not touched")
    parser.add_argument("--prepared", required=True)
    parser.add_argument("--backbones", nargs="+", default=["mobilenet_v3_small", "densenet121"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(folder)
        for name in ("datasets", "splits", "prepared"):
            (workspace.home / name).symlink_to((options.home / name).resolve())
        print(f"{IMAGES} images, batch 32; median (smallest-largest)\n")
        print_header(["backbone", "bare, images/s", "lab", "ready", "the lab costs", "waits for data"])
        for backbone in options.backbones:
            overhead(RunSpec(options.prepared, backbone, epochs=3), workspace, options.rounds)
        print()
        print_header([f"frozen, {HEAD_EPOCHS} epochs", "looking, s", "on features, s", "ratio"])
        for backbone in options.backbones:
            frozen(RunSpec(options.prepared, backbone, freeze="all"), workspace, options.rounds)


if __name__ == "__main__":
    main()
