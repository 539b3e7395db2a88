"""Balance plans for the train part: which images, how many, and what the loss of each class counts."""

from wbc_core.balance.drawing import (
    check_parameters,
    draw_plan,
    kept_rows,
    smote_examples,
    space_of,
    target_counts,
)
from wbc_core.balance.plans import PLANS, BalancePlan

__all__ = [
    "PLANS",
    "BalancePlan",
    "check_parameters",
    "draw_plan",
    "kept_rows",
    "smote_examples",
    "space_of",
    "target_counts",
]
