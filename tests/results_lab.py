"""A small lab with runs and reports that nobody had to train: for tests of evaluation and its pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wbc_core.augment.prepare import list_prepared, load_prepared, prepare
from wbc_core.augment.recipe import load_recipe
from wbc_core.datasets.store import DatasetWriter
from wbc_core.evaluation.report import held_out
from wbc_core.evaluation.reports import predictions_table, save_report
from wbc_core.evaluation.scoring import score
from wbc_core.jobs import queue
from wbc_core.jobs.paired_study import KINDS
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import silent
from wbc_core.records import Dataset, PreparedSet, Split
from wbc_core.splitting import make_split
from wbc_core.training.runs import Run, load_run, write_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace, now

NAMES = ("basophil", "lymphocyte", "platelet")
SIDE = 32
RUN = "job-0123456789ab"


def pictures(labels: Sequence[int], seed: int = 0) -> np.ndarray:
    """Images uint8 (n, 32, 32, 3) unlike each other: coarse noise whose brightest channel is the class."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 150, (len(labels), 8, 8, 3), dtype=np.uint8)
    images = coarse.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)
    for image, label in zip(images, labels, strict=True):
        image[..., label] += 100
    return images


def build_dataset(
    workspace: Workspace, name: str = "cells", per_class: Sequence[int] = (30, 20, 10)
) -> Dataset:
    """A data set of `per_class` images, class by class."""
    labels = np.repeat(np.arange(len(per_class)), per_class)
    with DatasetWriter(workspace, "cells", NAMES, (SIDE, SIDE, 3)) as writer:
        sizes = np.full((len(labels), 2), SIDE)
        writer.append(pictures(labels), labels, [f"{row}.png" for row in range(len(labels))], sizes)
        return writer.finish("drawn for a test")


def build_split(
    workspace: Workspace, dataset: Dataset, fractions: tuple[float, ...] = (0.5, 0.5), seed: int = 0
) -> tuple[Split, PreparedSet]:
    """A split of a data set and its plain prepared set."""
    split = make_split(workspace, dataset.id, fractions=fractions, seed=seed)
    return split, prepare(workspace, split.id, load_recipe(workspace, "plain"))


def prepared_id(workspace: Workspace) -> str:
    """Id of the newest prepared set, built where there is none."""
    there = list_prepared(workspace)
    return there[0].id if there else build_split(workspace, build_dataset(workspace))[1].id


def add_run(
    workspace: Workspace,
    prepared: PreparedSet,
    run_id: str,
    *,
    backbone: str = "cnn",
    model: bool = False,
    **settings: float,
) -> Run:
    """A finished run; with `model`, its untrained network lies there as the best one."""
    folder = workspace.run_dir(run_id)
    folder.mkdir(parents=True)
    spec = RunSpec(prepared=prepared.id, backbone=backbone, epochs=3, **settings)
    workspace.write_json(folder / "spec.json", spec.to_json())
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [1.1, 0.8, 0.6],
            "accuracy": [0.4, 0.6, 0.8],
            "val_loss": [1.0, 0.9, 0.7],
            "val_accuracy": [0.4, 0.7, 0.8],
            "learning_rate": [1e-3] * 3,
            "seconds": [2.0] * 3,
            "images_per_second": [100.0] * 3,
        }
    )
    history.to_csv(folder / "history.csv", index=False)
    parameters = 1234
    if model:
        import keras

        from wbc_core.backbones.model import build_model

        keras.utils.set_random_seed(int(spec.seed))
        network = build_model(backbone, (SIDE, SIDE, 3), len(NAMES), dropout=0.3)
        network.save(folder / "best.keras")
        parameters = network.count_params()
    run = Run(
        id=run_id,
        spec=spec,
        dataset=prepared.dataset,
        split=prepared.split,
        class_names=NAMES,
        image_shape=(SIDE, SIDE, 3),
        train_images=prepared.images,
        validation_images=30,
        parameters=parameters,
        epochs=3,
        best_epoch=3,
        val_accuracy=0.8,
        seconds=6.0,
        device="cpu",
        device_name="a test's processor",
        created=now(),
        finished=True,
        ended="all epochs are done",
    )
    write_run(workspace, run)
    return load_run(workspace, run_id)


def add_report(
    workspace: Workspace,
    run: Run,
    *,
    right: float,
    seed: int = 0,
    never: int | None = None,
    part: str | None = None,
) -> dict[str, object]:
    """A report of made-up predictions, about the share `right` of them right; `never` is a
    class that is never predicted.
    """
    generator = np.random.default_rng(seed)
    held = held_out(workspace, run, part)
    labels = held.table["label"].to_numpy()
    wrong = generator.random(len(labels)) >= right
    predicted = np.where(wrong, (labels + 1) % len(NAMES), labels)
    if never is not None:
        predicted[predicted == never] = (never + 1) % len(NAMES)
    chances = generator.uniform(0.5, 0.95, len(labels)).astype(np.float32)
    probabilities = np.repeat(((1 - chances) / (len(NAMES) - 1))[:, None], len(NAMES), axis=1)
    probabilities[np.arange(len(labels)), predicted] = chances
    predictions = predictions_table(
        held.table["row"].to_numpy(), held.table["image_id"].tolist(), labels, probabilities, NAMES
    )
    report = {
        "run": run.id,
        "backbone": run.backbone,
        "dataset": run.dataset,
        "split": run.split,
        "prepared": run.prepared,
        "model_sha256": "0" * 64,
        "part": held.part,
        "tta": False,
        "classes": list(NAMES),
        **score(labels, probabilities, NAMES),
        "parameters": run.parameters,
        "file_size_bytes": 5_000_000,
        "training_seconds": run.seconds,
        "seconds": 0.5,
        "created": now(),
    }
    save_report(workspace, report, predictions)
    return report


def add_shifted_report(
    workspace: Workspace, run: Run, shift: str, strength: int, right: float, *, tta: bool = False
) -> None:
    """A report of made-up predictions under a shift, about the share `right` of them right."""
    held = held_out(workspace, run)
    labels = held.table["label"].to_numpy()
    generator = np.random.default_rng([len(shift), strength, round(100 * right)])
    predicted = np.where(generator.random(len(labels)) < right, labels, (labels + 1) % len(NAMES))
    chances = np.eye(len(NAMES), dtype=np.float32)[predicted]
    rows, ids = held.table["row"].to_numpy(), held.table["image_id"].tolist()
    about = {"run": run.id, "dataset": run.dataset, "split": run.split, "classes": list(NAMES)}
    about |= {"part": held.part, "tta": tta, "shift": shift, "strength": strength}
    costs = {"parameters": 1, "file_size_bytes": 1, "training_seconds": 1.0, "seconds": 0.5, "leaky": False}
    report = about | score(labels, chances, NAMES) | costs
    save_report(workspace, report, predictions_table(rows, ids, labels, chances, NAMES))


def train_study(workspace: Workspace, shares: Mapping[str, Sequence[float]]) -> list[str]:
    """Do what a worker does for the study that is queued, with reports of made-up predictions.

    Args:
        workspace: The lab.
        shares: Way to the share that each of its seeds, 0, 1, .. gets right.

    Returns:
        Ids of the runs.
    """
    job, claim = queue.claim_next(workspace, KINDS, "cpu")
    result = TASKS.get(job.kind)(workspace, job.id, job.spec, silent)
    queue.finish(workspace, job.id, claim, "succeeded", result=result)
    runs = {run: way for way, own in result["runs"].items() for run in own}
    for _ in runs:
        train, claim = queue.claim_next(workspace, ["train"], "cpu")
        seed = train.spec["seed"]
        made = add_run(workspace, load_prepared(workspace, train.spec["prepared"]), train.id, seed=seed)
        report = add_report(workspace, made, right=shares[runs[train.id]][seed], seed=seed)
        figures = {name: report[name] for name in ("accuracy", "macro_f1")}
        queue.finish(workspace, train.id, claim, "succeeded", result=figures)
    return list(runs)


def write_pictures(folder: Path, labels: Sequence[int]) -> list[Path]:
    """PNG files of `pictures`, one a label."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"cell-{number}.png" for number in range(len(labels))]
    for path, image in zip(paths, pictures(labels), strict=True):
        Image.fromarray(image).save(path)
    return paths
