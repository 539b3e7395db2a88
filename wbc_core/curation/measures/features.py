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

from wbc_core.curation.measures.base import Chunk, Measure, planes_of

_SIDE = 48
"""Side of the pictures of `Chunk.lab`, in pixels."""

_PIXELS = _SIDE**2
_INSIDE = (_SIDE - 2) ** 2
"""Pixels that have all their neighbours; the others are left out, and kept at zero in all sums."""

_MIDDLE = slice(10, 38)
"""Rows and columns of the inner region: 60 % of the side, where the cell is."""

_CHANNELS = 11
_EDGES = 3
_SURROUNDINGS = (9, 9)
_BLOCK = 64
"""Images at a time: few enough for the cache, and so many that two threads seldom wait for Python's lock."""

_RING_EDGES = (0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
"""Where one ring around the middle ends, as shares of half the side; the last reaches into the corners."""

FloatArray = NDArray[np.float32]


def _clear_border(pixels: NDArray[Any]) -> None:
    """Set the outermost pixels of pictures (..., pixels) to zero."""
    pictures = pixels.reshape(*pixels.shape[:-1], _SIDE, _SIDE)
    pictures[..., 0, :] = pictures[..., -1, :] = 0
    pictures[..., 0] = pictures[..., -1] = 0


def _places() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distance from the middle in pixels, direction from it (2, ...) and the rings' weights (7, pixels)."""
    along = np.arange(_SIDE) - (_SIDE - 1) / 2
    distance = np.hypot(along[:, None], along[None, :])
    direction = np.stack(np.broadcast_arrays(along[:, None], along[None, :])) / distance
    rings = np.digitize(distance.ravel() / 24, _RING_EDGES)
    weights = np.eye(len(_RING_EDGES) + 1)[rings].T
    _clear_border(weights)
    weights /= weights.sum(axis=1, keepdims=True)
    flat = distance.ravel(), direction.reshape(2, -1), weights
    distance, direction, weights = (array.astype(np.float32) for array in flat)
    return distance, direction, weights


_DISTANCE, _DIRECTION, _RINGS = _places()


def _describe_pixels(
    planes: NDArray[np.uint8], local: NDArray[np.uint8], out: FloatArray, spare: FloatArray
) -> None:
    """Fill channels and edges seen from the middle, (11 + 3, n, pixels), from planes (3, n, pixels).

    Neighbours are looked up without regard to the borders: what is not inside is taken out at the end.
    `spare`, (6, n, pixels), is overwritten but for zeros at its ends, which stay.
    """
    flat = out.reshape(len(out), -1)
    colours, slopes, bend = flat[:3], flat[3:6], flat[6]
    np.copyto(out[:3], planes)
    np.copyto(out[7:10], local)
    out[10] = _DISTANCE
    down, across = spare[:3].reshape(3, -1), spare[3:].reshape(3, -1)
    np.subtract(colours[:, 2 * _SIDE :], colours[:, : -2 * _SIDE], out=down[:, _SIDE:-_SIDE])
    np.subtract(colours[:, 2:], colours[:, :-2], out=across[:, 1:-1])
    np.multiply(colours[0], 4.0, out=bend)
    for step in (_SIDE, -_SIDE, 1, -1):
        bend[_SIDE:-_SIDE] -= colours[0, _SIDE + step : colours.shape[1] - _SIDE + step]
    np.abs(bend, out=bend)
    around, outward, darkening = out[_CHANNELS:]
    np.multiply(spare[0], _DIRECTION[0], out=darkening)
    np.multiply(spare[3], _DIRECTION[1], out=around)
    darkening += around
    np.multiply(spare[0], _DIRECTION[1], out=around)
    np.multiply(spare[3], _DIRECTION[0], out=outward)
    outward -= around
    np.abs(outward, out=outward)
    np.abs(darkening, out=around)
    # Not cv2.magnitude: its last digit follows the place in the array.
    down *= down
    across *= across
    np.sqrt(np.add(down, across, out=slopes), out=slopes)
    _clear_border(out)


def _moments(values: FloatArray, pixels: int) -> tuple[FloatArray, FloatArray]:
    """Covariances (n, k, k) and means (n, k) of (k, n, pixels or more that are 0), which are centred."""
    size, count, width = values.shape
    rows = values.swapaxes(0, 1)
    means = np.matvec(rows, np.ones(width, dtype=np.float32)) / np.float32(pixels)
    rows -= means[:, :, None]
    if width > pixels:
        _clear_border(values)
    covariances = np.empty((count, size, size), dtype=np.float32)
    for row in range(size):
        # Matrices as flat as these are multiplied faster a vector at a time, and half of it is enough.
        products = np.matvec(rows[:, row:], rows[:, row]) / np.float32(pixels)
        covariances[:, row, row:] = covariances[:, row:, row] = products
    return covariances, means


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
    count = len(chunk)
    local = np.empty_like(chunk.lab)
    for index, picture in enumerate(chunk.lab):
        cv2.blur(picture, _SURROUNDINGS, dst=local[index])
    cv2.absdiff(chunk.lab, local, dst=local)
    planes, local = (array.reshape(3, count, _PIXELS) for array in (chunk.lab_planes, planes_of(local)))
    covariances = np.empty((count, 2, _CHANNELS, _CHANNELS), dtype=np.float32)
    means = np.empty((count, 2, _CHANNELS), dtype=np.float32)
    rings = np.empty((count, _EDGES, len(_RINGS)), dtype=np.float32)
    size = min(_BLOCK, count)
    values = np.empty((_CHANNELS + _EDGES, size, _PIXELS), dtype=np.float32)
    spare = np.zeros((6, size, _PIXELS), dtype=np.float32)
    # The last block starts early enough to be full: the same buffers fit all.
    for start in [*range(0, count - size, size), count - size]:
        block = slice(start, start + size)
        _describe_pixels(planes[:, block], local[:, block], values, spare)
        channels, edges = values[:_CHANNELS], values[_CHANNELS:]
        rings[block] = np.matvec(_RINGS, edges.swapaxes(0, 1))
        covariances[block, 0], means[block, 0] = _moments(channels, _INSIDE)
        middle = channels.reshape(_CHANNELS, size, _SIDE, _SIDE)[..., _MIDDLE, _MIDDLE]
        middle = middle.reshape(_CHANNELS, size, -1)
        covariances[block, 1], means[block, 1] = _moments(middle, middle.shape[2])
    means[:, 1] += means[:, 0]
    parts = [_logarithms(covariances), means.reshape(count, -1), rings.reshape(count, -1)]
    return {"features": np.concatenate(parts, axis=1)}


FEATURES = Measure("features", ("features",), _compute, version=3)
"""`features`: float32 (n, 175). Logarithm of the covariance of eleven descriptions of a pixel over the whole
picture and over its middle (2 x 66), their means (2 x 11), and in seven rings around the middle the mean
strength of edges running around it and outward from it, and of their darkening outward (21). Grey levels of
8-bit CIELAB at 48 x 48 pixels."""
