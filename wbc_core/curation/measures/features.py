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
from wbc_core.curation.measures.matrix_logarithms import take_logarithms
from wbc_core.curation.measures.pixel_loops import describe_regions

_SIDE = 48
"""Side of the pictures of `Chunk.lab`, in pixels."""

_INNER = _SIDE - 2
"""Side of the pixels that have all their neighbours; the others are left out."""

_BORDER = 9
"""How far the inner region lies inside of those, in pixels: 60 % of the side, where the cell is."""

_CHANNELS = 11
_EDGES = 3
_SURROUNDINGS = (9, 9)

_RING_EDGES = (0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
"""Where one ring around the middle ends, as shares of half the side; the last reaches into the corners."""

FloatArray = NDArray[np.float32]


def _places() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of the inner pixels the distance from the middle, the direction from it (2, ...), and their share in
    the mean of each ring (rings, pixels)."""
    along = np.arange(1, _SIDE - 1) - (_SIDE - 1) / 2
    distance = np.hypot(along[:, None], along[None, :])
    direction = np.stack(np.broadcast_arrays(along[:, None], along[None, :])) / distance
    ring = np.digitize(distance.ravel() / (_SIDE / 2), _RING_EDGES)
    members = ring == np.arange(len(_RING_EDGES) + 1)[:, None]
    shares = members / members.sum(axis=1, keepdims=True)
    return distance.astype(np.float32), direction.astype(np.float32), shares.astype(np.float32)


_PLACES = _places()


def _logarithms(covariances: FloatArray) -> FloatArray:
    """Matrix logarithms of covariances (n, regions, k, k): float32 (n, regions * k (k + 1) / 2).

    One squared grey level is added along the diagonal, so that flat pictures have a logarithm too.
    """
    size = covariances.shape[-1]
    matrices = (covariances + np.eye(size, dtype=np.float32)).reshape(-1, size, size)
    logarithms = np.empty_like(matrices)
    take_logarithms(matrices, logarithms)
    row, column = np.triu_indices(size)
    # An entry off the diagonal is there twice: its weight keeps distances those of the matrices.
    weight = np.where(row == column, 1.0, np.sqrt(2.0)).astype(np.float32)
    triangle: FloatArray = logarithms[:, row, column] * weight
    return triangle.reshape(len(covariances), -1)


def _compute(chunk: Chunk) -> dict[str, NDArray[Any]]:
    count = len(chunk)
    local = np.empty_like(chunk.lab)
    for index, picture in enumerate(chunk.lab):
        cv2.blur(picture, _SURROUNDINGS, dst=local[index])
    covariances = np.empty((count, 2, _CHANNELS, _CHANNELS), dtype=np.float32)
    means = np.empty((count, 2, _CHANNELS), dtype=np.float32)
    rings = np.empty((count, _EDGES, len(_RING_EDGES) + 1), dtype=np.float32)
    describe_regions(chunk.lab, local, *_PLACES, _BORDER, covariances, means, rings)
    parts = [_logarithms(covariances), means.reshape(count, -1), rings.reshape(count, -1)]
    return {"features": np.concatenate(parts, axis=1)}


FEATURES = Measure("features", ("features",), _compute, version=5)
"""`features`: float32 (n, 175). Logarithm of the covariance of eleven descriptions of a pixel over the whole
picture and over its middle (2 x 66), their means (2 x 11), and in seven rings around the middle the mean
strength of edges running around it and outward from it, and of their darkening outward (21). Grey levels of
8-bit CIELAB at 48 x 48 pixels."""
