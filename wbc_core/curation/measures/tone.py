"""Light, dark, contrast, information, sharpness and noise of the luminance."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.base import Chunk, Measure
from wbc_core.curation.measures.detail import edge_variance_and_noise
from wbc_core.curation.measures.pixel_loops import count_levels

PERCENTILES = (1, 5, 50, 95, 99)
EXTREMES = (0.1, 99.9)
DARK, BRIGHT = 8, 247
"""Luminance up to which a pixel counts as black, and from which as white (0..255)."""

_LEVELS = np.arange(256, dtype=np.float64)


def _percentiles(share: NDArray[np.float64], percents: tuple[float, ...]) -> NDArray[np.float32]:
    """Lowest level up to which at least that share of the pixels lies."""
    levels = [(share >= percent / 100).argmax(axis=1) for percent in percents]
    return np.stack(levels, axis=1).astype(np.float32)


def _compute(chunk: Chunk) -> dict[str, NDArray[Any]]:
    count, height, width = chunk.grey.shape
    pixels = height * width
    counts = np.zeros((count, 256), dtype=np.int64)
    count_levels(chunk.grey.reshape(count, pixels), counts)
    part = counts / pixels
    share = np.cumsum(counts, axis=1) / pixels
    # Whole numbers add up to the same however many pictures are multiplied at once.
    mean, squares = (counts @ np.stack([_LEVELS, _LEVELS**2], axis=1) / pixels).T
    variance = np.maximum(squares - mean**2, 0.0)
    information = part * np.log2(part, out=np.zeros_like(part), where=part > 0)
    edges, noise = edge_variance_and_noise(chunk.grey)
    return {
        "luminance": _percentiles(share, PERCENTILES),
        "extremes": _percentiles(share, EXTREMES),
        "dark": share[:, DARK].astype(np.float32),
        "bright": (1.0 - share[:, BRIGHT - 1]).astype(np.float32),
        "contrast": np.sqrt(variance).astype(np.float32),
        "entropy": np.maximum(-information.sum(axis=1), 0.0).astype(np.float32),
        # One grey level of variance keeps a flat picture's noise from reading as sharpness.
        "sharpness": (edges / (variance + 1.0)).astype(np.float32),
        "noise": noise.astype(np.float32),
    }


TONE = Measure(
    "tone",
    ("luminance", "extremes", "dark", "bright", "contrast", "entropy", "sharpness", "noise"),
    _compute,
    version=3,
)
"""`luminance`: at the 1st, 5th, 50th, 95th and 99th percentile, float32 (n, 5), 0..255. `extremes`: at 0.1
and 99.9 %, float32 (n, 2). `dark`, `bright`: share of pixels with luminance up to 8, and from 247, float32
(n,), 0..1. `contrast`: standard deviation of the luminance, float32 (n,), 0..128. `entropy`: of the
histogram of the luminance, float32 (n,), 0..8 bits a pixel. `sharpness`: variance of the Laplacian over that
of the luminance, float32 (n,), from 0, without a unit: brightness and contrast leave it as it was. `noise`:
standard deviation of the noise in the luminance, float32 (n,), in grey levels."""
