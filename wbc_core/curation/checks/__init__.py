"""Every check, in the order in which a person should look at them. A new one is a file and a line here."""

from wbc_core.curation.checks.base import Check
from wbc_core.curation.checks.blur import BLUR
from wbc_core.curation.checks.exact_duplicates import EXACT_DUPLICATES
from wbc_core.curation.checks.exposure import EXPOSURE
from wbc_core.curation.checks.foreign import FOREIGN
from wbc_core.curation.checks.near_duplicates import NEAR_DUPLICATES
from wbc_core.registry import Registry

CHECKS: Registry[Check] = Registry("check")
for _check in (FOREIGN, EXACT_DUPLICATES, NEAR_DUPLICATES, EXPOSURE, BLUR):
    CHECKS.add(_check.name, _check)
