"""Decode once, measure all: what every check reads, computed in one pass over the stored images and kept."""

import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.curation.appearance import appearance
from wbc_core.datasets.store import load_table, open_images
from wbc_core.progress import Progress, silent
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace

VERSION = 1
"""Raised whenever a measurement changes, so that older files are measured again."""

CHUNK = 512
THUMBNAIL = 32
"""Side of the grey thumbnails, in pixels."""

PERCENTILES = (1, 5, 50, 95, 99)
DARK, BRIGHT = 8, 247
"""Luminance up to which a pixel counts as black, and from which as white (0..255)."""

_ARRAYS = ("luminance", "dark", "bright", "sharpness", "contrast", "appearance", "thumbnails")


@dataclass(frozen=True)
class Measurements:
    """What was measured on each image of a data set, in row order.

    Attributes:
        image_ids: Image ids, `-k` at the end of the k-th further copy of the same pixels.
        labels: Labels as imported, int64 (n,).
        class_names: Class names.
        luminance: Luminance at the 1st, 5th, 50th, 95th and 99th percentile, float32 (n, 5), 0..255.
        dark, bright: Share of pixels with luminance up to 8, and from 247, float32 (n,), 0..1.
        sharpness: Variance of the Laplacian over the variance of the luminance, float32 (n,), from 0; a
            measure without a unit that a change of brightness or contrast leaves as it was.
        contrast: Standard deviation of the luminance, float32 (n,), 0..128.
        appearance: Colour and texture, float32 (n, features); see `appearance.FEATURES`.
        thumbnails: Grey thumbnails, uint8 (n, 32, 32).
    """

    image_ids: tuple[str, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    luminance: NDArray[np.float32]
    dark: NDArray[np.float32]
    bright: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    appearance: NDArray[np.float32]
    thumbnails: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.image_ids)

    @cached_property
    def first_copy(self) -> NDArray[np.int64]:
        """For each row the first row with the same pixels, int64 (n,)."""
        codes, _ = pd.factorize(pd.Series(self.image_ids).str.partition("-")[0])
        _, first = np.unique(codes, return_index=True)
        return first[codes].astype(np.int64)

    @cached_property
    def unique_rows(self) -> NDArray[np.int64]:
        """Rows of the distinct pictures, the first copy of each, int64, rising."""
        return np.flatnonzero(self.first_copy == np.arange(len(self))).astype(np.int64)

    @cached_property
    def copies(self) -> NDArray[np.int64]:
        """For each row how many rows have its pixels, itself included, int64 (n,)."""
        return np.bincount(self.first_copy, minlength=len(self))[self.first_copy].astype(np.int64)


def _measure_chunk(images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    count, height, width, _ = images.shape
    # One call converts the whole chunk: the images are stacked into one tall picture.
    tall = cv2.cvtColor(images.reshape(count * height, width, 3), cv2.COLOR_RGB2GRAY)
    grey = np.asarray(tall, dtype=np.uint8).reshape(count, height, width)
    histograms = np.empty((count, 256), dtype=np.float32)
    sharpness = np.empty(count, dtype=np.float32)
    contrast = np.empty(count, dtype=np.float32)
    thumbnails = np.empty((count, THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    shrink = cv2.INTER_AREA if min(height, width) >= THUMBNAIL else cv2.INTER_LINEAR
    for index, image in enumerate(grey):
        histograms[index] = cv2.calcHist([image], [0], None, [256], [0, 256]).ravel()
        _, edges = cv2.meanStdDev(cv2.Laplacian(image, cv2.CV_16S))
        _, spread = cv2.meanStdDev(image)
        contrast[index] = spread[0, 0]
        # One grey level of variance keeps a flat picture's noise from reading as sharpness.
        sharpness[index] = edges[0, 0] ** 2 / (spread[0, 0] ** 2 + 1.0)
        cv2.resize(image, (THUMBNAIL, THUMBNAIL), dst=thumbnails[index], interpolation=shrink)
    share = np.cumsum(histograms, axis=1) / (height * width)
    percentiles = [(share < percent / 100).sum(axis=1) for percent in PERCENTILES]
    return {
        "luminance": np.stack(percentiles, axis=1).astype(np.float32),
        "dark": share[:, DARK].astype(np.float32),
        "bright": (1.0 - share[:, BRIGHT - 1]).astype(np.float32),
        "sharpness": sharpness,
        "contrast": contrast,
        "appearance": appearance(images),
        "thumbnails": thumbnails,
    }


def _measure_all(workspace: Workspace, dataset: Dataset, progress: Progress) -> dict[str, NDArray[Any]]:
    starts = range(0, dataset.images, CHUNK)

    def job(start: int) -> dict[str, NDArray[Any]]:
        # Mapped anew for each chunk, so that pages already read do not count as memory in use.
        return _measure_chunk(np.array(open_images(workspace, dataset.id)[start : start + CHUNK]))

    arrays: dict[str, NDArray[Any]] = {}
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for start, chunk in zip(starts, pool.map(job, starts), strict=True):
            for name, values in chunk.items():
                if name not in arrays:
                    arrays[name] = np.empty((dataset.images, *values.shape[1:]), dtype=values.dtype)
                arrays[name][start : start + len(values)] = values
            progress(min(1.0, (start + CHUNK) / dataset.images), "measuring the images")
    return arrays


def measure(workspace: Workspace, dataset: Dataset, progress: Progress = silent) -> Measurements:
    """Measure every image of a data set, or read what was measured before.

    Args:
        workspace: The lab.
        dataset: The data set.
        progress: Told the fraction done.

    Returns:
        The measurements, in row order. The same pixels give the same numbers, whatever the chunk.

    Raises:
        WbcError: No such data set.
    """
    table = load_table(workspace, dataset.id)
    path = workspace.findings_dir(dataset.id) / f"measurements-v{VERSION}.npz"
    arrays = _read(path, dataset.images)
    if arrays is None:
        arrays = _measure_all(workspace, dataset, progress)
        with workspace.atomic_path(path) as scratch, scratch.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
    return Measurements(
        image_ids=tuple(table["image_id"]),
        labels=table["label"].to_numpy(dtype=np.int64),
        class_names=dataset.class_names,
        **{name: arrays[name] for name in _ARRAYS},
    )


def _read(path: Path, images: int) -> dict[str, NDArray[Any]] | None:
    """The arrays of an earlier pass; None where there is none or the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return arrays if all(len(array) == images for array in arrays.values()) else None
