"""What tells one kind of cell from another, in two hundred numbers, without any downloaded weights.

Every pixel is described by its colour, how fast and how sharply that changes, how it differs from its
surroundings, and how far from the middle it lies. How these vary together over the picture is their
covariance (Tuzel, Porikli and Meer, "Region covariance: a fast descriptor for detection and
classification", ECCV 2006).
Its matrix logarithm can be compared by plain distances (Arsigny et al., "Log-Euclidean metrics for fast and
simple calculus on diffusion tensors", Magnetic Resonance in Medicine 56, 2006). To that come the means, and
how edges run around the middle. All but the last digits are the same for a picture turned or mirrored.
Which numbers was settled by measurement, see docs/decisions/007-features-for-labels.md.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.base import Chunk, Measure

_SIDE = 46
"""Side of the part of `Chunk.lab` in which every pixel has all its neighbours, in pixels."""

_MIDDLE = slice(9, 37)
"""Rows and columns of the inner region: 60 % of the side, where the cell is."""

_CHANNELS = 11
_SURROUNDINGS = (9, 9)
_BLOCK = 16
"""Images at a time: few enough for the cache, and enough for two threads not to wait for each other."""

_RING_EDGES = (0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
"""Where one ring around the middle ends, as shares of half the side; the last reaches into the corners."""

FloatArray = NDArray[np.float32]


def _places() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distance from the middle in pixels, direction from it (2, ...) and the rings' weights (7, pixels)."""
    along = np.arange(_SIDE) - (_SIDE - 1) / 2
    distance = np.hypot(along[:, None], along[None, :])
    direction = np.stack(np.broadcast_arrays(along[:, None], along[None, :])) / distance
    rings = np.digitize(distance.ravel() / 24, _RING_EDGES)
    weights = np.eye(len(_RING_EDGES) + 1)[rings].T
    weights /= weights.sum(axis=1, keepdims=True)
    return distance.astype(np.float32), direction.astype(np.float32), weights.astype(np.float32)


_DISTANCE, _DIRECTION, _RINGS = _places()


def _describe_pixels(lab: NDArray[np.uint8], blurred: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
    """Channels (n, 11, 46, 46) and edges seen from the middle (n, 3, 46, 46) of (n, 48, 48, 3)."""
    planes = np.ascontiguousarray(lab.transpose(0, 3, 1, 2)).astype(np.float32)
    channels = np.empty((len(lab), _CHANNELS, _SIDE, _SIDE), dtype=np.float32)
    inside = planes[:, :, 1:-1, 1:-1]
    channels[:, :3] = inside
    down = planes[:, :, 2:, 1:-1] - planes[:, :, :-2, 1:-1]
    across = planes[:, :, 1:-1, 2:] - planes[:, :, 1:-1, :-2]
    edges = np.empty((len(lab), 3, _SIDE, _SIDE), dtype=np.float32)
    edges[:, 2] = down[:, 0] * _DIRECTION[0] + across[:, 0] * _DIRECTION[1]
    np.abs(edges[:, 2], out=edges[:, 0])
    np.abs(down[:, 0] * _DIRECTION[1] - across[:, 0] * _DIRECTION[0], out=edges[:, 1])
    down *= down
    across *= across
    down += across
    np.sqrt(down, out=channels[:, 3:6])
    lightness, bend = planes[:, 0], channels[:, 6]
    np.multiply(inside[:, 0], 4.0, out=bend)
    for neighbour in (np.s_[:, 2:, 1:-1], np.s_[:, :-2, 1:-1], np.s_[:, 1:-1, 2:], np.s_[:, 1:-1, :-2]):
        bend -= lightness[neighbour]
    np.abs(bend, out=bend)
    np.subtract(inside, blurred[:, 1:-1, 1:-1].transpose(0, 3, 1, 2), out=channels[:, 7:10])
    np.abs(channels[:, 7:10], out=channels[:, 7:10])
    channels[:, 10] = _DISTANCE
    return channels, edges


def _moments(channels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Covariances (n, 2, 11, 11) and means (n, 2 * 11) of the whole and of the middle."""
    count = len(channels)
    middle = np.ascontiguousarray(channels[:, :, _MIDDLE, _MIDDLE])
    covariances = np.empty((count, 2, _CHANNELS, _CHANNELS), dtype=np.float32)
    means = np.empty((count, 2, _CHANNELS), dtype=np.float32)
    for region, pixels in enumerate((channels, middle)):
        values = pixels.reshape(count, _CHANNELS, -1)
        means[:, region] = values.mean(axis=2)
        # Only one side needs its mean taken off; two arrays are multiplied faster than one with itself.
        centred = values - means[:, region, :, None]
        covariances[:, region] = centred @ values.transpose(0, 2, 1) / values.shape[2]
    return covariances, means.reshape(count, -1)


def _logarithms(covariances: FloatArray) -> FloatArray:
    """Matrix logarithms of covariances (n, regions, k, k): float32 (n, regions * k (k + 1) / 2).

    One squared grey level is added along the diagonal, so that flat pictures have a logarithm too.
    """
    size = covariances.shape[-1]
    values, axes = np.linalg.eigh(covariances + np.eye(size, dtype=np.float32))
    logarithm = (axes * np.log(np.maximum(values, 1.0))[..., None, :]) @ axes.swapaxes(-1, -2)
    row, column = np.triu_indices(size)
    # An entry off the diagonal is there twice: its weight keeps distances those of the matrices.
    weight = np.where(row == column, 1.0, np.sqrt(2.0)).astype(np.float32)
    triangle: FloatArray = logarithm[..., row, column] * weight
    return triangle.reshape(len(covariances), -1)


def _compute(chunk: Chunk) -> dict[str, NDArray[Any]]:
    blurred = np.empty_like(chunk.lab)
    for index, picture in enumerate(chunk.lab):
        cv2.blur(picture, _SURROUNDINGS, dst=blurred[index])
    covariances, others = [], []
    for start in range(0, len(chunk), _BLOCK):
        block = slice(start, start + _BLOCK)
        channels, edges = _describe_pixels(chunk.lab[block], blurred[block])
        rings = (edges.reshape(len(edges), 3, -1) @ _RINGS.T).reshape(len(edges), -1)
        covariance, means = _moments(channels)
        covariances.append(covariance)
        others.append(np.concatenate([means, rings], axis=1))
    logarithms = _logarithms(np.concatenate(covariances))
    return {"features": np.concatenate([logarithms, np.concatenate(others)], axis=1)}


FEATURES = Measure("features", ("features",), _compute, version=2)
"""`features`: float32 (n, 175). Logarithm of the covariance of eleven descriptions of a pixel over the whole
picture and over its middle (2 x 66), their means (2 x 11), and in seven rings around the middle the mean
strength of edges running around it and outward from it, and of their darkening outward (21). Grey levels of
8-bit CIELAB at 48 x 48 pixels."""
