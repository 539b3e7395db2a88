"""Procedural blood cells: something to try the lab on where no real image is at hand."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.datasets.cells import PAINTERS, photograph
from wbc_core.datasets.demo import PlannedImage, plan_demo, truth_of
from wbc_core.datasets.painting import SIZE
from wbc_core.datasets.store import DatasetWriter
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace

DEMO_CLASSES = tuple(PAINTERS)
_CHUNK = 64
_SMALLEST = 80


def draw_cells(generator: np.random.Generator, labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Paint one Giemsa-stained cell for each label.

    Args:
        generator: Source of everything random; the same state gives the same pixels.
        labels: Indices into `DEMO_CLASSES`, integers of shape (n,).

    Returns:
        uint8 of shape (n, 96, 96, 3), 0..255.

    Example:
        >>> draw_cells(np.random.default_rng(0), np.array([0, 7])).shape
        (2, 96, 96, 3)
    """
    images = np.empty((len(labels), SIZE, SIZE, 3), np.uint8)
    painters = list(PAINTERS.values())
    for row, label in enumerate(labels):
        picture = photograph(generator, painters[label](generator))
        images[row] = np.clip(np.round(picture), 0, 255)
    return images


def _make(seed: int, planned: PlannedImage) -> NDArray[np.uint8]:
    # A stream a cell, so that a copy is painted again instead of being kept in memory.
    generator = np.random.default_rng([seed, planned.picture])
    image = draw_cells(generator, np.array([planned.drawn]))[0]
    return image if planned.defect is None else planned.defect(generator, image)


def build_demo_dataset(
    workspace: Workspace, *, seed: int = 0, images: int = 800, progress: Progress = silent
) -> Dataset:
    """Build the data set `demo`: eight classes, imbalanced, with planted defects.

    Planted are foreign blends (one of them repeated under every label), exact duplicates (some under another
    label), near duplicates, blurred and wrongly exposed images and swapped labels. `truth.json` in the folder
    of the data set lists their rows by kind.

    Args:
        workspace: The workspace to write to.
        seed: Seed of everything random; the same seed gives the same bytes.
        images: Number of images, at least 80.
        progress: Told the fraction done.

    Raises:
        WbcError: Too few images are asked for.
    """
    if images < _SMALLEST:
        raise WbcError("The demo would be too small.", expected=f"at least {_SMALLEST} images", got=images)
    planned = plan_demo(np.random.default_rng([seed]), images)
    with DatasetWriter(workspace, "demo", DEMO_CLASSES, (SIZE, SIZE, 3)) as writer:
        for start in range(0, images, _CHUNK):
            chunk = planned[start : start + _CHUNK]
            pixels = np.stack([_make(seed, image) for image in chunk])
            labels = np.array([image.label for image in chunk])
            sources = [f"demo-{row:05d}" for row in range(start, start + len(chunk))]
            writer.append(pixels, labels, sources, np.full((len(chunk), 2), SIZE))
            progress(writer.rows / images, f"Painted {writer.rows:,} of {images:,} cells")
        dataset = writer.finish("painted by the lab itself")
    workspace.write_json(workspace.dataset_dir(dataset.id) / "truth.json", truth_of(planned))
    return dataset
