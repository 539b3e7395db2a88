"""Blank and nearly blank pictures: far fewer bits of entropy a pixel than the usual picture has."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.checks.exposure import is_badly_exposed
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_THRESHOLD = 3.6

_BLANK_RANGE = 8.0
"""Difference of the brightest and the darkest pixels up to which a picture is blank, in grey levels."""


def _scores(measurements: Measurements) -> NDArray[np.float64]:
    unique = measurements.unique_rows
    entropy = measurements["entropy"][unique].astype(np.float64)
    darkest, brightest = measurements["extremes"][unique].T
    # Too dark or too bright pictures lose bits as well: unless nothing at all is left, that says why.
    explained = is_badly_exposed(measurements) & (brightest - darkest > _BLANK_RANGE)
    return np.where(explained, 0.0, np.maximum(np.median(entropy) - entropy, 0.0))


def is_blank(measurements: Measurements) -> NDArray[np.bool_]:
    """Which of the distinct pictures this check flags at its default threshold."""
    return _scores(measurements) >= _THRESHOLD


def _find(measurements: Measurements, images: NDArray[np.uint8], threshold: float) -> list[Finding]:
    scores = _scores(measurements)
    unique = measurements.unique_rows
    entropy, extremes = measurements["entropy"][unique], measurements["extremes"][unique]
    usual = float(np.median(entropy))
    return findings_of_pictures(
        "low_information",
        measurements,
        scores,
        threshold,
        suggest=lambda position: "drop",
        explain=lambda position: (
            f"Its luminance holds {entropy[position]:.1f} bits a pixel where {usual:.1f} are usual; all but "
            f"0.2 % of its pixels lie between {extremes[position, 0]:.0f} and {extremes[position, 1]:.0f} "
            "of 255."
        ),
    )


LOW_INFORMATION = Check(
    name="low_information",
    title="Low information",
    description="Blank and nearly flat images, on which there is nothing to see; dropping them is suggested.",
    threshold=_THRESHOLD,
    threshold_range=(1.0, 8.0),
    unit="bits a pixel fewer than usual",
    find=_find,
    measures=("tone", "blocks"),
)
