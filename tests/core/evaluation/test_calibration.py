"""The calibration error against a direct reading of the papers' formula."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wbc_core.evaluation.calibration import BINNINGS, expected_calibration_error, reliability_bins

predictions = st.lists(st.tuples(st.floats(0.001, 1.0), st.booleans()), min_size=1, max_size=80)


@settings(max_examples=150, deadline=None)
@given(predictions)
def test_equal_width_is_the_formula_of_guo(drawn: list[tuple[float, bool]]) -> None:
    confidence, correct = (np.array(side) for side in zip(*drawn, strict=True))
    expected = 0.0
    for number in range(15):
        inside = (np.ceil(confidence * 15) == number + 1).nonzero()[0]
        if inside.size:
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            expected += inside.size / confidence.size * gap
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(predictions, st.randoms(use_true_random=False))
def test_neither_binning_depends_on_the_order(drawn: list[tuple[float, bool]], shuffler: object) -> None:
    shuffled = list(drawn)
    shuffler.shuffle(shuffled)
    for binning in BINNINGS:
        one, two = (
            expected_calibration_error(*zip(*values, strict=True), binning=binning)
            for values in (drawn, shuffled)
        )
        assert one == pytest.approx(two, abs=1e-12)


def test_equal_mass_bins_hold_equal_shares() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.3, 1, 300)
    table = reliability_bins(confidence, generator.random(300) < confidence, binning="equal_mass")
    assert [entry.images for entry in table] == [20] * 15
    assert all(one.high < two.low for one, two in pairwise(table))


def test_bins_say_what_they_hold() -> None:
    table = reliability_bins([1.0, 1.0, 0.5], [True, False, True])
    assert [(entry.images, entry.accuracy) for entry in table] == [(1, 1.0), (2, 0.5)]
    assert table[-1].high == 1.0
    assert reliability_bins([], []) == []
    assert expected_calibration_error([], []) is None
