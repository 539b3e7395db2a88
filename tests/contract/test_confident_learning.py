"""Our confident learning gives what cleanlab gives, label for label."""

import numpy as np
import pytest

from wbc_core.curation import confident_learning
from wbc_core.curation.quick_classifier import calibrated

filters = pytest.importorskip("cleanlab.filter")
counts = pytest.importorskip("cleanlab.count")
rank = pytest.importorskip("cleanlab.rank")


def _noisy(seed: int, count: int, classes: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(count) % classes)
    truth = np.where(generator.random(count) < 0.15, generator.integers(0, classes, count), labels)
    logits = generator.normal(size=(count, classes)) + sharpness * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 3.0, 6.0])
@pytest.mark.parametrize(("count", "classes"), [(40, 2), (400, 3), (2_000, 8), (600, 25)])
def test_the_same_as_cleanlab(count: int, classes: int, sharpness: float) -> None:
    labels, probabilities = _noisy(count + classes, count, classes, sharpness)
    expected = filters.find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    found = confident_learning.label_issues(labels, probabilities)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(
        confident_learning.class_thresholds(labels, probabilities),
        counts.get_confident_thresholds(labels, probabilities),
        rtol=1e-12,
    )
    np.testing.assert_array_equal(
        confident_learning.self_confidence(labels, probabilities),
        rank.get_label_quality_scores(labels, probabilities, method="self_confidence"),
    )


def test_calibrated_probabilities_are_as_often_right_as_they_say() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 20_000)
    logits = 0.4 * (generator.normal(size=(20_000, 4)) + 2 * np.eye(4)[labels])
    probabilities = calibrated(logits.astype(np.float32), labels)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    for low in (0.3, 0.5, 0.7, 0.9):
        band = (confidence >= low) & (confidence < low + 0.2)
        assert abs(confidence[band].mean() - right[band].mean()) < 0.03
