"""A report's figures: traceable to the confusion matrix, JSON without NaN, undefined with a reason."""

import json

import numpy as np
import pytest

from wbc_core.errors import WbcError
from wbc_core.evaluation.scoring import score

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
    assert sum(entry["images"] for entry in figures["reliability"]["equal_mass"]) == 5
    json.dumps(figures, allow_nan=False)


def test_the_same_predictions_give_the_same_report() -> None:
    generator = np.random.default_rng(0)
    table, labels = generator.dirichlet(np.ones(3), 90), generator.integers(0, 3, 90)
    assert score(labels, table, NAMES) == score(labels, table, NAMES)


def test_no_images_leave_every_figure_undefined_and_said_why() -> None:
    figures = score([], np.zeros((0, 3)), NAMES)
    assert figures["accuracy"] is None
    assert figures["ece"] is None
    assert figures["undefined"]["accuracy"] == "there are no images"
    json.dumps(figures, allow_nan=False)


def test_probabilities_of_other_classes_are_refused() -> None:
    with pytest.raises(WbcError, match="3 classes"):
        score([0, 1], np.full((2, 4), 0.25), NAMES)
