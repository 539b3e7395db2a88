"""Pictures with a block, a grid, a mask or a stamp pasted on: edges straight, hard and flat on one side.

A plain bright ground is flat too, but ends nowhere in such an edge, and a cell's edge is neither straight nor
one pixel wide. How the edges are measured is written in `wbc_core.curation.measures.blocks`.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_THRESHOLD = 9.0

_BURNT_OUT = 0.3
"""Share of white pixels from which edges are those of what is left of an overexposed picture."""


def _scores(measurements: Measurements) -> NDArray[np.float64]:
    unique = measurements.unique_rows
    edges = measurements["hard_edges"][unique].astype(np.float64)
    bright = measurements["bright"][unique]
    burnt_out = bright - np.median(bright) >= _BURNT_OUT
    # Where such edges are usual (a set of drawings) only more of them than usual count.
    return np.where(burnt_out, 0.0, np.maximum(edges - np.median(edges), 0.0))


def is_occluded(measurements: Measurements) -> NDArray[np.bool_]:
    """Which of the distinct pictures this check flags at its default threshold."""
    return _scores(measurements) >= _THRESHOLD


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    scores = _scores(measurements)
    return findings_of_pictures(
        "occlusion",
        measurements,
        scores,
        threshold,
        lowest,
        suggest=lambda position: None,
        explain=lambda position: (
            f"{scores[position]:,.0f} px of its edges are straight, one pixel wide and flat on one side, as "
            f"those of a pasted block, a grid or a stamp are; {_THRESHOLD:g} px are flagged."
        ),
    )


OCCLUSION = Check(
    name="occlusion",
    title="Occlusion",
    description="Images with flat blocks, grids, masks or stamps over them, to be looked at.",
    threshold=_THRESHOLD,
    threshold_range=(4.0, 200.0),
    unit="px of straight hard edge more than usual",
    search=_find,
    measures=("blocks", "tone"),
    version=2,
)
