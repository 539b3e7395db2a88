"""Every score against scikit-learn to 1e-12, and undefined where scikit-learn only warns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from wbc_core.errors import WbcError
from wbc_core.evaluation import metrics

CLASSES = 4
labels = st.integers(0, CLASSES - 1)
pairs = st.lists(st.tuples(labels, labels), min_size=1, max_size=60)
quick = settings(max_examples=150, deadline=None)


def close(ours: float | None, theirs: float) -> bool:
    return (ours is None and np.isnan(theirs)) or (ours is not None and abs(ours - theirs) < 1e-12)


@quick
@given(pairs)
def test_confusion_and_per_class_agree_with_scikit_learn(drawn: list[tuple[int, int]]) -> None:
    true, predicted = (np.array(side) for side in zip(*drawn, strict=True))
    confusion = metrics.confusion_matrix(true, predicted, CLASSES)
    everything = list(range(CLASSES))
    assert np.array_equal(confusion, reference.confusion_matrix(true, predicted, labels=everything))
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        true, predicted, labels=everything, zero_division=np.nan
    )
    for index, scores in enumerate(metrics.per_class(confusion)):
        assert close(scores.precision, precision[index])
        assert close(scores.recall, recall[index])
        assert close(scores.f1, f1[index])
        assert scores.support == support[index]
        others = reference.recall_score(true != index, predicted != index, zero_division=np.nan)
        assert close(scores.specificity, others)
        values = {name: getattr(scores, name) for name in ("precision", "recall", "specificity", "f1")}
        assert set(scores.undefined) == {name for name, value in values.items() if value is None}


@quick
@given(pairs)
def test_summaries_agree_with_scikit_learn(drawn: list[tuple[int, int]]) -> None:
    true, predicted = (np.array(side) for side in zip(*drawn, strict=True))
    confusion = metrics.confusion_matrix(true, predicted, CLASSES)
    assert close(metrics.accuracy(confusion), reference.accuracy_score(true, predicted))
    assert close(metrics.macro_f1(confusion), reference.f1_score(true, predicted, average="macro"))
    recalls = reference.recall_score(true, predicted, labels=np.unique(true), average="macro")
    assert close(metrics.balanced_accuracy(confusion), recalls)
    one_sided = len(set(true)) == 1 or len(set(predicted)) == 1
    matthews = metrics.matthews_correlation(confusion)
    assert (matthews is None) == one_sided
    if matthews is not None:
        assert close(matthews, reference.matthews_corrcoef(true, predicted))
    kappa = metrics.cohen_kappa(confusion)
    assert (kappa is None) == (len(set(true)) == len(set(predicted)) == 1 and true[0] == predicted[0])
    if kappa is not None:
        assert close(kappa, reference.cohen_kappa_score(true, predicted))


@quick
@given(st.lists(labels, min_size=1, max_size=40), st.integers(0, 2**32 - 1), st.booleans())
def test_log_loss_agrees_with_scikit_learn(true: list[int], seed: int, sure: bool) -> None:
    table = np.random.default_rng(seed).dirichlet(np.ones(CLASSES), len(true))
    if sure:
        table = np.eye(CLASSES)[table.argmax(axis=1)]
    theirs = reference.log_loss(true, table, labels=list(range(CLASSES)))
    assert metrics.log_loss(true, table) == pytest.approx(theirs, abs=1e-12, rel=1e-12)


def test_nothing_is_undefined_rather_than_zero() -> None:
    empty = metrics.confusion_matrix([], [], 2)
    assert metrics.accuracy(empty) is None
    assert metrics.macro_f1(empty) is None
    assert metrics.balanced_accuracy(empty) is None
    assert metrics.matthews_correlation(empty) is None
    assert metrics.cohen_kappa(empty) is None
    assert metrics.log_loss([], np.zeros((0, 2))) is None


def test_a_class_that_is_always_missed_scores_zero_not_undefined() -> None:
    scores = metrics.per_class(np.array([[0, 2], [1, 5]]))[0]
    assert (scores.precision, scores.recall, scores.f1) == (0.0, 0.0, 0.0)
    assert scores.undefined == {}


@pytest.mark.parametrize(
    ("true", "predicted", "said"),
    [([0, 1], [0], "equal length"), ([0, 3], [0, 1], "0 to 2"), ([0], [-1], "names no class")],
)
def test_bad_labels_are_refused_in_words(true: list[int], predicted: list[int], said: str) -> None:
    with pytest.raises(WbcError, match=said):
        metrics.confusion_matrix(true, predicted, 3)
