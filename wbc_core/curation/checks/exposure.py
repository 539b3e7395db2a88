"""Images that are too dark, too bright, or have lost their detail in black or white.

The score is the larger of two: robust deviations of the background's luminance (its 95th percentile) from the
set's median, and the share of black or white pixels, of which a quarter scores as much as the threshold.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures, robust_deviations
from wbc_core.curation.checks.clipping import CLIPPED_SHARE, clipped_shares
from wbc_core.curation.checks.contrast import is_pale
from wbc_core.curation.checks.low_information import is_blank
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_LEAST_SHIFT = 12.0
"""A set whose exposure hardly varies is judged as if it varied by this much, in grey levels."""

_THRESHOLD = 8.0


def _deviation(levels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Robust deviations of a luminance level, of which none is finer than `_LEAST_SHIFT` / 2 grey levels."""
    deviations = robust_deviations(levels)
    coarse = (levels - np.median(levels)) / (_LEAST_SHIFT / 2)
    return np.where(np.abs(coarse) < np.abs(deviations), coarse, deviations).astype(np.float64)


def _shifts(measurements: Measurements) -> NDArray[np.float64]:
    """Deviations of each distinct picture's background, negative where it is too dark."""
    # The background of a smear is its brightest part: it tells the exposure whatever cell is in front of it.
    shift = _deviation(measurements["luminance"][measurements.unique_rows, 3])
    # The brightest part of a pale picture is no background: it says nothing about the light.
    return np.where(is_pale(measurements), 0.0, shift)


def _scores(measurements: Measurements) -> NDArray[np.float64]:
    clipped = clipped_shares(measurements) * (_THRESHOLD / CLIPPED_SHARE)
    scores = np.maximum(np.abs(_shifts(measurements)), clipped)
    return np.where(is_blank(measurements), 0.0, scores)


def is_badly_exposed(measurements: Measurements) -> NDArray[np.bool_]:
    """Which of the distinct pictures this check flags at its default threshold."""
    return _scores(measurements) >= _THRESHOLD


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    unique = measurements.unique_rows
    background = measurements["luminance"][unique, 3]
    dark, bright = measurements["dark"][unique], measurements["bright"][unique]
    usual = float(np.median(background))
    shift, scores = _shifts(measurements), _scores(measurements)
    return findings_of_pictures(
        "exposure",
        measurements,
        scores,
        threshold,
        lowest,
        suggest=lambda position: "drop",
        explain=lambda position: (
            f"Its background has luminance {background[position]:.0f} of 255 where {usual:.0f} is usual "
            f"({abs(shift[position]):.1f} deviations {'darker' if shift[position] < 0 else 'brighter'}); "
            f"{100 * dark[position]:.1f} % of its pixels are black and "
            f"{100 * bright[position]:.1f} % white."
        ),
    )


EXPOSURE = Check(
    name="exposure",
    title="Exposure",
    description="Images much darker or brighter than the rest, or with a large part lost in black or white.",
    threshold=_THRESHOLD,
    threshold_range=(2.0, 30.0),
    unit="deviations from the usual brightness",
    search=_find,
    measures=("tone", "blocks"),
    version=5,
)
