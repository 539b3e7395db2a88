"""Paired tests against SciPy and against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wbc_core.evaluation.significance import holm, mcnemar, sign_flip_p_values


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


def test_mcnemars_exact_test_is_the_sign_flip_test_of_one_seed() -> None:
    changes = np.repeat([1.0, -1.0, 0.0], (14, 4, 100))
    balanced = np.repeat([1.0, -1.0, 0.0], (9, 9, 100))
    p_values = sign_flip_p_values(np.stack([changes, balanced]), np.random.default_rng(0))
    assert p_values[0] == pytest.approx(mcnemar(4, 14).p, abs=0.006)
    assert p_values[1] == 1.0
    assert sign_flip_p_values(changes[None], np.random.default_rng(0)) == p_values[:1]


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
