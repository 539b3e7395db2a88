"""From numbers of any type and range to 8-bit RGB."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.errors import WbcError

ToBytes = Callable[[NDArray[Any]], NDArray[np.uint8]]

# Largest value of the whole array, and what then brings its values to 0..255.
_RANGES = {"f": ((1.0, 255.0), (255.0, 1.0)), "iu": ((255.0, 1.0), (65535.0, 1 / 257))}


def choose_scaling(name: str, dtype: np.dtype[Any], chunks: Iterable[NDArray[Any]]) -> ToBytes:
    """Decide, from the smallest and largest value of a whole array, how its values become 0..255.

    uint8 stays. Floats up to 1 are multiplied by 255, floats up to 255 rounded. Integers up to 255 stay,
    integers up to 65535 are divided by 257 and rounded.

    Args:
        name: Name of the array, for messages.
        dtype: Its type; values are looked at only where it is not uint8.
        chunks: Its values, chunk by chunk.

    Returns:
        A function from a chunk of the array to uint8 of the same shape.

    Raises:
        WbcError: A value is NaN or infinite, negative or too large.
    """
    if dtype == np.uint8:
        return lambda chunk: chunk
    lowest, highest = np.inf, -np.inf
    for chunk in chunks:
        # Minimum and maximum pass NaN on, so that one look at them is enough.
        lowest, highest = np.minimum(lowest, chunk.min()), np.maximum(highest, chunk.max())
    ranges = _RANGES["f" if dtype.kind == "f" else "iu"]
    factor = next((factor for limit, factor in ranges if highest <= limit), None)
    if factor is None or not lowest >= 0:
        raise WbcError(
            f"The images {name!r} have values that are no brightness.",
            expected=f"0..{ranges[0][0]:.0f} or 0..{ranges[1][0]:.0f} in {dtype}",
            got=f"{lowest:g}..{highest:g}",
            fix="Scale them to 0..255 and save them as uint8.",
        )
    return lambda chunk: np.round(chunk.astype(np.float32) * np.float32(factor)).astype(np.uint8)


def as_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey (n, H, W) or (n, H, W, 1), RGB, or RGBA on white, to RGB.

    Args:
        pixels: uint8 of shape (n, H, W) or (n, H, W, 1, 3 or 4), 0..255.

    Returns:
        uint8 of shape (n, H, W, 3), 0..255.
    """
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.shape[3] == 1:
        return np.repeat(pixels, 3, axis=3)
    if pixels.shape[3] == 3:
        return pixels
    colour, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:].astype(np.uint16)
    # The product of two bytes fits 16 bits; adding half a step rounds.
    return ((colour * alpha + (255 - alpha) * 255 + 127) // 255).astype(np.uint8)
