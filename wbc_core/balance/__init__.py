"""Balance plans for the train part: none, random under and over, SMOTE."""

from wbc_core.balance.plans import PLANS, BalancePlan, draw_plan, kept_rows, smote_examples, target_counts

__all__ = ["PLANS", "BalancePlan", "draw_plan", "kept_rows", "smote_examples", "target_counts"]
