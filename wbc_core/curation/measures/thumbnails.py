"""Grey thumbnails, for whoever compares the pictures themselves."""

from typing import Any

from numpy.typing import NDArray

from wbc_core.curation.measures.base import Chunk, Measure, shrink

THUMBNAIL = 32
"""Side of the grey thumbnails, in pixels."""


def _compute(chunk: Chunk) -> dict[str, NDArray[Any]]:
    return {"thumbnails": shrink(chunk.grey, THUMBNAIL)}


THUMBNAILS = Measure("thumbnails", ("thumbnails",), _compute)
"""`thumbnails`: uint8 (n, 32, 32)."""
