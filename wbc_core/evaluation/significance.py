"""Whether two classifiers differ on the same images: McNemar, a paired bootstrap, Holm's adjustment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.intervals import DRAWS, Interval, percentile_interval
from wbc_core.evaluation.metrics import (
    Floats,
    Integers,
    accuracy,
    confusion_matrix,
    f1_of_counts,
    macro_f1,
    mean_over_classes,
)

EXACT_BELOW = 25
"""Below this many discordant pairs the chi-squared approximation is not used."""


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two classifiers on the same images.

    Attributes:
        only_first: Images that only the first got right.
        only_second: Images that only the second got right.
        p: Two-sided p-value in 0..1.
        method: `exact binomial` or `chi-squared with continuity correction`.
    """

    only_first: int
    only_second: int
    p: float
    method: str


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """Test whether two classifiers are right equally often (McNemar, Psychometrika 12, 1947).

    Only the b + c images on which exactly one is right count. Fewer than 25: the exact binomial test,
    p = min(1, 2 P(X <= min(b, c))) for X ~ Binomial(b + c, 1/2). Else Edwards' continuity correction (1948),
    (|b - c| - 1)^2 / (b + c) against chi-squared with one degree of freedom.

    Args:
        only_first: b, images that only the first classifier got right.
        only_second: c, images that only the second got right.

    Returns:
        The p-value and the method that gave it; p is 1 where the two never disagree.

    Example:
        >>> mcnemar(8, 2).p, mcnemar(8, 2).method
        (0.109375, 'exact binomial')
    """
    discordant, smaller = only_first + only_second, min(only_first, only_second)
    if discordant < EXACT_BELOW:
        tail = sum(math.comb(discordant, count) for count in range(smaller + 1)) / 2**discordant
        return McNemar(only_first, only_second, min(1.0, 2 * tail), "exact binomial")
    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / discordant
    # The upper tail of chi-squared with one degree of freedom at x is erfc(sqrt(x / 2)).
    p = math.erfc(math.sqrt(statistic / 2))
    return McNemar(only_first, only_second, p, "chi-squared with continuity correction")


@dataclass(frozen=True)
class PairedDifference:
    """Second classifier minus first, with 95 % percentile intervals; None where undefined."""

    accuracy: float | None
    accuracy_ci: Interval | None
    macro_f1: float | None
    macro_f1_ci: Interval | None

    def turned(self) -> "PairedDifference":
        """First minus second."""
        (accuracy, accuracy_ci), (macro, macro_ci) = (
            _turned(self.accuracy, self.accuracy_ci),
            _turned(self.macro_f1, self.macro_f1_ci),
        )
        return PairedDifference(accuracy, accuracy_ci, macro, macro_ci)


def _turned(value: float | None, interval: Interval | None) -> tuple[float | None, Interval | None]:
    return (
        None if value is None else 0.0 - value,
        None if interval is None else (0.0 - interval[1], 0.0 - interval[0]),
    )


def _draw_pairs(
    pairs: Integers, images: int, classes: int, generator: np.random.Generator, draws: int
) -> tuple[Integers, Integers]:
    """Resample the (first, second) predictions of one true class; (draws, K) counts for either classifier."""
    codes, counts = np.unique(pairs, return_counts=True)
    drawn = generator.multinomial(images, counts / images, size=draws)
    identity = np.eye(classes, dtype=np.int64)
    return drawn @ identity[codes // classes], drawn @ identity[codes % classes]


def paired_bootstrap(
    true: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    classes: int,
    generator: np.random.Generator,
    draws: int = DRAWS,
) -> PairedDifference:
    """Bootstrap the differences of accuracy and macro-F1 on the same resampled images.

    Images are resampled within their true class. All that counts of an image is its class and the two
    predictions, so one multinomial draw over the observed triples replaces drawing images one by one
    (Efron & Tibshirani 1993, ch. 13; pairing as in Dietterich, Neural Computation 10, 1998).

    Args:
        true: Labels, integers (n,) in 0..classes-1.
        first: Predictions of the first classifier, likewise.
        second: Predictions of the second, for the same images in the same order.
        classes: Number of classes K.
        generator: Source of randomness; the same seed gives the same intervals.
        draws: Number of bootstrap draws.

    Returns:
        Second minus first: both differences and their 95 % percentile intervals.
    """
    labels, one, two = (np.asarray(values, dtype=np.int64) for values in (true, first, second))
    tables = [confusion_matrix(labels, values, classes) for values in (one, two)]
    accuracies, macros = [accuracy(table) for table in tables], [macro_f1(table) for table in tables]
    if accuracies[0] is None or accuracies[1] is None or macros[0] is None or macros[1] is None:
        return PairedDifference(None, None, None, None)
    hits = np.zeros((2, draws, classes), dtype=np.int64)
    predicted = np.zeros((2, draws, classes), dtype=np.int64)
    support = np.bincount(labels, minlength=classes)
    for label in np.flatnonzero(support):
        chosen = labels == label
        pairs = one[chosen] * classes + two[chosen]
        for side, counts in enumerate(_draw_pairs(pairs, support[label], classes, generator, draws)):
            hits[side, :, label] = counts[:, label]
            predicted[side] += counts
    rates: Floats = hits.sum(axis=2) / labels.size
    macro = mean_over_classes(f1_of_counts(hits, support, predicted))
    return PairedDifference(
        accuracy=accuracies[1] - accuracies[0],
        accuracy_ci=percentile_interval(rates[1] - rates[0]),
        macro_f1=macros[1] - macros[0],
        macro_f1_ci=percentile_interval(macro[1] - macro[0]),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for the number of tests (Holm, Scand. J. Statist. 6, 1979).

    The i-th smallest of m is multiplied by m - i + 1, made monotone and capped at 1. Comparing the adjusted
    values with 0.05 keeps the chance of any false alarm among all tests at 5 %.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted
