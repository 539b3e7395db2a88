"""Light, dark, contrast and sharpness of the luminance."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.base import Chunk, Measure

PERCENTILES = (1, 5, 50, 95, 99)
DARK, BRIGHT = 8, 247
"""Luminance up to which a pixel counts as black, and from which as white (0..255)."""


def _compute(chunk: Chunk) -> dict[str, NDArray[Any]]:
    count, height, width = chunk.grey.shape
    histograms = np.empty((count, 256), dtype=np.float32)
    sharpness = np.empty(count, dtype=np.float32)
    contrast = np.empty(count, dtype=np.float32)
    for index, image in enumerate(chunk.grey):
        histograms[index] = cv2.calcHist([image], [0], None, [256], [0, 256]).ravel()
        _, edges = cv2.meanStdDev(cv2.Laplacian(image, cv2.CV_16S))
        _, spread = cv2.meanStdDev(image)
        contrast[index] = spread[0, 0]
        # One grey level of variance keeps a flat picture's noise from reading as sharpness.
        sharpness[index] = edges[0, 0] ** 2 / (spread[0, 0] ** 2 + 1.0)
    share = np.cumsum(histograms, axis=1) / (height * width)
    percentiles = [(share < percent / 100).sum(axis=1) for percent in PERCENTILES]
    return {
        "luminance": np.stack(percentiles, axis=1).astype(np.float32),
        "dark": share[:, DARK].astype(np.float32),
        "bright": (1.0 - share[:, BRIGHT - 1]).astype(np.float32),
        "sharpness": sharpness,
        "contrast": contrast,
    }


TONE = Measure("tone", ("luminance", "dark", "bright", "sharpness", "contrast"), _compute)
"""`luminance`: at the 1st, 5th, 50th, 95th and 99th percentile, float32 (n, 5), 0..255. `dark`, `bright`:
share of pixels with luminance up to 8, and from 247, float32 (n,), 0..1. `sharpness`: variance of the
Laplacian over that of the luminance, float32 (n,), from 0, without a unit: brightness and contrast leave it
as it was. `contrast`: standard deviation of the luminance, float32 (n,), 0..128."""
