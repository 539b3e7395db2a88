"""The shared bootstrap against scikit-learn on the drawn images."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from wbc_core.evaluation.resampling import resampled_scores, stratified_weights


def classifiers() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    true = np.repeat([0, 1, 2], [60, 40, 20])
    first = np.where(generator.random(120) < 0.7, true, generator.integers(0, 3, 120))
    return true, np.stack([first, np.where(generator.random(120) < 0.5, true, first)])


def scores_of(true: np.ndarray, predicted: np.ndarray) -> list[float]:
    return [accuracy_score(true, predicted), f1_score(true, predicted, average="macro")]


def test_scores_of_every_draw_are_those_of_the_drawn_images() -> None:
    true, predicted = classifiers()
    scores = resampled_scores(true, predicted, 3, np.random.default_rng(0), draws=40)
    weights = np.concatenate(list(stratified_weights(true, np.random.default_rng(0), 40)), axis=1)
    assert (weights[true == 1].sum(axis=0) == 40).all()
    for draw in range(40):
        rows = np.repeat(np.arange(120), weights[:, draw].astype(int))
        for place in (0, 1):
            ours = [scores.accuracy[place, 1 + draw], scores.macro_f1[place, 1 + draw]]
            assert ours == pytest.approx(scores_of(true[rows], predicted[place, rows]), abs=1e-12)


def test_a_difference_is_of_the_same_draws() -> None:
    true, predicted = classifiers()
    scores = resampled_scores(true, predicted, 3, np.random.default_rng(0))
    found = scores.difference([0], [1])
    expected = np.subtract(*(scores_of(true, values) for values in predicted[::-1]))
    assert (found.accuracy, found.macro_f1) == pytest.approx(tuple(expected), abs=1e-12)
    drawn = scores.macro_f1[1, 1:] - scores.macro_f1[0, 1:]
    assert found.macro_f1_ci == tuple(np.percentile(drawn, (2.5, 97.5)))
    # The spread of a mean of paired differences, within each class (Efron & Tibshirani 1993, chapter 5).
    change = (predicted[1] == true) * 1.0 - (predicted[0] == true)
    variance = sum((true == label).sum() * change[true == label].var() for label in range(3)) / 120**2
    assert found.accuracy_ci[1] - found.accuracy_ci[0] == pytest.approx(2 * 1.96 * variance**0.5, rel=0.1)


def test_a_classifier_never_differs_from_itself_and_no_image_shows_nothing() -> None:
    labels = np.array([0, 1, 1, 0])
    scores = resampled_scores(labels, [labels, labels], 2, np.random.default_rng(0))
    same = scores.difference([0], [1])
    assert (same.accuracy, same.accuracy_ci, same.macro_f1_ci) == (0.0, (0.0, 0.0), (0.0, 0.0))
    nothing = resampled_scores([], np.zeros((2, 0)), 2, np.random.default_rng(0)).difference([0], [1])
    assert nothing.accuracy is None
    assert nothing.macro_f1_ci is None


def test_a_difference_does_not_depend_on_who_else_is_compared() -> None:
    true, predicted = classifiers()
    three = np.stack([true, *predicted])
    alone = resampled_scores(true, predicted, 3, np.random.default_rng(0)).difference([0], [1])
    assert resampled_scores(true, three, 3, np.random.default_rng(0)).difference([1], [2]) == alone
