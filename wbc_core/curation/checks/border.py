"""Pictures with a bar of one luminance along a side: frames, letter boxes, what lies outside a scan."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_THRESHOLD = 2.0
_SIDES = ("top", "bottom", "left", "right")


def is_bordered(measurements: Measurements) -> NDArray[np.bool_]:
    """Which of the distinct pictures this check flags at its default threshold."""
    return np.asarray(measurements["borders"][measurements.unique_rows].max(axis=1) >= _THRESHOLD)


def _in_words(widths: list[int]) -> str:
    bars = [f"{width} px at the {side}" for width, side in zip(widths, _SIDES, strict=True) if width]
    *first, last = bars
    bars_in_words = f"{', '.join(first)} and {last}" if first else last
    return f"A bar of one luminance runs along its border: {bars_in_words}."


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    borders = measurements["borders"][measurements.unique_rows]
    return findings_of_pictures(
        "border",
        measurements,
        borders.max(axis=1).astype(np.float64),
        threshold,
        lowest,
        suggest=lambda position: None,
        explain=lambda position: _in_words(borders[position].tolist()),
    )


BORDER = Check(
    name="border",
    title="Border",
    description="Images with a frame or with bars of one luminance along their sides; cropping helps most.",
    threshold=_THRESHOLD,
    threshold_range=(1.0, 32.0),
    unit="px of the widest bar",
    search=_find,
    measures=("blocks",),
)
