"""Probabilities from a trained run, in chunks."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.shifts import ShiftedImages
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.quiet import import_keras_quietly
from wbc_core.training.data import padded_chunks
from wbc_core.training.runs import load_run
from wbc_core.wording import counted
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

BATCH = 64
"""Most images a call: with more, a CPU spends its time on fresh memory; see benchmarks/inference.py."""


def best_model_path(workspace: Workspace, run_id: str) -> Path:
    """The file with the weights of a run's best epoch.

    Raises:
        WbcError: There is no such run, or none of its epochs has finished.
    """
    run = load_run(workspace, run_id)
    path = workspace.run_dir(run_id) / "best.keras"
    if not path.exists():
        raise WbcError(
            f"Run {run_id} has no model yet: none of its {run.spec.epochs} epochs has finished.",
            fix="Wait for its first epoch, or resume it.",
        )
    return path


def load_model(workspace: Workspace, run_id: str) -> "keras.Model":
    """Open the best weights of a run.

    Returns:
        A model from (n, H, W, 3), uint8 or float 0..255, to (n, K) float32 probabilities, in the order of the
        run's class names.

    Raises:
        WbcError: There is no such run, none of its epochs has finished, or its file is damaged.
    """
    path = best_model_path(workspace, run_id)
    import_keras_quietly()
    import keras

    try:
        return keras.saving.load_model(path, safe_mode=True, compile=False)
    except Exception as error:  # zip, JSON, HDF5 and every layer fail in their own way
        raise WbcError(
            f"The model of run {run_id} is damaged.",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix="Train it again, or restore best.keras from a backup.",
        ) from error


def symmetries(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The images under the symmetries of their frame: 8 for a square, 4 for a rectangle.

    Args:
        images: uint8 (n, H, W, 3).

    Returns:
        Arrays of the same shape; the first is the images as they were.

    Example:
        >>> [len(symmetries(np.zeros((1, 4, width, 3), np.uint8))) for width in (4, 2)]
        [8, 4]
    """
    square = images.shape[1] == images.shape[2]
    turned = [np.rot90(images, turns, axes=(1, 2)) for turns in range(0, 4, 1 if square else 2)]
    return [np.ascontiguousarray(view) for image in turned for view in (image, image[:, :, ::-1])]


def predict_probabilities(
    model: "keras.Model",
    images: NDArray[np.uint8] | ShiftedImages,
    tta: bool = False,
    progress: Progress = silent,
    *,
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """The probability of each class for each image.

    Args:
        model: A model of `load_model`.
        images: uint8 (N, H, W, 3); may be memory-mapped or shifted, at most 64 are read at a time.
        tta: Average over the symmetries of the frame (test-time augmentation); 8 times the work.
        progress: Told the share of images done.
        rows: Only these rows, in this order; all when None.

    Returns:
        float32 (n, K); rows sum to 1.

    Raises:
        WbcError: The images do not have the size that the model was trained on.
    """
    expected = tuple(model.input_shape[1:])
    if images.ndim != 4 or images.shape[1:] != expected:
        raise WbcError(
            "The images do not have the size that the model was trained on.",
            expected=" x ".join(map(str, expected)),
            got=" x ".join(map(str, images.shape[1:])),
            fix="Import or resize them to that size.",
        )
    rows = np.arange(len(images)) if rows is None else rows
    count = len(rows)
    result = np.empty((count, model.output_shape[-1]), np.float32)
    size = math.ceil(count / math.ceil(count / BATCH)) if count else BATCH
    for place, chunk in padded_chunks(images, rows, size):
        views = symmetries(chunk) if tta else [chunk]
        answers = np.mean([model.predict_on_batch(view) for view in views], axis=0)
        result[place] = answers[: place.stop - place.start]
        progress(place.stop / count, f"{place.stop:,} of {counted(count, 'image')}")
    return result
