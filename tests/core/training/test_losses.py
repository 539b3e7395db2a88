"""Every loss is the formula of its paper, on probabilities."""

import numpy as np
import pytest

from wbc_core.training.losses import LOSSES, make_loss, needs_shares
from wbc_core.training.spec import RunSpec

COUNTS = [60, 30, 10]
LOGITS = np.random.default_rng(0).normal(size=(5, 3))
TRUTH = np.eye(3, dtype=np.float32)[[0, 1, 2, 2, 0]]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def value(**settings: object) -> float:
    spec = RunSpec("pr-0123456789ab", "cnn", **settings).checked()
    loss = make_loss(spec, COUNTS, shares=True)
    return float(np.mean(loss(TRUTH, softmax(LOGITS).astype(np.float32))))


def test_cross_entropy_and_label_smoothing() -> None:
    logarithm = np.log(softmax(LOGITS))
    assert value() == pytest.approx(-(TRUTH * logarithm).sum(axis=1).mean(), rel=1e-5)
    smoothed = 0.9 * TRUTH + 0.1 / 3
    assert value(label_smoothing=0.1) == pytest.approx(-(smoothed * logarithm).sum(axis=1).mean(), rel=1e-5)


def test_focal() -> None:
    likely = (TRUTH * softmax(LOGITS)).sum(axis=1)
    for gamma in (0.0, 2.0):
        expected = (-((1 - likely) ** gamma) * np.log(likely)).mean()
        assert value(loss="focal", focal_gamma=gamma) == pytest.approx(expected, rel=1e-5)


def test_logit_adjustment_adds_the_logarithm_of_the_class_shares() -> None:
    adjusted = softmax(LOGITS + np.log(np.array(COUNTS) / 100))
    expected = -np.log((TRUTH * adjusted).sum(axis=1)).mean()
    assert value(loss="logit_adjusted") == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_numbers_and_shares_give_the_same_cross_entropy(loss: str) -> None:
    spec = RunSpec("pr-0123456789ab", "cnn", loss=loss)
    assert needs_shares(spec) == (loss != "cross_entropy")
    if loss == "cross_entropy":
        numbers = make_loss(spec, COUNTS, shares=False)(TRUTH.argmax(axis=1), softmax(LOGITS))
        assert float(np.mean(numbers)) == pytest.approx(value(), rel=1e-5)
