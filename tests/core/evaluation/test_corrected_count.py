"""A differential count corrected for known mix-ups, against the inverse and against the likelihood."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from tests.results_lab import RUN, add_report, add_run, build_dataset, build_split
from wbc_core.errors import WbcError
from wbc_core.evaluation.corrected_count import corrected_lines, corrected_shares, known_confusion
from wbc_core.workspace import Workspace

CONFUSION = np.array([[90, 8, 2], [5, 40, 5], [0, 3, 27]])
RATES = CONFUSION / CONFUSION.sum(axis=1, keepdims=True)


def test_shares_are_the_inverse_where_it_has_no_negative_one() -> None:
    mix = np.array([0.2, 0.5, 0.3])
    counts = np.round(100_000 * mix @ RATES).astype(int)
    found = corrected_shares(counts, CONFUSION, draws=200)
    assert found.shares == pytest.approx(mix, abs=1e-4)
    assert found.shares == pytest.approx(np.linalg.solve(RATES.T, counts / counts.sum()), abs=1e-9)
    assert (found.intervals[:, 0] < mix).all()
    assert (mix < found.intervals[:, 1]).all()
    assert corrected_shares(counts, CONFUSION, draws=200).intervals.tolist() == found.intervals.tolist()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=3, max_size=3).filter(any))
def test_no_shares_are_likelier(counts: list[int]) -> None:
    found = corrected_shares(counts, CONFUSION, draws=20).shares
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()

    def surprise(shares: np.ndarray) -> float:
        return -float(np.dot(counts, np.log(np.maximum(shares @ RATES, 1e-300))))

    other = minimize(
        surprise,
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1},
        method="SLSQP",
    )
    assert surprise(found) <= other.fun + 1e-3


def test_a_class_that_was_not_seen_may_be_there_all_the_same() -> None:
    found = corrected_shares([60, 40, 0], np.diag([50, 50, 50]), draws=500)
    assert found.shares.tolist() == pytest.approx([0.6, 0.4, 0], abs=1e-6)
    assert 0.005 < found.intervals[2, 1] < 0.1
    wide = corrected_shares([60, 40, 0], np.diag([5, 5, 5]), draws=500)
    assert (np.diff(wide.intervals) > np.diff(found.intervals))[:2].all()


def test_what_cannot_be_corrected_is_undefined() -> None:
    assert corrected_shares([0, 0, 0], CONFUSION).undefined == "there are no pictures"
    unknown = corrected_shares([1, 2, 3], np.diag([4, 0, 4]))
    assert "no held-out image" in unknown.undefined
    assert corrected_lines(["a", "b", "c"], unknown)[0]["share"] is None
    with pytest.raises(WbcError, match="do not fit"):
        corrected_shares([1, 2], CONFUSION)


def test_the_confusion_is_that_of_the_held_out_images(workspace: Workspace) -> None:
    _, prepared = build_split(workspace, build_dataset(workspace), fractions=(0.4, 0.3, 0.3))
    run = add_run(workspace, prepared, RUN)
    assert known_confusion(workspace, RUN) is None
    add_report(workspace, run, right=0.7, part="validation")
    assert known_confusion(workspace, RUN)[0] == "validation"
    report = add_report(workspace, run, right=0.7)
    name, matrix = known_confusion(workspace, RUN, tta=True)
    assert (name, matrix.tolist()) == ("test", report["confusion"])


def test_an_interval_holds_its_own_share() -> None:
    made = corrected_shares([20, *[0] * 7], np.eye(8, dtype=int) * 100)
    assert made.intervals is not None
    assert made.shares is not None
    assert (made.intervals[:, 0] <= made.shares).all()
    assert (made.shares <= made.intervals[:, 1]).all()
    assert made.shares[0] == pytest.approx(1)
