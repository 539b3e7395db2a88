"""Every figure against scikit-learn to 1e-12 under any weights; undefined where that only warns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from wbc_core.errors import WbcError
from wbc_core.evaluation import metrics
from wbc_core.evaluation.figures import WeightedFigures

CLASSES = 4
EVERYTHING = list(range(CLASSES))
labels = st.integers(0, CLASSES - 1)
Table = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Labels (n,), probabilities (n, 4), weights (n,): with ties, absent classes, certainty and zeros."""
    images = draw(st.integers(1, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    true = generator.choice(draw(st.lists(labels, min_size=1, max_size=4)), images)
    table = generator.dirichlet(np.ones(CLASSES), images)
    # Tenths tie often, also in their largest entry; an image that is certain puts 0 and 1 in.
    coarse = draw(st.sampled_from(["fine", "tenths", "certain"]))
    if coarse == "tenths":
        table = generator.multinomial(10, np.ones(CLASSES) / CLASSES, images) / 10
    elif coarse == "certain":
        table = np.eye(CLASSES)[table.argmax(axis=1)]
    table = table[:, draw(st.permutations(EVERYTHING))]
    weights = generator.integers(0, 4, images) / 4 if draw(st.booleans()) else np.ones(images)
    weights[generator.integers(images)] = 1.0
    return true, table, weights


def weighted(drawn: Table) -> dict[str, np.ndarray]:
    true, table, weights = drawn
    return {name: values[0] for name, values in WeightedFigures(true, table)(weights[:, None]).items()}


def close(ours: float, theirs: float) -> bool:
    return bool(np.isclose(ours, theirs, rtol=1e-12, atol=1e-12, equal_nan=True))


quick = settings(max_examples=60, deadline=None)


@quick
@given(tables(), labels)
def test_class_figures_agree_with_scikit_learn(drawn: Table, k: int) -> None:
    true, table, weights = drawn
    predicted, own, ours = table.argmax(axis=1), true == k, weighted(drawn)
    options = {"zero_division": np.nan, "sample_weight": weights}
    theirs = reference.precision_recall_fscore_support(true, predicted, labels=[k], **options)
    for place, name in enumerate(("precision", "recall", "f1")):
        assert close(ours[name][k], theirs[place][0])
    assert close(ours["specificity"][k], reference.recall_score(~own, predicted != k, **options))
    present = own[weights > 0]
    assert np.isnan(ours["auc"][k]) == (present.all() or not present.any())
    assert np.isnan(ours["average_precision"][k]) == (not present.any())
    if present.any():
        average = reference.average_precision_score(own, table[:, k], sample_weight=weights)
        assert close(ours["average_precision"][k], average)
    if present.any() and not present.all():
        assert close(ours["auc"][k], reference.roc_auc_score(own, table[:, k], sample_weight=weights))


@quick
@given(tables())
def test_overall_figures_agree_with_scikit_learn(drawn: Table) -> None:
    true, table, weights = drawn
    predicted, ours = table.argmax(axis=1), weighted(drawn)
    options = {"labels": EVERYTHING, "sample_weight": weights}
    for average in ("macro", "weighted"):
        theirs = reference.precision_recall_fscore_support(
            true, predicted, average=average, zero_division=np.nan, **options
        )
        for place, name in enumerate(("precision", "recall", "f1")):
            score = ours[f"{average}_{name}"]
            # Where no class that counts was predicted, scikit-learn averages the others equally.
            assert close(score, theirs[place]) or (average == "weighted" and np.isnan(score))
    classes = set(true[weights > 0]), set(predicted[weights > 0])
    assert np.isnan(ours["weighted_precision"]) == classes[0].isdisjoint(classes[1])
    assert close(ours["accuracy"], reference.accuracy_score(true, predicted, sample_weight=weights))
    assert ours["balanced_accuracy"] == ours["macro_recall"]
    assert np.isnan(ours["matthews_correlation"]) == (1 in map(len, classes))
    if not np.isnan(ours["matthews_correlation"]):
        theirs = reference.matthews_corrcoef(true, predicted, sample_weight=weights)
        assert close(ours["matthews_correlation"], theirs)
    assert np.isnan(ours["cohen_kappa"]) == (classes[0] == classes[1] and len(classes[0]) == 1)
    if not np.isnan(ours["cohen_kappa"]):
        assert close(ours["cohen_kappa"], reference.cohen_kappa_score(true, predicted, **options))


@quick
@given(tables())
def test_losses_agree_with_scikit_learn(drawn: Table) -> None:
    true, table, weights = drawn
    ours, options = weighted(drawn), {"labels": EVERYTHING, "sample_weight": weights}
    assert close(ours["log_loss"], reference.log_loss(true, table, **options))
    assert close(ours["brier_score"], reference.brier_score_loss(true, table, **options))


def test_the_brier_score_of_two_classes_is_the_sum_over_both() -> None:
    true, table = np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    ours = weighted((true, table, np.ones(3)))["brier_score"]
    assert close(ours, 2 * reference.brier_score_loss(true, table[:, 1]))


@quick
@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=60))
def test_the_confusion_matrix_agrees_with_scikit_learn(drawn: list[tuple[int, int]]) -> None:
    true, predicted = (np.array(side) for side in zip(*drawn, strict=True))
    confusion = metrics.confusion_matrix(true, predicted, CLASSES)
    assert np.array_equal(confusion, reference.confusion_matrix(true, predicted, labels=EVERYTHING))
    assert metrics.accuracy(confusion) == reference.accuracy_score(true, predicted)


def test_nothing_is_undefined_rather_than_zero() -> None:
    empty = metrics.confusion_matrix([], [], 2)
    assert metrics.accuracy(empty) is None
    assert metrics.macro_f1(empty) is None
    assert all(np.isnan(value) for value in metrics.overall_scores(empty).values())


def test_a_class_that_is_always_missed_scores_zero_not_undefined() -> None:
    scores = metrics.class_scores(np.array([[0, 2], [1, 5]]))
    assert [scores[name][0] for name in ("precision", "recall", "f1")] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("true", "predicted", "said"),
    [([0, 1], [0], "equal length"), ([0, 3], [0, 1], "0 to 2"), ([0], [-1], "names no class")],
)
def test_bad_labels_are_refused_in_words(true: list[int], predicted: list[int], said: str) -> None:
    with pytest.raises(WbcError, match=said):
        metrics.confusion_matrix(true, predicted, 3)
