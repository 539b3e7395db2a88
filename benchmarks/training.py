"""What the lab's training costs over a bare `model.fit`, and what a frozen backbone saves.

    .venv/bin/python benchmarks/training.py --home WORKSPACE --prepared pr-... [--backbones NAME ..]

The prepared set should have no online stage. Epochs alternate, all in one process and with one compiled
network: *bare* is keras's fit on the first images as one array in memory; *lab* is the lab's loop on the
memory-mapped set with progress, schedule, validation and checkpoint; *ready* is the lab's loop on one batch
again and again, which waits for no data. Images a second are those of the steps after the first of an epoch;
what the lab costs and how long it waits are of neighbouring epochs. Then the head alone: ten epochs on
features computed once, against ten epochs that look at the images; both validate after every epoch.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from wbc_core.backbones.freezing import apply_freezing
from wbc_core.backbones.model import split_model
from wbc_core.progress import silent
from wbc_core.records import content_id
from wbc_core.training import loop
from wbc_core.training.callbacks import ProgressReporter, Recorder
from wbc_core.training.data import Batches, as_keras_data, load_training_data
from wbc_core.training.device import computing
from wbc_core.training.features import on_features, steps_a_call
from wbc_core.training.network import build_network, compile_network
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace, now

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


class ReadyBatches(Batches):
    """The first batch, over and over."""

    def __getitem__(self, index: int) -> Any:
        if not hasattr(self, "first"):
            self.first = super().__getitem__(0)
        return self.first


def overhead(spec: RunSpec, workspace: Workspace, rounds: int, images: int) -> None:
    """One epoch of each way in turn, with the same compiled network, so that nothing else differs."""
    data = load_training_data(workspace, spec.prepared, batch_size=spec.batch_size, seed=0)
    for part, count in ((data.train, images), (data.validation, images // 4)):
        part.rows, part.labels = part.rows[:count], part.labels[:count]
    train = data.train
    in_memory = np.ascontiguousarray(train.images[train.rows])
    ready = ReadyBatches(train.images, train.rows, train.labels, batch_size=train.batch_size, seed=0)
    model = build_network(spec, data, workspace)
    compile_network(model, spec, data, spec.learning_rate, {})
    watch = Stopwatch(spec.batch_size)
    run_id = content_id("job", [time.time_ns()])
    with computing(spec) as device:
        run = loop._begin(workspace, run_id, spec, data, model, device, epochs=0, created=now())
        recorder = Recorder(workspace, run, model, [], ProgressReporter(run, silent))

        def bare(epoch: int) -> None:
            options: dict[str, Any] = {"batch_size": spec.batch_size, "verbose": 0}
            model.fit(in_memory, train.labels, callbacks=[watch.callback], **options)

        def lab(batches: Batches) -> Callable[[int], None]:
            def fit(epoch: int) -> None:
                model.fit(
                    as_keras_data(batches),
                    validation_data=as_keras_data(data.validation),
                    initial_epoch=len(recorder.history),
                    epochs=len(recorder.history) + 1,
                    shuffle=False,
                    callbacks=[loop._epoch_keeper(batches, recorder), watch.callback],
                    verbose=0,
                )

            return fit

        ways = {"bare": bare, "lab": lab(train), "ready": lab(ready)}
        for way in ways.values():
            way(0)  # Each kind of input is compiled for once.
        watch.rates.clear()
        for epoch in range(rounds):
            for way in ways.values():
                way(epoch)
    found = {name: watch.rates[place :: len(ways)] for place, name in enumerate(ways)}
    costs = [100 * (bare / lab - 1) for bare, lab in zip(found["bare"], found["lab"], strict=True)]
    waits = [100 * (1 - lab / ready) for lab, ready in zip(found["lab"], found["ready"], strict=True)]
    cells = [spec.backbone, *(spread(found[name]) for name in ways)]
    print_row([*cells, f"{spread(costs)} %", f"{spread(waits)} %"])


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="a workspace; its runs are not touched")
    parser.add_argument("--prepared", required=True)
    parser.add_argument("--backbones", nargs="+", default=["mobilenet_v3_small", "densenet121"])
    parser.add_argument("--images", type=int, default=1024, help="how many train images an epoch has")
    parser.add_argument("--rounds", type=int, default=9, help="epochs of each way")
    parser.add_argument("--frozen-rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(folder)
        for name in ("datasets", "splits", "prepared"):
            (workspace.home / name).symlink_to((options.home / name).resolve())
        print(f"{options.images:,} images, batch 32; median (smallest-largest)\n")
        print_header(["backbone", "bare, images/s", "lab", "ready", "the lab costs", "waits for data"])
        for backbone in options.backbones:
            spec = RunSpec(options.prepared, backbone, epochs=1000)
            overhead(spec, workspace, options.rounds, options.images)
        print()
        print_header([f"frozen, {HEAD_EPOCHS} epochs", "looking, s", "on features, s", "ratio"])
        for backbone in options.backbones:
            spec = RunSpec(options.prepared, backbone, freeze="all")
            frozen(spec, workspace, options.frozen_rounds, options.images)


if __name__ == "__main__":
    main()
