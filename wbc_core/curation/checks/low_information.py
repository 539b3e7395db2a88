"""Blank and nearly blank pictures: far fewer bits of entropy a pixel than the usual picture has.

Of a picture of one luminance all bits count as lost.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.checks.clipping import CLIPPED_SHARE, clipped_shares
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_THRESHOLD = 3.6

_ALL_BITS = 8.0

_BLANK_RANGE = 8.0
"""Difference of the brightest and the darkest pixels up to which a picture is blank, in grey levels."""


def _scores(measurements: Measurements) -> NDArray[np.float64]:
    unique = measurements.unique_rows
    entropy = measurements["entropy"][unique].astype(np.float64)
    darkest, brightest = measurements["extremes"][unique].astype(np.float64).T
    # Half the light costs one bit of every pixel, whatever there is to see.
    light = np.log2(np.maximum(brightest, 1.0))
    entropy += np.maximum(np.median(light) - light, 0.0)
    # Clipping costs bits as well: unless nothing at all is left, that is a matter of exposure.
    clipped = clipped_shares(measurements) >= CLIPPED_SHARE
    explained = clipped & (brightest - darkest > _BLANK_RANGE)
    lost = np.where(explained, 0.0, np.maximum(np.median(entropy) - entropy, 0.0))
    return np.where(measurements["entropy"][unique] > 0, lost, _ALL_BITS)


def is_blank(measurements: Measurements) -> NDArray[np.bool_]:
    """Which of the distinct pictures this check flags at its default threshold."""
    return _scores(measurements) >= _THRESHOLD


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    scores = _scores(measurements)
    unique = measurements.unique_rows
    entropy, extremes = measurements["entropy"][unique], measurements["extremes"][unique]
    usual = float(np.median(entropy))
    return findings_of_pictures(
        "low_information",
        measurements,
        scores,
        threshold,
        lowest,
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
    search=_find,
    measures=("tone", "blocks"),
    version=2,
)
