"""Occlusion maps: what the probability of a class loses when a patch of the image is covered.

Zeiler and Fergus, Visualizing and understanding convolutional networks, ECCV 2014, arXiv:1311.2901,
section 4.2.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent

if TYPE_CHECKING:
    import keras

_BATCH = 64

FloatArray = NDArray[np.float32]


def default_patch(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Side of the patch and stride for images of a shape, in pixels: a sixth of the shorter side, and half.

    Example:
        >>> default_patch((96, 96, 3))
        (16, 8)
    """
    patch = max(2, min(shape[:2]) // 6)
    return patch, patch // 2


def check_patch(shape: tuple[int, int, int], patch: int, stride: int) -> None:
    """Refuse patches that do not fit or leave gaps.

    Args:
        shape: Height, width and channels of the image.
        patch: Side of the patch, in pixels.
        stride: Distance of neighbouring patches, in pixels.

    Raises:
        WbcError: The patch is larger than the image, or the stride is larger than the patch.
    """
    shorter = min(shape[:2])
    if not 1 <= patch <= shorter:
        raise WbcError(
            "The occlusion patch does not fit the image.",
            expected=f"a side of 1 to {shorter} pixels",
            got=patch,
            fix="Choose another --patch.",
        )
    if not 1 <= stride <= patch:
        raise WbcError(
            "The occlusion patches would leave gaps.",
            expected=f"a stride of 1 to {patch} pixels, the patch's side",
            got=stride,
            fix="Choose another --stride.",
        )


def _starts(side: int, patch: int, stride: int) -> list[int]:
    """Where patches begin along a side: the last one ends with the image."""
    starts = list(range(0, side - patch + 1, stride))
    return starts if starts[-1] == side - patch else [*starts, side - patch]


def occlusion_drops(
    model: "keras.Model", image: NDArray[np.uint8], patch: int, stride: int, progress: Progress = silent
) -> FloatArray:
    """Cover an image with its own mean colour, patch by patch, and predict it each time.

    Args:
        model: A classifier, (n, H, W, 3) to (n, K) probabilities.
        image: uint8 (H, W, 3).
        patch: Side of the patch, in pixels.
        stride: Distance of neighbouring patches, in pixels, at most `patch`.
        progress: Told the share of patches done.

    Returns:
        float32 (K, rows of patches, columns of patches): the probability of the whole image less that of the
        covered one, -1..1. Above 0, the class needs what the patch covers.

    Raises:
        WbcError: The patches do not fit or leave gaps.
    """
    height, width, _ = image.shape
    check_patch((height, width, 3), patch, stride)
    tops, lefts = _starts(height, patch, stride), _starts(width, patch, stride)
    # The first is the whole image: nothing of it is covered.
    places = [(0, 0, 0), *((top, left, patch) for top in tops for left in lefts)]
    colour = np.rint(image.mean(axis=(0, 1))).astype(np.uint8)
    batch = np.empty((_BATCH, *image.shape), np.uint8)  # of one size, so that it is compiled once
    predicted = []
    for start in range(0, len(places), _BATCH):
        batch[:] = image
        for covered, (top, left, side) in zip(batch, places[start : start + _BATCH], strict=False):
            covered[top : top + side, left : left + side] = colour
        predicted.append(np.asarray(model.predict_on_batch(batch)))
        progress(min(start + _BATCH, len(places)) / len(places), "covering patches")
    chances = np.concatenate(predicted)[: len(places)]
    drops = np.asarray(chances[0] - chances[1:], np.float32)
    return np.ascontiguousarray(drops.T).reshape(-1, len(tops), len(lefts))


def occlusion_map(drops: FloatArray, shape: tuple[int, int, int], patch: int, stride: int) -> FloatArray:
    """Lay the drops of one class over the image.

    Args:
        drops: float32 (rows of patches, columns of patches), of `occlusion_drops`.
        shape: Height, width and channels of the image.
        patch: Side of the patch, in pixels.
        stride: Distance of neighbouring patches, in pixels.

    Returns:
        float32 (H, W), -1..1: at each pixel the mean drop of the patches that cover it.

    Example:
        >>> occlusion_map(np.array([[0.4, 0.2]], np.float32), (2, 3, 3), 2, 1)[0].round(2).tolist()
        [0.4000000059604645, 0.30000001192092896, 0.20000000298023224]
    """
    height, width, _ = shape
    total, covers = np.zeros((height, width)), np.zeros((height, width))
    for top, line in zip(_starts(height, patch, stride), drops, strict=True):
        for left, drop in zip(_starts(width, patch, stride), line, strict=True):
            covered = np.s_[top : top + patch, left : left + patch]
            total[covered] += drop
            covers[covered] += 1
    return (total / covers).astype(np.float32)
