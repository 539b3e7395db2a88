"""How much of a picture is lost in black or white; several checks leave such pictures to exposure."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.border import is_bordered
from wbc_core.curation.checks.occlusion import is_occluded
from wbc_core.curation.measure import Measurements

CLIPPED_SHARE = 0.25
"""Share of black or white pixels, beyond what is usual, from which a picture counts as badly exposed."""


def clipped_shares(measurements: Measurements) -> NDArray[np.float64]:
    """Share of black or of white pixels of each distinct picture beyond the set's median, whichever is more.

    Black bars and pasted blocks are no lack of light: pictures with such have 0.
    """
    unique = measurements.unique_rows
    dark, bright = measurements["dark"][unique], measurements["bright"][unique]
    clipped = np.maximum(dark - np.median(dark), bright - np.median(bright)).astype(np.float64)
    return np.where(is_bordered(measurements) | is_occluded(measurements), 0.0, clipped)
