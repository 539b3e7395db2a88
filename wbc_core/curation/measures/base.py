"""What a measure is: some numbers an image, computed from chunks that are decoded once for all measures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def shrink(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Bring images to `side` x `side` pixels: by area averages, linearly where they are smaller.

    Args:
        images: uint8 (n, height, width) or (n, height, width, channels).
        side: Side, in pixels.

    Returns:
        uint8 (n, side, side) or (n, side, side, channels).
    """
    count, height, width, *channels = images.shape
    if height % side == 0 and width % side == 0:
        # Whole steps never mix two pictures: the chunk is stacked into one tall picture and resized at once.
        tall = images.reshape(count * height, width, *channels)
        resized = cv2.resize(tall, (side, count * side), interpolation=cv2.INTER_AREA)
        return np.asarray(resized, dtype=np.uint8).reshape(count, side, side, *channels)
    small = np.empty((count, side, side, *channels), dtype=np.uint8)
    method = cv2.INTER_AREA if min(height, width) >= side else cv2.INTER_LINEAR
    for index, image in enumerate(images):
        cv2.resize(image, (side, side), dst=small[index], interpolation=method)
    return small


def prepare_colours() -> None:
    """Have OpenCV compute its tables of CIELAB, a tenth of a second in which no thread converts any."""
    cv2.cvtColor(np.zeros((1, 1, 3), dtype=np.uint8), cv2.COLOR_RGB2LAB)


@dataclass(frozen=True)
class Chunk:
    """Some images and what several measures want of them, computed once.

    Attributes:
        images: uint8 (n, height, width, 3), RGB, 0..255.
    """

    images: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Luminance (Rec. 601), uint8 (n, height, width)."""
        count, height, width, _ = self.images.shape
        # One call converts the whole chunk: the images are stacked into one tall picture.
        tall = cv2.cvtColor(self.images.reshape(count * height, width, 3), cv2.COLOR_RGB2GRAY)
        return np.asarray(tall, dtype=np.uint8).reshape(count, height, width)

    @cached_property
    def lab(self) -> NDArray[np.uint8]:
        """8-bit CIELAB (0..255, neutral 128) at 48 x 48 pixels, uint8 (n, 48, 48, 3)."""
        tall = cv2.cvtColor(shrink(self.images, 48).reshape(-1, 48, 3), cv2.COLOR_RGB2LAB)
        return np.asarray(tall, dtype=np.uint8).reshape(len(self), 48, 48, 3)

    @cached_property
    def coarse_lab(self) -> NDArray[np.uint8]:
        """The same at 24 x 24 pixels, uint8 (n, 24, 24, 3): each the mean of many pixels."""
        return shrink(self.lab, 24)


@dataclass(frozen=True)
class Measure:
    """Arrays that one function computes of a chunk of images.

    Attributes:
        name: Name in the registry and on disk.
        arrays: What it gives, by name; the first axis is the images. No two measures share a name.
        compute: Chunk to arrays. The numbers of an image must not depend on the others in the chunk.
        version: Raised when a number changes, so that what was measured before is measured again.
    """

    name: str
    arrays: tuple[str, ...]
    compute: Callable[[Chunk], dict[str, NDArray[Any]]]
    version: int = 1
