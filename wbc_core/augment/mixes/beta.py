"""The beta distribution that the mixes draw their shares from, by its quantiles."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Parameter

ALPHA = Parameter(
    "alpha", "Alpha", 0.4, 0.05, 5.0, 0.05, "of the beta distribution", "mixes more evenly, more often"
)


def beta_quantiles(uniform: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Quantiles of Beta(alpha, alpha), float64 (n,), 0..1: drawn from one uniform number each.

    Example:
        >>> beta_quantiles(np.array([0.0, 0.5]), 0.4).round(6).tolist()
        [0.0, 0.5]
    """
    from scipy.special import betaincinv

    return np.asarray(betaincinv(alpha, alpha, uniform), dtype=np.float64)
