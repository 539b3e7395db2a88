"""A small set of painted cells with planted defects at known rows."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from wbc_core.datasets.store import DatasetWriter
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace

Store = Callable[..., Dataset]


def write_dataset(
    workspace: Workspace, images: NDArray[np.uint8], labels: NDArray[np.int64] | None = None, classes: int = 2
) -> Dataset:
    """Write images and labels as a data set."""
    labels = np.arange(len(images)) % classes if labels is None else labels
    names = [f"class {number}" for number in range(classes)]
    shape = (images.shape[1], images.shape[2], 3)
    sizes = np.tile([images.shape[2], images.shape[1]], (len(images), 1))
    with DatasetWriter(workspace, "small", names, shape) as writer:
        writer.append(images, labels, [f"{row}.png" for row in range(len(images))], sizes)
        return writer.finish("a test")


@pytest.fixture
def store(workspace: Workspace) -> Store:
    """Write images and labels as a data set of the test's workspace."""
    return partial(write_dataset, workspace)


def noise_images(count: int, side: int = 16, seed: int = 0) -> NDArray[np.uint8]:
    """Images of smooth noise, all different."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(60, 200, size=(count, side // 4, side // 4, 3))
    return coarse.repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)


def hidden_conflict(workspace: Workspace) -> Dataset:
    """Rows 4 and 5 hold the same pixels under two labels; row 6 is a better picture of what row 4 shows."""
    images = np.asarray(draw_cells(np.random.default_rng(3), np.arange(12) % 8))
    images[[4, 5]] = cv2.GaussianBlur(images[6], (0, 0), 1.6)
    return write_dataset(workspace, images, np.isin(np.arange(12), [5, 10, 11]).astype(np.int64))
