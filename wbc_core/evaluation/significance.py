"""Whether classifiers differ on the same images: McNemar's test, sign flips, Holm's adjustment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wbc_core.evaluation.metrics import Floats

EXACT_BELOW = 25
"""Below this many discordant pairs the chi-squared approximation is not used."""

_FLIPS = 10_000
_BLOCK = 500


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


def sign_flip_p_values(changes: Floats, generator: np.random.Generator) -> list[float]:
    """Test whether two ways of training are right equally often, each with several seeds.

    What an image changes from the one way to the other would as likely have the other sign if the two were
    the same: a permutation test that flips the images' signs, 10,000 times (Good, Permutation, parametric and
    bootstrap tests of hypotheses, 2005, section 3.2; p as in Phipson & Smyth 2010, equation 2). McNemar's
    exact test is this one for a single seed. It speaks of these trained models on other images.

    Args:
        changes: Floats (tests, n): per test and image, the share of seeds of the second way that are right,
            minus that of the first.
        generator: Source of randomness; the same seed gives the same p-values, whichever tests are together.

    Returns:
        Two-sided p-values, one a test, 1/10,001 at least.

    Example:
        >>> sign_flip_p_values(np.array([[0.5] * 40, [0.0] * 40]), np.random.default_rng(0))
        [9.999000099990002e-05, 1.0]
    """
    # Sums of equal terms in another order: what differs by rounding alone is as extreme.
    least = np.abs(changes.sum(axis=1)) - 1e-9
    extreme = np.zeros(len(changes), dtype=np.int64)
    for _ in range(_FLIPS // _BLOCK):
        signs = generator.integers(0, 2, (_BLOCK, changes.shape[1]), dtype=np.int8) * 2 - 1
        extreme += (np.abs(signs.astype(np.float64) @ changes.T) >= least).sum(axis=0)
    return [float(count + 1) / (_FLIPS + 1) for count in extreme]


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


def p_in_words(p: float) -> str:
    """A p-value as a sentence has it.

    Example:
        >>> p_in_words(0.4123), p_in_words(0.0123), p_in_words(0.00001), p_in_words(1.0)
        ('p = .41', 'p = .012', 'p < .001', 'p = 1')
    """
    if p < 0.001:
        return "p < .001"
    rounded = f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
    return f"p = {rounded.lstrip('0') if p < 0.995 else '1'}"


def p_value(p: float) -> str:
    """A p-value as a table has it; very small ones are only bounded.

    Example:
        >>> p_value(0.4123), p_value(0.00001)
        ('0.412', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def points(value: float | None, ends: Sequence[float] | None) -> str:
    """A difference in percentage points with its 95 % interval.

    Example:
        >>> points(0.0031, [-0.005, 0.011])
        '+0.31 (-0.50 to +1.10)'
    """
    if value is None:
        return "undefined"
    return f"{100 * value:+.2f}" + (f" ({100 * ends[0]:+.2f} to {100 * ends[1]:+.2f})" if ends else "")
