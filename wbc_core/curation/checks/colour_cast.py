"""Pictures whose empty ground has a tint that the set does not know, in CIELAB units.

One laboratory's pictures may come in several white balances, so that no single tint is the right one. Tints
are counted in a fine grid of green-red and blue-yellow, and a picture's score is its distance to the nearest
tint that at least 1.5 % of the set share.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.checks.border import is_bordered
from wbc_core.curation.checks.contrast import is_pale
from wbc_core.curation.checks.exposure import is_badly_exposed
from wbc_core.curation.checks.low_information import is_blank
from wbc_core.curation.checks.occlusion import is_occluded
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_THRESHOLD = 10.0
_CELLS_A_UNIT = 2
_NEIGHBOURHOOD = 5
_SHARED_BY = 0.015
_FEWEST_SHARING = 3


def _distances(tints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of tints (n, 2), 0..255, to the nearest that others share; 0 where none is shared."""
    cells = np.round(tints * _CELLS_A_UNIT).astype(np.int64)
    side = 255 * _CELLS_A_UNIT + 1
    counts = np.bincount(cells[:, 0] * side + cells[:, 1], minlength=side**2).reshape(side, side)
    around = cv2.boxFilter(
        counts.astype(np.float32),
        -1,
        (_NEIGHBOURHOOD, _NEIGHBOURHOOD),
        normalize=False,
        borderType=cv2.BORDER_CONSTANT,
    )
    # The box filter adds up as it slides: rounding keeps its counts whole.
    shared = np.round(around) >= max(_FEWEST_SHARING, _SHARED_BY * len(tints))
    if not shared.any():
        return np.zeros(len(tints))
    away = cv2.distanceTransform((~shared).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away[cells[:, 0], cells[:, 1]], dtype=np.float64) / _CELLS_A_UNIT


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    ground = measurements["ground"][measurements.unique_rows].astype(np.float64)
    # Black, clipped white, a bare surface, a bar or a block has a tint that is not the light's.
    explained = is_badly_exposed(measurements) | is_blank(measurements) | is_pale(measurements)
    explained |= is_occluded(measurements) | is_bordered(measurements)
    scores = np.where(explained, 0.0, _distances(ground[:, 1:]))
    usual = np.median(ground, axis=0)
    return findings_of_pictures(
        "colour_cast",
        measurements,
        scores,
        threshold,
        lowest,
        suggest=lambda position: None,
        explain=lambda position: (
            f"Its brightest tenth has the tint {_in_words(ground[position])}, {scores[position]:.1f} CIELAB "
            f"units from the nearest that others share; usual is {_in_words(usual)}."
        ),
    )


def _in_words(lab: NDArray[np.float64]) -> str:
    green_red, blue_yellow = lab[1] - 128, lab[2] - 128
    return f"a* {green_red:+.0f}, b* {blue_yellow:+.0f}"


COLOUR_CAST = Check(
    name="colour_cast",
    title="Colour cast",
    description="Images whose ground has a tint of its own (light, stain or white balance), to be looked at.",
    threshold=_THRESHOLD,
    threshold_range=(2.0, 60.0),
    unit="CIELAB units from the nearest tint that others share",
    search=_find,
    measures=("colour", "tone", "blocks"),
    version=2,
)
