"""Intervals against SciPy, and at their edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wbc_core.evaluation.intervals import percentile_interval, wilson


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    theirs = stats.binomtest(*counts).proportion_ci(method="wilson")
    assert wilson(*counts) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_without_trials_is_undefined() -> None:
    assert wilson(0, 0) is None
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0


def test_percentiles_leave_undefined_draws_out() -> None:
    draws = np.array([np.nan, *np.linspace(0, 1, 41)])
    assert percentile_interval(draws) == pytest.approx((0.025, 0.975))
    assert percentile_interval(np.array([np.nan])) is None
