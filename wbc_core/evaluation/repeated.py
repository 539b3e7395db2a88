"""Whether two ways of training differ, each tried with several seeds on the same held-out images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.intervals import DRAWS, Interval, percentile_interval
from wbc_core.evaluation.metrics import Floats, Integers, f1_of_counts, mean_over_classes
from wbc_core.evaluation.significance import mcnemar

_FLIPS = 10_000
_BLOCK = 500


@dataclass(frozen=True)
class RepeatedDifference:
    """Second way minus first, averaged over the seeds.

    Attributes:
        accuracy: Difference of the mean accuracies, as a share.
        accuracy_ci: Its 95 % percentile interval over held-out images.
        macro_f1: Difference of the mean macro-F1.
        macro_f1_ci: Its interval, likewise; None where undefined.
        by_seed: Difference of accuracy of each seed, in their order.
        p: Two-sided p-value that both ways are right equally often.
    """

    accuracy: float
    accuracy_ci: Interval | None
    macro_f1: float
    macro_f1_ci: Interval | None
    by_seed: tuple[float, ...]
    p: float


def repeated_difference(
    true: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    classes: int,
    generator: np.random.Generator,
    draws: int = DRAWS,
) -> RepeatedDifference:
    """Compare two ways of training by the predictions of several runs of each.

    Images are resampled within their true class, with all their predictions, whatever the seed (a cluster
    bootstrap; Davison & Hinkley 1997, Bootstrap methods, section 3.8). With one seed, p is McNemar's; with
    more, a permutation test that flips the signs of the images' mean differences (Good 2005, section 3.2),
    which McNemar's exact test is for one.

    Args:
        true: Labels, integers (n,) in 0..classes-1, n at least 1.
        first: Predictions of the first way, integers (seeds, n).
        second: Predictions of the second, from the same seeds in the same order.
        classes: Number of classes K.
        generator: Source of randomness; the same seed gives the same intervals.
        draws: Number of bootstrap draws.

    Example:
        >>> labels, wrong = np.zeros(40, dtype=int), np.ones((2, 40))
        >>> found = repeated_difference(labels, wrong, [labels, labels], 2, np.random.default_rng(0))
        >>> found.accuracy, found.accuracy_ci, found.by_seed, found.p < 0.001
        (1.0, (1.0, 1.0), (1.0, 1.0), True)
    """
    labels, one, two = (np.asarray(values, dtype=np.int64) for values in (true, first, second))
    right = [values == labels for values in (one, two)]
    change = (right[1].astype(np.float64) - right[0]).mean(axis=0)
    hits = np.zeros((2, draws, len(one), classes))
    predicted = np.zeros((2, draws, len(one), classes))
    support = np.bincount(labels, minlength=classes)
    for label in np.flatnonzero(support).tolist():
        # Images whose predictions are all the same count as one: few kinds, however many images.
        seen, counts = np.unique(np.concatenate([one, two])[:, labels == label], axis=1, return_counts=True)
        drawn = generator.multinomial(support[label], counts / support[label], size=draws).astype(np.float64)
        for side, values in enumerate(np.split(seen, 2)):
            _add(drawn, values, label, hits[side], predicted[side])
    rates = hits.sum(axis=3).mean(axis=2) / labels.size
    macro = _macro_f1(hits, support, predicted)
    exact = [_macro_f1(*_counted(labels, values, classes)) for values in (one, two)]
    return RepeatedDifference(
        accuracy=float(change.mean()),
        accuracy_ci=percentile_interval(rates[1] - rates[0]),
        macro_f1=float(exact[1] - exact[0]),
        macro_f1_ci=percentile_interval(macro[1] - macro[0]),
        by_seed=tuple(float(value) for value in right[1].mean(axis=1) - right[0].mean(axis=1)),
        p=_p(right[0], right[1], change, generator),
    )


def _add(drawn: Floats, values: Integers, label: int, hits: Floats, predicted: Floats) -> None:
    """Count the drawn images of one true class: hits and predictions, (draws, seeds, K)."""
    for seed, own in enumerate(values):
        hits[:, seed, label] = drawn @ (own == label)
        predicted[:, seed] += drawn @ np.eye(predicted.shape[2])[own]


def _counted(labels: Integers, values: Integers, classes: int) -> tuple[Floats, Integers, Floats]:
    hits = np.array([np.bincount(labels[own == labels], minlength=classes) for own in values], dtype=float)
    predicted = np.array([np.bincount(own, minlength=classes) for own in values], dtype=float)
    return hits, np.bincount(labels, minlength=classes), predicted


def _macro_f1(hits: Floats, support: Integers, predicted: Floats) -> Floats:
    """Macro-F1 (..., seeds, K) -> mean over the seeds (...)."""
    return np.asarray(mean_over_classes(f1_of_counts(hits, support, predicted)).mean(axis=-1))


def _p(
    first: npt.NDArray[np.bool_],
    second: npt.NDArray[np.bool_],
    change: Floats,
    generator: np.random.Generator,
) -> float:
    if len(first) == 1:
        return mcnemar(int((first & ~second).sum()), int((second & ~first).sum())).p
    differing = change[change != 0]
    observed = abs(differing.sum())
    # Sums of equal terms in another order: what differs by rounding alone is as extreme.
    least = observed - 1e-9
    extreme = 0
    for _ in range(_FLIPS // _BLOCK):
        signs = generator.integers(0, 2, (_BLOCK, len(differing))) * 2 - 1
        extreme += int((np.abs(signs @ differing) >= least).sum())
    return (extreme + 1) / (_FLIPS + 1)
