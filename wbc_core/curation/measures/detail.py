"""Sharpness and noise of luminance pictures, from their second differences.

Noise: the mask of J. Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64,
1996 (the second difference across of the second difference down) sees neither shading nor straight edges. He
averages it over the whole picture, which takes granules and chromatin for noise (up to 6.8 grey levels on
clean cells). Sensor noise lies over all of a picture: here the mask is averaged over blocks of 8 x 8 pixels,
and the 2nd percentile of the blocks counts (1.8 on clean cells; of true noise it reads about three quarters).
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.base import batch_of, in_batches

_BLOCK = 8
_CALM = 0.02
_SCALE = np.sqrt(np.pi / 2) / 6
"""Mean absolute response of the mask to standard deviation: Immerkaer's equation 4."""

Shorts = NDArray[np.int16]


def _bend(values: Shorts, stride: int, out: Shorts, spare: Shorts) -> None:
    """Second difference of neighbours `stride` apart, at the middle one; the ends of `out` are left."""
    middle, twice = out[stride : len(values) - stride], spare[stride : len(values) - stride]
    np.add(values[: -2 * stride], values[2 * stride :], out=middle)
    np.multiply(values[stride:-stride], 2, out=twice)
    np.subtract(middle, twice, out=middle)


def _variances(
    laplacian: Shorts, shape: tuple[int, int, int], spare: NDArray[np.int32 | np.int64]
) -> NDArray[np.float64]:
    """Variance of each picture of a flat array without its outermost pixels, which are overwritten."""
    _, height, width = shape
    picture = laplacian.reshape(shape)
    picture[:, [0, -1]] = 0
    picture[:, :, [0, -1]] = 0
    spare[:] = laplacian
    lines = spare.reshape(shape)
    # Whole numbers add up to the same whatever the order.
    squares = np.einsum("ijk,ijk->ij", lines, lines).sum(axis=1, dtype=np.int64)
    total = lines.sum(axis=2).sum(axis=1, dtype=np.int64)
    pixels = (height - 2) * (width - 2)
    return np.asarray(squares / pixels - (total / pixels) ** 2, dtype=np.float64)


def _calm(response: Shorts, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Mean response of the block at the 2nd percentile of each picture."""
    count, height, width = shape
    tall, wide = min(_BLOCK, height - 2), min(_BLOCK, width - 2)
    rows, columns = (height - 2) // tall, (width - 2) // wide
    inner = response.reshape(shape)[:, 1 : 1 + rows * tall, 1 : 1 + columns * wide]
    # 8 rows of at most 2,040 fit 16 bits.
    strips = inner.reshape(count, rows, tall, columns * wide).sum(axis=2, dtype=np.int16)
    blocks = strips.reshape(count, rows * columns, wide).sum(axis=2, dtype=np.int32)
    position = int(_CALM * (rows * columns - 1))
    return np.partition(blocks, position, axis=1)[:, position] / (tall * wide)


def edge_variance_and_noise(grey: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure how much fine detail pictures have, and how much of it lies over all of them.

    Args:
        grey: Luminance, uint8 (n, height, width).

    Returns:
        Variance of the Laplacian, and standard deviation of the noise in grey levels, float64 (n,) each;
        zeros where a picture has less than 3 pixels a side.
    """
    count, height, width = grey.shape
    variance, noise = np.zeros(count), np.zeros(count)
    if min(height, width) < 3:
        return variance, noise
    size = min(count, batch_of(grey)) * height * width
    # The squares of a line of 2,000 pixels still add up in 32 bits, and faster than in 64.
    wide = np.int32 if width <= 2000 else np.int64
    buffers, longs = np.zeros((4, size), dtype=np.int16), np.empty(size, dtype=wide)
    for batch in in_batches(grey):
        flat = grey[batch].reshape(-1)
        shape = (len(flat) // (height * width), height, width)
        values, down, across, spare = buffers[:, : len(flat)]
        values[:] = flat
        # Positions run through all pictures without a gap; those at a border are taken out afterwards.
        _bend(values, width, down, spare)
        _bend(down, 1, across, spare)
        noise[batch] = _SCALE * _calm(np.abs(across, out=across), shape)
        _bend(values, 1, across, spare)
        np.add(down, across, out=across)
        variance[batch] = _variances(across, shape, longs[: len(flat)])
    return variance, noise
