"""Evaluate a run: predict what it never learnt from, score the predictions, write both down."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.augment.shifts import ShiftedImages, check_shift
from wbc_core.datasets.importers import import_source
from wbc_core.datasets.store import load_table, open_images
from wbc_core.errors import WbcError
from wbc_core.evaluation.confidence import confidence_figures, is_of_validation, validation_predictions
from wbc_core.evaluation.leaky_held_out import with_synthetic
from wbc_core.evaluation.reports import predictions_table, save_report
from wbc_core.evaluation.scoring import score
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Json
from wbc_core.splitting import load_split, split_table
from wbc_core.training.runs import Run, load_run
from wbc_core.wording import counted
from wbc_core.workspace import Workspace, now

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class LabelledImages:
    """Images that a run is judged on.

    Attributes:
        part: `test`, `validation` or `file`.
        images: uint8 (N, H, W, 3), memory-mapped.
        table: The images that count, in order: row (in `images`), image_id, label.
        origin: What the report says about where they come from.
    """

    part: str
    images: NDArray[np.uint8]
    table: pd.DataFrame
    origin: Json = field(default_factory=dict)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def held_out(workspace: Workspace, run: Run, part: str | None = None) -> LabelledImages:
    """The images that a run never learnt from, in the data set's order.

    Args:
        workspace: The lab.
        run: The run.
        part: Part of its split; by default `test` where there is one, else `validation`.
    """
    part = part or ("test" if "test" in load_split(workspace, run.split).parts else "validation")
    table = split_table(workspace, run.split)
    chosen = table[table["part"] == part].sort_values("row", ignore_index=True)
    return LabelledImages(part, open_images(workspace, run.dataset), chosen[["row", "image_id", "label"]])


def _labels_of_run(
    labels: NDArray[np.int64], named: tuple[str, ...], run: Run, file: Path
) -> NDArray[np.int64]:
    """Labels of a file in the run's own order of classes."""
    ours = run.class_names
    if set(named) == set(ours) and len(named) == len(ours):
        return np.array([ours.index(name) for name in named], dtype=np.int64)[labels]
    # A file without names has its classes called 0, 1, ..: they are then taken in the run's order.
    if named == tuple(str(number) for number in range(len(ours))):
        return labels
    raise WbcError(
        f"The classes of {file.name} are not those of run {run.id}.",
        expected=f"{len(ours)} classes: {', '.join(ours)}",
        got=f"{len(named)}: {', '.join(named[:20])}",
        fix="Evaluate on a file with the same classes.",
    )


@contextmanager
def labelled_file(workspace: Workspace, file: Path, run: Run) -> Iterator[LabelledImages]:
    """Open a file of labelled images for a while, by the rules of an import and without keeping it.

    Args:
        workspace: The lab, whose scratch folder holds the pixels meanwhile.
        file: An npz file; its labels are in the run's order of classes unless it carries `class_names`.
        run: The run; its image size is what the images are brought to, its classes must be the file's.

    Raises:
        WbcError: It is no npz file or a broken one, or its classes are others.
    """
    if file.suffix.lower() != ".npz" or not file.is_file():
        raise WbcError(
            f"{file.name} cannot be evaluated on.",
            expected="an npz file with images and labels",
            fix="`wbc clean DATASET --export FILE.npz` writes one.",
        )
    workspace.scratch_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=workspace.scratch_name().name, dir=workspace.scratch_dir) as scratch:
        inner = Workspace(scratch)
        height, width, _ = run.image_shape
        dataset = import_source(inner, file, name="file", size=height if height == width else None).dataset
        table = load_table(inner, dataset.id)[["row", "image_id", "label"]]
        labels = table["label"].to_numpy(dtype=np.int64)
        table["label"] = _labels_of_run(labels, dataset.class_names, run, file)
        origin = {"file": file.name, "file_sha256": sha256_of(file)}
        yield LabelledImages("file", open_images(inner, dataset.id), table, origin)


@contextmanager
def _images_for(workspace: Workspace, run: Run, data: Path | None) -> Iterator[LabelledImages]:
    if data is None:
        yield held_out(workspace, run)
    else:
        with labelled_file(workspace, data, run) as labelled:
            yield labelled


def _origin(run: Run, model: Path) -> Json:
    """What a report is about: the run, what it learnt from, and its model."""
    return {
        "run": run.id,
        "backbone": run.backbone,
        "dataset": run.dataset,
        "split": run.split,
        "prepared": run.prepared,
        "leaky": run.leaky,
        "model_sha256": sha256_of(model),
        "parameters": run.parameters,
        "file_size_bytes": model.stat().st_size,
        "training_seconds": run.seconds,
        "classes": list(run.class_names),
    }


def evaluate_run(
    workspace: Workspace,
    run_id: str,
    *,
    data: Path | None = None,
    tta: bool = False,
    shift: str | None = None,
    strength: int = 3,
    model: "keras.Model | None" = None,
    progress: Progress = silent,
) -> Json:
    """Evaluate the best model of a run and save the report with its predictions.

    The validation images are predicted too where they were not yet by this model, and get a report of their
    own: the temperature and the thresholds of every other report are chosen on them.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        data: An npz file of labelled images; by default the split's test part if it has one, else validation.
        tta: Whether to average over the symmetries of every image (test-time augmentation).
        shift: Name of a shift that the images are put through first; see `wbc_core.augment.shifts`.
        strength: Its strength, 1 to 5.
        model: The run's model where it is loaded already.
        progress: Where to report.

    Returns:
        The figures of `scoring.score`, under `confidence` those of `confidence.confidence_figures`, and where
        they come from: run, dataset, split, prepared, SHA-256 of the model, part (`test`, `validation` or
        `file`), parameters, `training_seconds`, and so on. `leaky` is true where held-out images helped make
        the prepared set, so that all figures are too good; beside those of the real images stand then, as
        `leaky_held_out`, those of `leaky_held_out.with_synthetic`.

    Raises:
        WbcError: No such run, shift or strength, no model yet, or a file that cannot be used.
    """
    from wbc_core.training.predict import load_model

    if shift:
        check_shift(shift, strength)
    run = load_run(workspace, run_id)
    with _images_for(workspace, run, data) as labelled:
        progress(0.0, "Loading the model")
        model = model or load_model(workspace, run_id)
        of_validation = labelled.part == "validation"
        if of_validation or validation_predictions(workspace, run_id, tta=tta) is not None:
            share_before = 0.05
        else:
            validation, share_before = held_out(workspace, run, "validation"), 0.5
            _judge(workspace, run, model, validation, tta, None, part_of(progress, 0.05, share_before))
        shifted = (shift, strength) if shift else None
        report = _judge(workspace, run, model, labelled, tta, shifted, part_of(progress, share_before, 1.0))
    progress(1.0, f"Evaluated {counted(report['images'], 'image')}")
    return report


def _judge(
    workspace: Workspace,
    run: Run,
    model: "keras.Model",
    labelled: LabelledImages,
    tta: bool,
    shifted: tuple[str, int] | None,
    progress: Progress,
) -> Json:
    """Predict labelled images, score the predictions and save both."""
    from wbc_core.training.predict import predict_probabilities

    started = time.monotonic()
    rows = labelled.table["row"].to_numpy(dtype=np.int64)
    labels = labelled.table["label"].to_numpy(dtype=np.int64)
    images = ShiftedImages(labelled.images, *shifted) if shifted else labelled.images
    probabilities = predict_probabilities(model, images, tta, progress, rows=rows)
    predictions = predictions_table(
        rows, labelled.table["image_id"].tolist(), labels, probabilities, run.class_names
    )
    report = _origin(run, workspace.run_dir(run.id) / "best.keras") | {"part": labelled.part, "tta": tta}
    if shifted:
        report |= {"shift": shifted[0], "strength": shifted[1]}
    elif run.leaky and labelled.part != "file":
        report["leaky_held_out"] = with_synthetic(
            workspace, run, labelled.part, labels, probabilities, model, tta
        )
    report |= labelled.origin | score(labels, probabilities, run.class_names)
    of_validation = is_of_validation(report)
    report["confidence"] = confidence_figures(
        labels,
        probabilities,
        None if of_validation else validation_predictions(workspace, run.id, tta=tta),
        of_validation=of_validation,
    )
    report |= {"seconds": time.monotonic() - started, "created": now()}
    save_report(workspace, report, predictions)
    return report
