"""95 % intervals: Wilson's for rates, percentiles for what a bootstrap draws."""

import math

import numpy as np

from wbc_core.evaluation.metrics import Floats

Interval = tuple[float, float]
NORMAL_QUANTILE = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""
DRAWS = 2000
"""Bootstrap draws: enough for the second digit of a 95 % percentile interval."""


def wilson(successes: int, trials: int) -> Interval | None:
    """Wilson's 95 % score interval of a rate (Wilson, JASA 22, 1927, p. 209).

    With p = k / n and z the 97.5 % normal quantile:
    (p + z^2/2n -+ z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n).

    Args:
        successes: k, 0..trials.
        trials: n.

    Returns:
        Lower and upper end in 0..1, or None where n is 0.

    Example:
        >>> [round(end, 4) for end in wilson(8, 10)]
        [0.4902, 0.9433]
    """
    if trials == 0:
        return None
    rate, square = successes / trials, NORMAL_QUANTILE**2
    centre = rate + square / (2 * trials)
    margin = NORMAL_QUANTILE * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials**2))
    low, high = ((centre + sign * margin) / (1 + square / trials) for sign in (-1, 1))
    # At k = 0 and k = n an end is exactly 0 or 1; rounding must not carry it past.
    return (0.0 if successes == 0 else low, 1.0 if successes == trials else high)


def percentile_interval(draws: Floats) -> Interval | None:
    """The 2.5 % and 97.5 % percentiles of bootstrap draws (n,), undefined draws (NaN) left out."""
    defined = draws[~np.isnan(draws)]
    if not defined.size:
        return None
    low, high = np.percentile(defined, (2.5, 97.5))
    return (float(low), float(high))
