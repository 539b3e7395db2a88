"""Intervals against SciPy, against drawing images one by one, and at their edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score

from wbc_core.evaluation.intervals import bootstrap_f1, wilson
from wbc_core.evaluation.metrics import macro_f1, per_class


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    theirs = stats.binomtest(*counts).proportion_ci(method="wilson")
    assert wilson(*counts) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_without_trials_is_undefined() -> None:
    assert wilson(0, 0) is None
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0


def test_bootstrap_agrees_with_resampling_images_one_by_one() -> None:
    confusion = np.array([[40, 6, 4], [3, 20, 2], [0, 1, 14]])
    true = np.repeat(np.arange(3), confusion.sum(axis=1))
    predicted = np.concatenate([np.repeat(np.arange(3), row) for row in confusion])
    generator = np.random.default_rng(1)
    strata = [np.flatnonzero(true == label) for label in range(3)]
    slow = []
    for _ in range(1500):
        chosen = np.concatenate([generator.choice(rows, rows.size) for rows in strata])
        slow.append(f1_score(true[chosen], predicted[chosen], average=None, labels=[0, 1, 2]))
    intervals, macro = bootstrap_f1(confusion, np.random.default_rng(0))
    theirs = np.percentile(np.array(slow), (2.5, 97.5), axis=0)
    assert np.allclose(np.array(intervals).T, theirs, atol=0.02)
    assert macro == pytest.approx(np.percentile(np.mean(slow, axis=1), (2.5, 97.5)), abs=0.01)


def test_bootstrap_is_seeded_and_covers_the_estimate() -> None:
    confusion = np.array([[80, 20], [10, 90]])
    first = bootstrap_f1(confusion, np.random.default_rng(3))
    assert first == bootstrap_f1(confusion, np.random.default_rng(3))
    for scores, interval in zip(per_class(confusion), first[0], strict=True):
        assert interval[0] < scores.f1 < interval[1]
    assert first[1][0] < macro_f1(confusion) < first[1][1]


def test_bootstrap_of_a_class_without_images_is_undefined() -> None:
    intervals, macro = bootstrap_f1(np.array([[5, 1, 0], [1, 5, 0], [0, 0, 0]]), np.random.default_rng(0))
    assert intervals[2] is None
    assert macro is not None
    assert bootstrap_f1(np.zeros((2, 2), dtype=int), np.random.default_rng(0)) == ([None, None], None)
