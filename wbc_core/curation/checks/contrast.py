"""Pale pictures: the span from the darkest to the brightest pixels, in parts of the brightest.

Divided by the brightest, the span does not depend on the exposure. Its ends are the 0.1st and 99.9th
percentile: the standard deviation would take a picture of a small cell on much empty ground for a pale one.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.checks.blur import is_blurred
from wbc_core.curation.checks.clipping import CLIPPED_SHARE, clipped_shares
from wbc_core.curation.checks.low_information import is_blank
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_THRESHOLD = 2.0

_EXTREME = 8.0
"""From how many times less contrast dropping is suggested."""


def _spans(measurements: Measurements) -> NDArray[np.float64]:
    """Span of each distinct picture's luminance in parts of its brightest, 0..1."""
    darkest, brightest = measurements["extremes"][measurements.unique_rows].astype(np.float64).T
    return np.asarray((brightest - darkest) / np.maximum(brightest, 1.0))


def _scores(measurements: Measurements) -> NDArray[np.float64]:
    span = _spans(measurements)
    explained = (clipped_shares(measurements) >= CLIPPED_SHARE) | is_blank(measurements)
    explained |= is_blurred(measurements)
    times = float(np.median(span)) / np.maximum(span, 1e-3)
    return np.where(explained | (times <= 1.0), 0.0, times)


def is_pale(measurements: Measurements) -> NDArray[np.bool_]:
    """Which of the distinct pictures this check flags at its default threshold."""
    return _scores(measurements) >= _THRESHOLD


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    scores, span = _scores(measurements), _spans(measurements)
    extremes, usual = measurements["extremes"][measurements.unique_rows], float(np.median(span))
    return findings_of_pictures(
        "contrast",
        measurements,
        scores,
        threshold,
        lowest,
        suggest=lambda position: "drop" if scores[position] >= _EXTREME else None,
        explain=lambda position: (
            f"Its luminance reaches from {extremes[position, 0]:.0f} to {extremes[position, 1]:.0f} of 255: "
            f"{100 * span[position]:.0f} % of its brightest, where {100 * usual:.0f} % are usual "
            f"({scores[position]:.1f} times less)."
        ),
    )


CONTRAST = Check(
    name="contrast",
    title="Contrast",
    description="Images much paler than the rest; dropping is suggested where little is left to see.",
    threshold=_THRESHOLD,
    threshold_range=(1.2, 20.0),
    unit="times less contrast than the usual image",
    search=_find,
    measures=("tone", "blocks"),
    version=2,
)
