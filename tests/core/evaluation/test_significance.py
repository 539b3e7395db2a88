"""Paired tests against SciPy and against drawing images one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from wbc_core.evaluation.significance import holm, mcnemar, paired_bootstrap


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_agrees_with_scipy(only_first: int, only_second: int) -> None:
    result = mcnemar(only_first, only_second)
    discordant = only_first + only_second
    if discordant < 25:
        expected = stats.binomtest(only_first, discordant).pvalue if discordant else 1.0
        assert result.method == "exact binomial"
    else:
        statistic = max(0, abs(only_first - only_second) - 1) ** 2 / discordant
        expected = stats.chi2.sf(statistic, 1)
        assert result.method == "chi-squared with continuity correction"
    assert result.p == pytest.approx(expected, abs=1e-12)


def test_paired_bootstrap_agrees_with_resampling_images_one_by_one() -> None:
    generator = np.random.default_rng(5)
    true = np.repeat([0, 1, 2], [60, 40, 20])
    first = np.where(generator.random(120) < 0.7, true, generator.integers(0, 3, 120))
    second = np.where(generator.random(120) < 0.5, true, first)
    strata = [np.flatnonzero(true == label) for label in range(3)]
    slow = []
    for _ in range(400):
        chosen = np.concatenate([generator.choice(rows, rows.size) for rows in strata])
        scores = [
            (
                accuracy_score(true[chosen], values[chosen]),
                f1_score(true[chosen], values[chosen], average="macro"),
            )
            for values in (first, second)
        ]
        slow.append(np.subtract(scores[1], scores[0]))
    ours = paired_bootstrap(true, first, second, 3, np.random.default_rng(0))
    assert ours.accuracy == pytest.approx(
        accuracy_score(true, second) - accuracy_score(true, first), abs=1e-12
    )
    low, high = np.percentile(np.array(slow), (2.5, 97.5), axis=0)
    assert ours.accuracy_ci == pytest.approx((low[0], high[0]), abs=0.02)
    assert ours.macro_f1_ci == pytest.approx((low[1], high[1]), abs=0.02)


def test_a_classifier_never_differs_from_itself() -> None:
    labels = np.array([0, 1, 1, 0])
    same = paired_bootstrap(labels, labels, labels, 2, np.random.default_rng(0))
    assert (same.accuracy, same.accuracy_ci, same.macro_f1_ci) == (0.0, (0.0, 0.0), (0.0, 0.0))
    nothing = paired_bootstrap([], [], [], 2, np.random.default_rng(0))
    assert nothing.accuracy is None
    assert nothing.macro_f1_ci is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_rejects_as_the_step_down_procedure_does(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    order = np.argsort(p_values, kind="stable")
    rejected = set()
    for place, index in enumerate(order):
        if p_values[index] * (len(p_values) - place) >= 0.05:
            break
        rejected.add(int(index))
    assert {index for index, p in enumerate(adjusted) if p < 0.05} == rejected
    assert all(before <= after <= 1 for before, after in zip(p_values, adjusted, strict=True))
