"""Differences over several seeds: as the paired bootstrap with one, narrower with more."""

from functools import partial

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from wbc_core.evaluation.repeated import RepeatedDifference, repeated_difference
from wbc_core.evaluation.significance import mcnemar


def predictions(labels: np.ndarray, seeds: int, wrong: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    other = (labels + 1) % 3
    return np.where(generator.random((seeds, len(labels))) < wrong, other, labels)


@pytest.fixture
def labels() -> np.ndarray:
    return np.repeat([0, 1, 2], (200, 100, 30))


def test_one_seed_is_mcnemar(labels: np.ndarray) -> None:
    first, second = predictions(labels, 1, 0.3, 1), predictions(labels, 1, 0.2, 2)
    found = repeated_difference(labels, first, second, 3, np.random.default_rng(0))
    accuracies, macros = (
        [score(values[0]) for values in (first, second)]
        for score in (partial(accuracy_score, labels), partial(f1_score, labels, average="macro"))
    )
    assert found.accuracy == pytest.approx(accuracies[1] - accuracies[0])
    assert found.macro_f1 == pytest.approx(macros[1] - macros[0])
    right = first[0] == labels, second[0] == labels
    assert found.p == mcnemar(int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())).p
    assert found.by_seed == (pytest.approx(found.accuracy),)


def test_seeds_are_averaged_and_narrow_the_interval(labels: np.ndarray) -> None:
    first, second = predictions(labels, 4, 0.3, 1), predictions(labels, 4, 0.2, 2)
    one = repeated_difference(labels, first[:1], second[:1], 3, np.random.default_rng(0))
    four = repeated_difference(labels, first, second, 3, np.random.default_rng(0))
    assert four.accuracy == pytest.approx(np.mean(four.by_seed))
    assert np.diff(four.accuracy_ci) < 0.7 * np.diff(one.accuracy_ci)
    assert four.p < 0.01


def test_alike_is_not_told_apart(labels: np.ndarray) -> None:
    same = predictions(labels, 3, 0.3, 1)
    found = repeated_difference(labels, same, same, 3, np.random.default_rng(0))
    assert (found.accuracy, found.accuracy_ci, found.p) == (0.0, (0.0, 0.0), 1.0)
    ps = [
        repeated_difference(
            labels,
            predictions(labels, 3, 0.3, seed),
            predictions(labels, 3, 0.3, 100 + seed),
            3,
            np.random.default_rng(seed),
            draws=10,
        ).p
        for seed in range(40)
    ]
    assert np.mean(np.array(ps) < 0.05) <= 0.15
    assert 0.3 < np.mean(ps) < 0.7


def test_the_interval_over_seeds_is_students() -> None:
    by_seed = (0.011, 0.018, 0.02, 0.007)
    ends = stats.ttest_1samp(by_seed, 0).confidence_interval(0.95)
    found = RepeatedDifference(float(np.mean(by_seed)), (0.01, 0.02), 0.0, None, by_seed, 0.001)
    assert found.seeds_ci == pytest.approx((ends.low, ends.high))
    assert found.beyond_seeds
    assert found.words("B", "a", significance=0.05).startswith("B is better than a: accuracy +1.4 points")


def test_what_seeds_alone_may_do_is_not_called_better() -> None:
    found = RepeatedDifference(0.01, (0.004, 0.016), 0.0, None, (-0.01, 0.03), 0.001)
    assert not found.beyond_seeds
    words = found.words("B", "a", significance=0.05, p=0.003, tests=3)
    assert words.startswith("B: better than a on these images, not shown for other seeds (accuracy +1.0")
    assert "p = .003 adjusted for 3 plans; over 2 seeds" in words
    assert "no difference from a shown" in found.words("B", "a", significance=0.05, p=0.2)
