"""How far the other images of a set support the label of each."""

from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measure import Measurements
from wbc_core.curation.quick_classifier import calibrated, out_of_fold

_FEWEST_IMAGES = 10
"""A class with fewer distinct pictures is left alone: five folds cannot learn it."""

_LEAST_SKILL = 0.3
"""Usual support of a class, between chance (0) and certainty (1), from which its labels are judged."""


@dataclass(frozen=True, eq=False)
class LabelSupport:
    """What held-out classifiers say of each distinct picture, in the order of `Measurements.unique_rows`.

    Attributes:
        labels: Given class, int64 (m,).
        judged: Whether the class is recognised and all copies of the picture have one label, bool (m,).
        own: Support of the given class over the median of that class, float64 (m,): 1 usual, 0 none.
        likely: The best supported other class, int64 (m,).
        other: Its support over its own median, float64 (m,).
        probabilities: Calibrated, float64 (m, classes); 0 for classes that are not judged.
    """

    labels: NDArray[np.int64]
    judged: NDArray[np.bool_]
    own: NDArray[np.float64]
    likely: NDArray[np.int64]
    other: NDArray[np.float64]
    probabilities: NDArray[np.float64]


_COMPUTED: WeakKeyDictionary[Measurements, LabelSupport] = WeakKeyDictionary()
_COMPUTING = Lock()


def label_support(measurements: Measurements) -> LabelSupport:
    """Ask classifiers that did not see them about all labels; once for the same measurements."""
    with _COMPUTING:  # Checks run side by side, and two of them ask.
        if measurements not in _COMPUTED:
            _COMPUTED[measurements] = _compute(measurements)
        return _COMPUTED[measurements]


def _compute(measurements: Measurements) -> LabelSupport:
    unique = measurements.unique_rows
    labels, classes = measurements.labels[unique], len(measurements.class_names)
    count = len(labels)
    support = LabelSupport(
        labels=labels,
        judged=np.zeros(count, dtype=bool),
        own=np.ones(count),
        likely=labels.copy(),
        other=np.zeros(count),
        probabilities=np.zeros((count, classes)),
    )
    sizes = np.bincount(labels, minlength=classes)
    kept = np.flatnonzero(sizes >= _FEWEST_IMAGES)
    if len(kept) < 2:
        return support
    learnt = np.flatnonzero(np.isin(labels, kept))
    codes = np.searchsorted(kept, labels[learnt])
    responses = out_of_fold(measurements["features"][unique[learnt]], codes, len(kept))
    support.probabilities[np.ix_(learnt, kept)] = calibrated(responses, codes)
    given = responses[np.arange(len(codes)), codes].astype(np.float64)
    usual = np.array([np.median(given[codes == code]) for code in range(len(kept))])
    chance = sizes[kept] / len(learnt)
    recognised = usual >= chance + _LEAST_SKILL * (1 - chance)
    if recognised.sum() < 2:
        return support
    scaled = np.where(recognised, responses / np.where(recognised, usual, 1.0), -np.inf)
    support.own[learnt] = given / np.where(recognised, usual, 1.0)[codes]
    scaled[np.arange(len(codes)), codes] = -np.inf
    best = scaled.argmax(axis=1)
    support.likely[learnt] = kept[best]
    support.other[learnt] = scaled[np.arange(len(codes)), best]
    conflict = np.zeros(len(measurements), dtype=bool)
    conflict[measurements.first_copy[measurements.labels != measurements.labels[measurements.first_copy]]] = (
        True
    )
    support.judged[learnt] = recognised[codes] & ~conflict[unique[learnt]]
    return support
