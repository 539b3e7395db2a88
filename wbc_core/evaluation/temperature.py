"""Temperature scaling: one number, fitted on validation predictions, makes a run as sure as it is right."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.metrics import Floats

_SMALLEST = float(np.finfo(np.float32).tiny)
LIMITS = (0.05, 20.0)
"""Temperatures outside mean that the log loss has no minimum: see `fit_temperature`."""


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature.

    Attributes:
        value: T; above 1 the run was too sure, below 1 not sure enough. None where it is undefined.
        images: Number of predictions that it was fitted on.
        undefined: Why there is none, else None.
    """

    value: float | None
    images: int
    undefined: str | None = None


def _logits(probabilities: npt.ArrayLike) -> Floats:
    """Logits up to a constant of each row, which a softmax does not see; a float32 zero gets a floor."""
    return np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _SMALLEST))


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def with_temperature(probabilities: npt.ArrayLike, temperature: float) -> Floats:
    """Scale predicted probabilities: softmax(z / T), with z = ln p.

    Guo et al., "On calibration of modern neural networks", ICML 2017, equation 9. The most probable class
    stays the most probable.

    Args:
        probabilities: Floats (n, K), rows summing to 1.
        temperature: T, above 0.

    Returns:
        Floats (n, K), rows summing to 1.

    Example:
        >>> with_temperature([[0.8, 0.2]], 2.0).round(3).tolist()
        [[0.667, 0.333]]
    """
    return _softmax(_logits(probabilities) / temperature)


def fit_temperature(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> Temperature:
    """Find the temperature with the least log loss (Guo et al., ICML 2017, section 4.2).

    The log loss is convex in b = 1/T, and its derivative, the mean over images of sum_k p_k(b) z_k - z_true,
    rises from left to right: its zero is found by Brent's method.

    Args:
        labels: True labels, integers (n,), of validation images; never of those that are reported on.
        probabilities: Floats (n, K), rows summing to 1.

    Returns:
        The temperature in 0.05..20, or undefined with its reason.

    Example:
        >>> fit_temperature([0, 0, 0, 1], [[0.9, 0.1]] * 4).value
        2.0
    """
    from scipy.optimize import brentq

    truth, logits = np.asarray(labels, dtype=np.int64), _logits(probabilities)
    images = len(truth)
    if not images:
        return Temperature(None, 0, "there are no validation predictions")
    given = logits[np.arange(images), truth]

    def slope(inverse: float) -> float:
        return float(((_softmax(logits * inverse) * logits).sum(axis=1) - given).mean())

    least, most = 1 / LIMITS[1], 1 / LIMITS[0]
    if slope(most) <= 0:
        return Temperature(None, images, "the run is right on every validation image of which it is sure")
    if slope(least) >= 0:
        return Temperature(None, images, "the run's probabilities say nothing about the validation images")
    return Temperature(round(1 / float(brentq(slope, least, most, xtol=1e-12)), 9), images)
