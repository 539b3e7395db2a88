"""A report's figures: traceable to the confusion matrix, JSON without NaN, undefined with a reason."""

import json

import numpy as np
import pytest

from wbc_core.errors import WbcError
from wbc_core.evaluation.scoring import CLASS_SCORES, WHY_UNDEFINED, score

NAMES = ("basophil", "lymphocyte", "platelet")


def test_figures_follow_from_the_predictions() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    table = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.1, 0.9, 0], [0.3, 0.7, 0], [0.4, 0.6, 0]])
    figures = score(labels, table, NAMES)
    assert figures["confusion"] == [[1, 1, 0], [0, 3, 0], [0, 0, 0]]
    assert figures["accuracy"] == 0.8
    assert figures["accuracy_ci"][0] < 0.8 < figures["accuracy_ci"][1]
    assert figures["per_class"]["lymphocyte"]["precision"] == 0.75
    assert figures["per_class"]["platelet"]["undefined"]["recall"] == "no image has this class"
    assert figures["per_class"]["platelet"]["f1_ci"] is None
    assert figures["per_class"]["basophil"]["auc"] == pytest.approx(4 / 6)
    assert figures["weighted_recall_ci"] == figures["accuracy_ci"]
    assert sum(entry["images"] for entry in figures["reliability"]["equal_mass"]) == 5
    json.dumps(figures, allow_nan=False)


def test_the_same_predictions_give_the_same_report() -> None:
    generator = np.random.default_rng(0)
    table, labels = generator.dirichlet(np.ones(3), 90), generator.integers(0, 3, 90)
    assert score(labels, table, NAMES) == score(labels, table, NAMES)


def test_every_figure_has_an_interval_around_it_or_a_reason() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 80)
    table = generator.dirichlet(np.ones(3), 80) + np.eye(3)[labels] / 3
    figures = score(labels, table / table.sum(axis=1, keepdims=True), NAMES)
    for name in set(WHY_UNDEFINED) - {"ece", "ece_equal_mass"}:
        low, high = figures[f"{name}_ci"]
        assert low <= figures[name] <= high, name
        assert low < high, name
    for entry in figures["per_class"].values():
        for name in CLASS_SCORES:
            assert (entry[name] is None) == (name in entry["undefined"])
            if entry[name] is not None:
                assert entry[f"{name}_ci"][0] <= entry[name] <= entry[f"{name}_ci"][1]


@pytest.mark.parametrize("labels", [[0, 0], [0], [1, 1, 1]])
def test_one_class_alone_is_ranked_against_nothing(labels: list[int]) -> None:
    table = np.tile([0.7, 0.2, 0.1], (len(labels), 1))
    figures = score(labels, table, NAMES)
    entry = figures["per_class"][NAMES[labels[0]]]
    assert (entry["auc"], entry["undefined"]["auc"]) == (None, "every image has this class")
    assert (entry["average_precision"], entry["average_precision_ci"]) == (1.0, [1.0, 1.0])
    assert figures["undefined"]["macro_auc"] == "no class has both images of its own and of others"
    assert "matthews_correlation" in figures["undefined"]
    json.dumps(figures, allow_nan=False)


def test_no_images_leave_every_figure_undefined_and_said_why() -> None:
    figures = score([], np.zeros((0, 3)), NAMES)
    assert figures["accuracy"] is None
    assert figures["ece"] is None
    assert figures["undefined"]["accuracy"] == "there are no images"
    json.dumps(figures, allow_nan=False)


def test_probabilities_of_other_classes_are_refused() -> None:
    with pytest.raises(WbcError, match="3 classes"):
        score([0, 1], np.full((2, 4), 0.25), NAMES)


def test_a_model_that_diverged_is_refused_in_words() -> None:
    with pytest.raises(WbcError, match="1 images with a value that is not finite"):
        score([0, 1], np.array([[0.2, 0.3, 0.5], [np.nan, 0.5, 0.5]]), NAMES)
