"""Explain what a run named an image: maps and nearest train images, made once and kept."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.datasets.store import IMAGE_ID_DIGITS, load_table, open_images
from wbc_core.errors import WbcError
from wbc_core.evaluation import explanations
from wbc_core.evaluation.browsing import cell_images
from wbc_core.evaluation.explanations import Explanation, MixUp
from wbc_core.evaluation.grad_cam import BATCH, GradCam
from wbc_core.evaluation.neighbours import TrainImages
from wbc_core.evaluation.occlusion import check_patch, default_patch, occlusion_drops
from wbc_core.evaluation.pictures import read_named
from wbc_core.evaluation.report import sha256_of
from wbc_core.evaluation.reports import load_predictions, load_report
from wbc_core.progress import Progress, part_of, silent
from wbc_core.splitting import split_table
from wbc_core.training.predict import best_model_path, load_model
from wbc_core.training.runs import load_run, refuse_ensemble
from wbc_core.wording import counted
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

_PREPARED = 0.5
"""Share of the progress of the first image that goes to the train images."""


class _Subject:
    """An image to explain, and what is known of it."""

    def __init__(self, image: NDArray[np.uint8], image_id: str) -> None:
        self.image, self.image_id = image, image_id
        self.row: int | None = None
        self.label: int | None = None
        self.part: str | None = None


class Explainer:
    """Explains what one run named images; the model is opened only when something is not known yet.

    Args:
        workspace: The lab.
        run_id: Id of the run; its best epoch counts.
        patch: Side of the occlusion patch, in pixels; a sixth of the image's by default.
        stride: Distance of neighbouring patches, in pixels; half the patch by default.

    Raises:
        WbcError: No such run, no model yet, or patches that do not fit or leave gaps.
    """

    def __init__(
        self,
        workspace: Workspace,
        run_id: str,
        *,
        patch: int | None = None,
        stride: int | None = None,
    ) -> None:
        self._workspace = workspace
        self._known_train: TrainImages | None = None
        self.run = load_run(workspace, run_id)
        refuse_ensemble(self.run, "an explanation")
        self.patch, self.stride = patch_of(self.run.image_shape, patch, stride)
        self.checksum = sha256_of(best_model_path(workspace, run_id))

    @cached_property
    def _model(self) -> "keras.Model":
        return load_model(self._workspace, self.run.id)

    @cached_property
    def _grad_cam(self) -> GradCam:
        return GradCam(self._model)

    def _train(self, progress: Progress) -> TrainImages:
        if self._known_train is None:
            self._known_train = TrainImages(self._workspace, self.run, progress)
        return self._known_train

    def rows(self, rows: Sequence[int], progress: Progress = silent) -> list[Explanation]:
        """Explain images of the run's data set, in this order.

        Args:
            rows: Row numbers.
            progress: Told the fraction done.

        Raises:
            WbcError: There is no such row.
        """
        table = load_table(self._workspace, self.run.dataset)
        wrong = [row for row in rows if not 0 <= row < len(table)]
        if wrong:
            raise WbcError(
                f"There is no row {wrong[0]} in the run's data set.",
                expected=f"0 to {len(table) - 1}",
                fix="Take row numbers from the report or from `wbc findings`.",
            )
        split = split_table(self._workspace, self.run.split).set_index("row")
        images = open_images(self._workspace, self.run.dataset)
        subjects = []
        for row in rows:
            subject = _Subject(np.array(images[row]), str(table["image_id"].iloc[row]))
            # The split knows what decisions made of the label.
            known = row in split.index
            subject.row = row
            subject.label = int(split["label"].loc[row] if known else table["label"].iloc[row])
            subject.part = str(split["part"].loc[row]) if known else None
            subjects.append(subject)
        return self._explain(subjects, progress)

    def pictures(self, source: Path, names: Sequence[str], progress: Progress = silent) -> list[Explanation]:
        """Explain pictures of no data set, in this order.

        Args:
            source: A picture, a folder, a zip archive, or an npz file with images.
            names: Names of the pictures in it, as `predict_source` gave them.
            progress: Told the fraction done.

        Raises:
            WbcError: One of them is no longer there, or cannot be read.
        """
        found = read_named(source, set(names), self.run.image_shape)
        gone = [name for name in names if name not in found]
        if gone:
            raise WbcError(
                f"The picture {gone[0]} is no longer in {source.name}.", fix="Predict the pictures again."
            )
        subjects = [_Subject(found[name], picture_id(found[name])) for name in names]
        return self._explain(subjects, progress)

    def mix_up(self, true: int, predicted: int, images: pd.DataFrame, progress: Progress = silent) -> MixUp:
        """Average the maps of images that were confused in one way.

        Args:
            true: Their class, as a number.
            predicted: The class that they were taken for.
            images: Columns row and image_id; at least one line.
            progress: Told the fraction done.
        """
        ids = images["image_id"].tolist()
        known = explanations.load_mix_up(self._workspace, self.run.id, self.checksum, (true, predicted), ids)
        if known is not None:
            return known
        pixels = open_images(self._workspace, self.run.dataset)
        rows = images["row"].to_numpy(np.int64)
        total = np.zeros(self.run.image_shape, np.float64)
        maps: NDArray[np.float64] | float = 0.0
        for start in range(0, len(rows), BATCH):
            progress(start / len(rows), f"Averaging {counted(len(rows), 'image')}")
            chunk = np.asarray(pixels[rows[start : start + BATCH]])
            total += chunk.sum(axis=0, dtype=np.float64)
            maps = maps + self._grad_cam(chunk).maps.sum(axis=0, dtype=np.float64)
        made = MixUp(
            true=true,
            predicted=predicted,
            count=len(rows),
            image=np.rint(total / len(rows)).astype(np.uint8),
            grad_cam=np.asarray(maps / len(rows), np.float32),
        )
        explanations.save_mix_up(self._workspace, self.run.id, self.checksum, ids, made)
        return made

    def _explain(self, subjects: Sequence[_Subject], progress: Progress) -> list[Explanation]:
        made = []
        for number, subject in enumerate(subjects):
            known = explanations.load_explanation(
                self._workspace, self.run.id, self.checksum, subject.image_id, self.patch, self.stride
            )
            begin, end = ((number + more) / len(subjects) for more in (0, 1))
            made.append(known or self._explain_one(subject, part_of(progress, begin, end)))

        progress(1.0, f"Explained {counted(len(made), 'image')}")
        return made

    def _explain_one(self, subject: _Subject, progress: Progress) -> Explanation:
        where = f"Explaining {'a picture' if subject.row is None else f'row {subject.row:,}'}"
        progress(0.0, where)
        train = self._train(part_of(progress, 0.0, _PREPARED))
        progress(_PREPARED, where)
        explained = self._grad_cam(subject.image[None])
        made = Explanation(
            image_id=subject.image_id,
            image=subject.image,
            row=subject.row,
            label=subject.label,
            part=subject.part,
            probabilities=explained.probabilities[0],
            grad_cam=explained.maps[0],
            drops=occlusion_drops(
                self._model, subject.image, self.patch, self.stride, part_of(progress, _PREPARED, 1.0)
            ),
            patch=self.patch,
            stride=self.stride,
            neighbours=tuple(train.nearest(subject.image, explained.embedding[0], subject.row)),
        )
        explanations.save_explanation(self._workspace, self.run.id, self.checksum, made)
        return made


def patch_of(
    shape: tuple[int, int, int], patch: int | None = None, stride: int | None = None
) -> tuple[int, int]:
    """Side of the occlusion patch and stride, in pixels, with what is not given by default.

    Raises:
        WbcError: The patches do not fit the image or leave gaps.

    Example:
        >>> patch_of((96, 96, 3)), patch_of((96, 96, 3), patch=20)
        ((16, 8), (20, 10))
    """
    patch = default_patch(shape)[0] if patch is None else patch
    stride = max(1, patch // 2) if stride is None else stride
    check_patch(shape, patch, stride)
    return patch, stride


def find_cell(class_names: Sequence[str], text: str) -> tuple[int, int]:
    """Read the true and the predicted class of a mix-up; a comma may be part of a name.

    Raises:
        WbcError: It does not name two classes.

    Example:
        >>> find_cell(["a", "b", "c,d"], "c,d,a")
        (2, 0)
    """
    words = text.split(",")
    for place in range(1, len(words)):
        true, predicted = ",".join(words[:place]).strip(), ",".join(words[place:]).strip()
        if true in class_names and predicted in class_names:
            return class_names.index(true), class_names.index(predicted)
    raise WbcError(
        "The mix-up does not name two classes.",
        expected=f"TRUE,PREDICTED, each one of {', '.join(class_names)}",
        got=repr(text),
    )


def picture_id(image: NDArray[np.uint8]) -> str:
    """Id of a picture of no data set, by its pixels in the model's size, uint8 (H, W, 3)."""
    digest = hashlib.sha256(image.tobytes()).hexdigest()
    return f"picture-{digest[:IMAGE_ID_DIGITS]}"


def confused_images(
    workspace: Workspace, run_id: str, true: int, predicted: int, report: str | None = None
) -> pd.DataFrame:
    """The held-out images of one cell of a run's confusion matrix, the least probable true class first.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        true: Their class, as a number.
        predicted: The class that they were taken for.
        report: Name of the report; by default the test part's, else the validation part's.

    Returns:
        Columns row and image_id, and those of `browsing.cell_images`.

    Raises:
        WbcError: No such report, one of images that are not kept, or no image in the cell.
    """
    about = load_report(workspace, run_id, report)
    names: Mapping[int, str] = dict(enumerate(about["classes"]))
    if about["part"] == "file" or about.get("shift"):
        raise WbcError(
            "The images of this report are not kept, so they cannot be explained.",
            expected="a report on held-out images of the data set, as they are",
            fix=f"Run `wbc evaluate {run_id}` first.",
        )
    predictions = load_predictions(workspace, run_id, report)
    images = cell_images(predictions, true, predicted)
    if images.empty:
        raise WbcError(
            f"No {names[true]} of the {about['part']} part was taken for {names[predicted]}.",
            fix="Choose another cell of the confusion matrix.",
        )
    return images.merge(predictions[["row", "image_id"]], on="row")
