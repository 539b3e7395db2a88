"""Every check, in the order in which a person should look at them. A new one is a file and a line here."""

from wbc_core.curation.checks.base import Check
from wbc_core.curation.checks.blur import BLUR
from wbc_core.curation.checks.border import BORDER
from wbc_core.curation.checks.class_coverage import CLASS_COVERAGE
from wbc_core.curation.checks.class_outliers import CLASS_OUTLIERS
from wbc_core.curation.checks.colour_cast import COLOUR_CAST
from wbc_core.curation.checks.contrast import CONTRAST
from wbc_core.curation.checks.exact_duplicates import EXACT_DUPLICATES
from wbc_core.curation.checks.exposure import EXPOSURE
from wbc_core.curation.checks.foreign import FOREIGN
from wbc_core.curation.checks.imbalance import IMBALANCE
from wbc_core.curation.checks.label_errors import LABEL_ERRORS
from wbc_core.curation.checks.low_information import LOW_INFORMATION
from wbc_core.curation.checks.near_duplicates import NEAR_DUPLICATES
from wbc_core.curation.checks.noise import NOISE
from wbc_core.curation.checks.occlusion import OCCLUSION
from wbc_core.curation.checks.odd_size import ODD_SIZE
from wbc_core.registry import Registry

CHECKS: Registry[Check] = Registry("check")
for _check in (
    FOREIGN,
    EXACT_DUPLICATES,
    NEAR_DUPLICATES,
    LABEL_ERRORS,
    CLASS_OUTLIERS,
    EXPOSURE,
    BLUR,
    CONTRAST,
    NOISE,
    LOW_INFORMATION,
    COLOUR_CAST,
    OCCLUSION,
    BORDER,
    ODD_SIZE,
    IMBALANCE,
    CLASS_COVERAGE,
):
    CHECKS.add(_check.name, _check)
