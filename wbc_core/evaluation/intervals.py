"""95 % intervals: Wilson's for rates, a stratified bootstrap for F1."""

import math
import warnings

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.metrics import Floats, Integers

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


def f1_of_counts(hits: npt.ArrayLike, support: npt.ArrayLike, predicted: npt.ArrayLike) -> Floats:
    """F1 = 2 hits / (support + predicted), elementwise; NaN where that is 0/0."""
    total = np.asarray(support, dtype=np.float64) + np.asarray(predicted, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return 2 * np.asarray(hits, dtype=np.float64) / total


def mean_over_classes(scores: Floats) -> Floats:
    """Mean over the last axis, NaN left out: macro averages of bootstrap draws (draws, K)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return np.asarray(np.nanmean(scores, axis=-1))


def bootstrap_f1(
    confusion: Integers, generator: np.random.Generator, draws: int = DRAWS
) -> tuple[list[Interval | None], Interval | None]:
    """Percentile bootstrap intervals of every class's F1 and of macro-F1.

    Images are resampled within their true class (stratified), so that every draw has the same class sizes.
    Resampling n images of a class with replacement is one multinomial draw of its row of the confusion
    matrix, which makes the cost independent of the number of images (Efron & Tibshirani 1993, ch. 13).

    Args:
        confusion: Integers (K, K), [true][predicted].
        generator: Source of randomness; the same seed gives the same intervals.
        draws: Number of bootstrap draws.

    Returns:
        One interval a class (None where F1 is undefined), and the interval of macro-F1.

    Example:
        >>> intervals, macro = bootstrap_f1(np.array([[90, 10], [5, 95]]), np.random.default_rng(0))
        >>> 0.85 < macro[0] < 0.925 < macro[1] < 0.97
        True
    """
    matrix = np.asarray(confusion, dtype=np.int64)
    classes = len(matrix)
    support = matrix.sum(axis=1)
    hits = np.zeros((draws, classes), dtype=np.int64)
    predicted = np.zeros((draws, classes), dtype=np.int64)
    for label in np.flatnonzero(support):
        drawn = generator.multinomial(support[label], matrix[label] / support[label], size=draws)
        hits[:, label] = drawn[:, label]
        predicted += drawn
    scores = f1_of_counts(hits, support, predicted)
    intervals = [percentile_interval(scores[:, label]) for label in range(classes)]
    return intervals, percentile_interval(mean_over_classes(scores))
