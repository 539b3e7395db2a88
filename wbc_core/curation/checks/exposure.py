"""Images that are too dark, too bright, or have lost their detail in black or white.

The score is the larger of two: robust deviations of the background's luminance (its 95th percentile) from the
set's median, and the share of black or white pixels, of which a quarter scores as much as the threshold.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures, robust_deviations
from wbc_core.curation.checks.border import is_bordered
from wbc_core.curation.checks.occlusion import is_occluded
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_CLIPPED_SHARE = 0.25
"""Share of black or white pixels that counts for as much as the threshold itself."""

_LEAST_SHIFT = 12.0
"""A set whose exposure hardly varies is judged as if it varied by this much, in grey levels."""

_THRESHOLD = 8.0


def _deviation(levels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Robust deviations of a luminance level, of which none is finer than `_LEAST_SHIFT` / 2 grey levels."""
    deviations = robust_deviations(levels)
    coarse = (levels - np.median(levels)) / (_LEAST_SHIFT / 2)
    return np.where(np.abs(coarse) < np.abs(deviations), coarse, deviations).astype(np.float64)


def _shift_and_clipped(measurements: Measurements) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Deviations of the background, and share of black or white pixels beyond what is usual."""
    unique = measurements.unique_rows
    # The background of a smear is its brightest part: it tells the exposure whatever cell is in front of it.
    shift = _deviation(measurements["luminance"][unique, 3])
    # Black bars and pasted blocks are no lack of light.
    whole = ~(is_bordered(measurements) | is_occluded(measurements))
    dark, bright = measurements["dark"][unique], measurements["bright"][unique]
    clipped = np.maximum(dark - np.median(dark), bright - np.median(bright))
    return shift, np.where(whole, clipped, 0.0).astype(np.float64)


def is_badly_exposed(measurements: Measurements) -> NDArray[np.bool_]:
    """Which of the distinct pictures this check flags at its default threshold."""
    shift, clipped = _shift_and_clipped(measurements)
    return (np.abs(shift) >= _THRESHOLD) | (clipped >= _CLIPPED_SHARE)


def _find(measurements: Measurements, images: NDArray[np.uint8], threshold: float) -> list[Finding]:
    unique = measurements.unique_rows
    background = measurements["luminance"][unique, 3]
    dark, bright = measurements["dark"][unique], measurements["bright"][unique]
    usual = float(np.median(background))
    shift, clipped = _shift_and_clipped(measurements)
    scores = np.maximum(np.abs(shift), clipped * (_THRESHOLD / _CLIPPED_SHARE))
    return findings_of_pictures(
        "exposure",
        measurements,
        scores,
        threshold,
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
    find=_find,
    measures=("tone", "blocks"),
    version=4,
)
