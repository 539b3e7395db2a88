"""Grey thumbnails, for whoever compares the pictures themselves."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.base import Chunk, Measure

THUMBNAIL = 32
"""Side of the grey thumbnails, in pixels."""


def _compute(chunk: Chunk) -> dict[str, NDArray[Any]]:
    thumbnails = np.empty((len(chunk), THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    shrink = cv2.INTER_AREA if min(chunk.grey.shape[1:]) >= THUMBNAIL else cv2.INTER_LINEAR
    for index, image in enumerate(chunk.grey):
        cv2.resize(image, (THUMBNAIL, THUMBNAIL), dst=thumbnails[index], interpolation=shrink)
    return {"thumbnails": thumbnails}


THUMBNAILS = Measure("thumbnails", ("thumbnails",), _compute)
"""`thumbnails`: uint8 (n, 32, 32)."""
