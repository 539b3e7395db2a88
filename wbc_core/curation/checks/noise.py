"""Grainy pictures: the noise that lies over all of one, texture left aside, against the set's median."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.checks.occlusion import is_occluded
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_THRESHOLD = 2.5

_EXTREME = 30.0
"""Noise from which dropping is suggested, in grey levels: as much as the contrast of a usual cell."""


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    noise = measurements["noise"][measurements.unique_rows].astype(np.float64)
    usual = float(np.median(noise))
    # Independent noises add up by their variances: what is left is the noise that this picture alone has.
    more = np.sqrt(np.maximum(noise**2 - usual**2, 0.0))
    # The corners of a grid read as grain.
    scores = np.where(is_occluded(measurements), 0.0, more)
    return findings_of_pictures(
        "noise",
        measurements,
        scores,
        threshold,
        lowest,
        suggest=lambda position: "drop" if scores[position] >= _EXTREME else None,
        explain=lambda position: (
            f"Even where it is calmest its luminance is grainy by {noise[position]:.1f} grey levels "
            f"(standard deviation), where {usual:.1f} are usual."
        ),
    )


NOISE = Check(
    name="noise",
    title="Noise",
    description="Images far grainier than the rest; dropping is suggested where noise hides the cell.",
    threshold=_THRESHOLD,
    threshold_range=(1.0, 40.0),
    unit="grey levels of noise more than usual",
    search=_find,
    measures=("tone", "blocks"),
    version=2,
)
