"""Sharpness and noise of luminance pictures, from their second differences.

Noise: the mask of J. Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64,
1996 (the second difference across of the second difference down) sees neither shading nor straight edges. He
averages it over the whole picture, which takes granules and chromatin for noise (up to 6.8 grey levels on
clean cells). Sensor noise lies over all of a picture: here the mask is averaged over blocks of 8 x 8 pixels,
and the 2nd percentile of the blocks counts (1.8 on clean cells; of true noise it reads about three quarters).
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.pixel_loops import sum_second_differences

_BLOCK = 8
_CALM = 0.02
_SCALE = np.sqrt(np.pi / 2) / 6
"""Mean absolute response of the mask to standard deviation: Immerkaer's equation 4."""


def edge_variance_and_noise(grey: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure how much fine detail pictures have, and how much of it lies over all of them.

    Args:
        grey: Luminance, uint8 (n, height, width).

    Returns:
        Variance of the Laplacian, and standard deviation of the noise in grey levels, float64 (n,) each;
        zeros where a picture has less than 3 pixels a side.
    """
    count, height, width = grey.shape
    if min(height, width) < 3:
        return np.zeros(count), np.zeros(count)
    tall, wide = min(_BLOCK, height - 2), min(_BLOCK, width - 2)
    sums, squares = np.empty((2, count), dtype=np.int64)
    blocks = np.zeros((count, (height - 2) // tall, (width - 2) // wide), dtype=np.int64)
    sum_second_differences(grey, tall, wide, sums, squares, blocks)
    pixels = (height - 2) * (width - 2)
    responses = blocks.reshape(count, -1) / (tall * wide)
    position = int(_CALM * (responses.shape[1] - 1))
    noise = _SCALE * np.partition(responses, position, axis=1)[:, position]
    return squares / pixels - (sums / pixels) ** 2, noise
