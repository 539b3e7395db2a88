"""Colour and texture in a few dozen numbers, without any downloaded weights.

Which numbers was settled by measurement, see docs/decisions/003-finding-foreign-images.md: percentiles of the
CIELAB channels found more foreign images than histograms, ring profiles, small layouts or power spectra did.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.base import Chunk, Measure
from wbc_core.curation.measures.pixel_loops import describe_colours, describe_edges

SIDE = 48
"""Side to which images are brought before their edges are read, in pixels; colours are read at half of it."""

_SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_EDGE_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
_CHANNELS = ("lightness", "green-red", "blue-yellow")


def _percentile(share: float) -> str:
    return "1st percentile" if share == 0.01 else f"{100 * share:.0f}th percentile"


COLOUR_FEATURES = (
    *(f"{channel} at the {_percentile(share)}" for channel in _CHANNELS for share in _SHARES),
    *(f"mean {channel}" for channel in _CHANNELS),
    *(f"{which} colour spread" for which in ("smallest", "middle", "largest")),
    "correlation of lightness and green-red",
    "correlation of lightness and blue-yellow",
    "correlation of green-red and blue-yellow",
)

FEATURES = (
    *COLOUR_FEATURES,
    *(f"edge strength at the {_percentile(share)}" for share in _EDGE_SHARES),
    "mean edge energy",
    "edge alignment",
)
"""What each column of `appearance` is. Channels are 8-bit CIELAB (0..255, neutral 128); spreads are the
logarithm of the variance along the principal axes, edges the logarithm of 1 + grey levels a pixel."""


def _positions(shares: tuple[float, ...], pixels: int) -> NDArray[np.int64]:
    """Where percentiles without interpolation stand among sorted values."""
    return np.array([round(share * (pixels - 1)) for share in shares])


def _colour(lab: NDArray[np.uint8]) -> list[NDArray[np.floating]]:
    """Percentiles, means, spreads and correlations of the channels of uint8 (n, pixels, 3)."""
    count, pixels, channels = lab.shape
    percentiles = np.empty((count, channels, len(_SHARES)), dtype=np.float32)
    sums = np.empty((count, channels), dtype=np.int64)
    products = np.empty((count, channels, channels), dtype=np.int64)
    describe_colours(lab, _positions(_SHARES, pixels), percentiles, sums, products)
    means = sums / pixels
    covariance = products / pixels - means[:, :, None] * means[:, None, :]
    spreads = np.log(np.maximum(np.linalg.eigvalsh(covariance), 0.05))
    first, second = [0, 0, 1], [1, 2, 2]
    scale = np.sqrt(covariance[:, first, first] * covariance[:, second, second])
    # One squared grey level keeps the correlation of flat channels at 0.
    correlations = covariance[:, first, second] / np.maximum(scale, 1.0)
    return [percentiles.reshape(count, -1), means, spreads, correlations]


def _edges(lightness: NDArray[np.uint8]) -> list[NDArray[np.floating]]:
    """Strength and alignment of the edges of uint8 (n, SIDE, SIDE)."""
    count, pixels = len(lightness), (SIDE - 2) ** 2
    quarters = np.empty((count, len(_EDGE_SHARES)), dtype=np.float32)
    moments = np.empty((count, 3), dtype=np.int64)
    describe_edges(lightness, _positions(_EDGE_SHARES, pixels), quarters, moments)
    horizontal, vertical, mixed = moments.T / pixels
    energy = horizontal + vertical
    # Coherence of the structure tensor: 0 where edges run every way, 1 where they all run one way.
    alignment = np.sqrt((horizontal - vertical) ** 2 + 4 * mixed**2) / (energy + 1.0)
    return [np.log1p(quarters / 4), np.log1p(energy)[:, None], alignment[:, None]]


def appearance(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe the colours and the texture of images.

    Args:
        images: uint8 (n, height, width, 3), RGB, 0..255.

    Returns:
        float32 (n, len(FEATURES)), in the order of `FEATURES`.

    Example:
        >>> grey = np.full((2, 8, 8, 3), 128, np.uint8)
        >>> appearance(grey).shape == (2, len(FEATURES))
        True
    """
    return _describe(Chunk(images))


def _describe(chunk: Chunk) -> NDArray[np.float32]:
    lab = chunk.coarse_lab.reshape(len(chunk), -1, 3)
    return np.concatenate([*_colour(lab), *_edges(chunk.lab[..., 0])], axis=1).astype(np.float32)


def _compute(chunk: Chunk) -> dict[str, NDArray[Any]]:
    return {"appearance": _describe(chunk)}


APPEARANCE = Measure("appearance", ("appearance",), _compute, version=3)
"""`appearance`: colour and texture, float32 (n, len(FEATURES)), see `FEATURES`."""
