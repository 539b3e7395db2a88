"""Confident learning: which labels a classifier's held-out probabilities speak against.

Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", Journal of
Artificial Intelligence Research 70, 2021. The reference is cleanlab 2.9, whose results a test asks for.
"""

import numpy as np
from numpy.typing import NDArray

_LEAST_THRESHOLD = 1e-8
_ROUNDING = 1e-6
_NEVER = 2.0
"""Threshold of a class without images: no probability reaches it."""

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def self_confidence(labels: IntArray, probabilities: FloatArray) -> FloatArray:
    """Probability of the given label, float64 (n,), 0..1 (section 3.2)."""
    return probabilities[np.arange(len(labels)), labels]


def class_thresholds(labels: IntArray, probabilities: FloatArray) -> FloatArray:
    """Mean self-confidence of each class, float64 (classes,): from there on a class is meant (eq. 2)."""
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=self_confidence(labels, probabilities), minlength=classes)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), _NEVER)
    return np.maximum(means, _LEAST_THRESHOLD)


def confident_classes(labels: IntArray, probabilities: FloatArray) -> IntArray:
    """Class that each image is confidently of: the likeliest to reach its threshold; -1 for none (eq. 1)."""
    reached = probabilities >= class_thresholds(labels, probabilities) - _ROUNDING
    several = reached.sum(axis=1) > 1
    confident = np.where(several, probabilities.argmax(axis=1), reached.argmax(axis=1))
    return np.where(reached.any(axis=1), confident, -1).astype(np.int64)


def label_issues(labels: IntArray, probabilities: FloatArray) -> NDArray[np.bool_]:
    """Off the diagonal of the confident joint, and not predicted as labelled, bool (n,) (section 3.2)."""
    confident = confident_classes(labels, probabilities)
    issues: NDArray[np.bool_] = (
        (confident >= 0) & (confident != labels) & (probabilities.argmax(axis=1) != labels)
    )
    return issues
