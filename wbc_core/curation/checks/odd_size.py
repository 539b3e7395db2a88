"""Pictures whose file was far smaller, larger, wider or taller than the set's usual one."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_THRESHOLD = 8.0
_LEAST_SIZE, _LEAST_SHAPE = 1.5, 1.25
"""In a set whose sizes hardly vary: factors of the side and of the aspect ratio that score the threshold."""

_FEWEST = 8
_NOTHING_LEFT = 8
"""Side up to which dropping is suggested, in pixels."""


def _deviations(logarithms: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Robust deviations from the median, of which none is finer than `least` / threshold."""
    distance = np.abs(logarithms - np.median(logarithms))
    spread = 1.4826 * float(np.median(distance))
    return distance / max(spread, float(np.log(least)) / _THRESHOLD)


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    sizes = measurements.original_sizes[measurements.unique_rows]
    if len(sizes) < _FEWEST:
        return []
    width, height = np.log(np.maximum(sizes, 1)).T
    scores = np.maximum(
        _deviations((width + height) / 2, _LEAST_SIZE), _deviations(width - height, _LEAST_SHAPE)
    )
    usual = np.median(sizes, axis=0)
    return findings_of_pictures(
        "odd_size",
        measurements,
        scores,
        threshold,
        lowest,
        suggest=lambda position: "drop" if sizes[position].min() <= _NOTHING_LEFT else None,
        explain=lambda position: (
            f"Its file was {sizes[position, 0]:,} px wide and {sizes[position, 1]:,} px high, where "
            f"{usual[0]:,.0f} x {usual[1]:,.0f} px are usual."
        ),
    )


ODD_SIZE = Check(
    name="odd_size",
    title="Odd size",
    description="Images whose files had another size or shape than the rest before all were brought to one.",
    threshold=_THRESHOLD,
    threshold_range=(2.0, 60.0),
    unit="deviations from the usual size or shape",
    search=_find,
)
