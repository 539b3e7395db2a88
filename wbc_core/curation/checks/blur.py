"""Images out of focus: the variance of the Laplacian over that of the luminance, against the set's median."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_THRESHOLD = 10.0

_NO_CONTRAST = 2.0
"""Standard deviation of the luminance below which nothing can be called sharp or not, in grey levels."""

_EXTREME = 2.0
"""How far past the threshold (times) an image must be before dropping it is suggested."""


def _shares(measurements: Measurements) -> NDArray[np.float64]:
    """Sharpness of each distinct picture over the median; infinite where there is nothing to be sharp."""
    unique = measurements.unique_rows
    sharpness = measurements["sharpness"][unique].astype(np.float64)
    usual = float(np.median(sharpness))
    # An image without contrast shows nothing that could be sharp: that is a matter of exposure.
    flat = measurements["contrast"][unique] < _NO_CONTRAST
    return np.where(flat | (usual <= 0), np.inf, sharpness / max(usual, 1e-9))


def is_blurred(measurements: Measurements) -> NDArray[np.bool_]:
    """Which of the distinct pictures this check flags at its default threshold."""
    return _shares(measurements) * _THRESHOLD <= 1.0


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    share = _shares(measurements)
    scores = 1.0 / np.maximum(share, 1e-4)
    return findings_of_pictures(
        "blur",
        measurements,
        np.where(scores > 1.0, scores, 0.0),
        threshold,
        lowest,
        suggest=lambda position: "drop" if scores[position] >= _EXTREME * _THRESHOLD else None,
        explain=lambda position: (
            f"It is {scores[position]:,.1f} times less sharp than the usual image (fine detail against "
            f"contrast: {100 * share[position]:.1f} % of the median)."
        ),
    )


BLUR = Check(
    name="blur",
    title="Blur",
    description="Images far less sharp than the rest; dropping is suggested where little is left to see.",
    threshold=_THRESHOLD,
    threshold_range=(2.0, 100.0),
    unit="times less sharp than the usual image",
    search=_find,
    measures=("tone",),
    version=4,
)
