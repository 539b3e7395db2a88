"""The tint of the light: the colour of what is brightest in a picture, on a smear its empty ground."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.base import Chunk, Measure

_BRIGHTEST = 0.1
"""Share of the picture that is read. A quarter reached into cells where one fills the picture."""


def _compute(chunk: Chunk) -> dict[str, NDArray[Any]]:
    lab = chunk.coarse_lab.reshape(len(chunk), -1, 3)
    planes = np.ascontiguousarray(lab.transpose(2, 0, 1))
    position = round((1 - _BRIGHTEST) * (planes.shape[2] - 1))
    least = np.sort(planes[0], axis=1, kind="stable")[:, position]
    bright = (planes[0] >= least[:, None]).astype(np.float32)
    weight = bright.sum(axis=1)
    sums = [np.einsum("ij,ij->i", bright, plane.astype(np.float32)) for plane in planes]
    return {"ground": np.stack(sums, axis=1) / weight[:, None]}


COLOUR = Measure("colour", ("ground",), _compute)
"""`ground`: mean 8-bit CIELAB colour (0..255, neutral 128) of the brightest tenth, float32 (n, 3)."""
