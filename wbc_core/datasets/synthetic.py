"""Procedural blood cells: something to try the lab on where no real image is at hand."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.datasets.cells import PAINTERS, photograph
from wbc_core.datasets.painting import SIZE

DEMO_CLASSES = tuple(PAINTERS)


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
