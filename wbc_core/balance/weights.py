"""Class weights: even the classes out in the loss instead of in the images."""

from collections.abc import Sequence

import numpy as np

from wbc_core.balance.parameters import DEFAULT_BETA
from wbc_core.errors import WbcError

WEIGHTINGS = ("none", "balanced", "effective_number")


def class_weights(
    counts: Sequence[int], weighting: str, beta: float = DEFAULT_BETA
) -> dict[int, float] | None:
    """What the loss of an image counts, by its class.

    Args:
        counts: Train images per class, in class order.
        weighting: `none`. `balanced`: n / (K * n_k) for class k of K that have images, of n in all (King and
            Zeng 2001, Logistic regression in rare events data; scikit-learn's "balanced").
            `effective_number`: proportional to (1 - beta) / (1 - beta^n_k), the inverse of the effective
            number of samples, scaled to sum to K (Cui et al. 2019, Class-balanced loss based on effective
            number of samples, eq. 1 and section 3.2).
        beta: 0 weighs all classes alike; towards 1 the weights become those of `balanced`, up to scale.

    Returns:
        Weight of every class that has images, by its number; None for `none`.

    Raises:
        WbcError: There is no such weighting.

    Example:
        >>> class_weights([30, 10, 0], "balanced")
        {0: 0.6666666666666666, 1: 2.0}
        >>> class_weights([30, 10], "effective_number", beta=0.0)
        {0: 1.0, 1: 1.0}
    """
    if weighting not in WEIGHTINGS:
        raise WbcError(
            f"There is no class weighting {weighting!r}.", expected=f"one of {', '.join(WEIGHTINGS)}"
        )
    present = np.flatnonzero(counts)
    if weighting == "none" or not len(present):
        return None
    numbers = np.asarray(counts, dtype=np.float64)[present]
    if weighting == "balanced":
        weights = numbers.sum() / (len(present) * numbers)
    else:
        # 1 - beta^n, without losing its digits where beta is nearly 1.
        weights = 1 / -np.expm1(numbers * np.log(beta)) if beta else np.ones(len(numbers))
        weights *= len(present) / weights.sum()
    return {int(label): float(weight) for label, weight in zip(present, weights, strict=True)}
