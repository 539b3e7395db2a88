"""What a measure is: some numbers an image, computed from chunks that are decoded once for all measures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


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
