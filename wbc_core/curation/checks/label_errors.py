"""Labels that the other images speak against.

Confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021) ranks labels by their self-confidence: what a
classifier that did not see the image gives them, against what is usual in the class. Its own cut, the
confident joint, is only told in the evidence, because half of what it flags in good sets is right (Northcutt,
Athalye and Mueller, NeurIPS 2021). The score is four fifths the support missing to the given class and one
fifth the support of the other, in percent, less what the pictures that look most alike say for the label:
up to 30 % where all have it, up to half where fewer than five of ten have the other, as around a foreign
picture. Settled in docs/decisions/007-features-for-labels.md.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, Completion, findings_of_pictures
from wbc_core.curation.checks.label_conflicts import tell_conflicts
from wbc_core.curation.confident_learning import label_issues
from wbc_core.curation.measure import Measurements
from wbc_core.curation.pair_loops import keep_smallest
from wbc_core.curation.quick_classifier import standardise
from wbc_core.curation.spread import over_threads
from wbc_core.curation.support import LabelSupport, label_support
from wbc_core.records import Finding

_OWN_WEIGHT = 0.8
_THRESHOLD = 96.0
_RELATIVES = 10
_NAMED = 5
_OWN_RELATIVES_WEIGHT = 0.3
_BATCH = 256
"""Suspects whose nearest pictures are looked up at a time."""

_BLOCK = 1024
"""Pictures that they are compared with at a time: their distances stay near the processor."""


def _relatives(points: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions of the pictures most like some of them, nearest first, int64 (k, up to 10)."""
    shape = (len(positions), min(_RELATIVES, len(points) - 1))
    nearest, distances = np.zeros(shape, dtype=np.int64), np.full(shape, np.inf, dtype=np.float32)
    suspects = (points[positions] * -2.0).astype(np.float32, copy=False)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        squares = suspects @ block.T
        squares += (block**2).sum(axis=1)
        own = np.flatnonzero((positions >= start) & (positions < start + len(block)))
        squares[own, positions[own] - start] = np.inf
        keep_smallest(squares, start, nearest, distances)
    return nearest


def _scores(
    support: LabelSupport, features: NDArray[np.floating], lowest: float
) -> tuple[NDArray[np.float64], dict[int, NDArray[np.int64]]]:
    """Percent of the usual support that speaks against the label, and the nearest pictures that were asked.

    The nearest pictures can only lower a score, so that they are looked up only where it can still be told: a
    search through all of a large set for each suspect would grow with the square of the set.
    """
    scores = np.zeros(len(support.labels))
    relatives: dict[int, NDArray[np.int64]] = {}
    suspects = np.flatnonzero(support.judged & (support.other > support.own))
    missing, other = 1 - support.own[suspects], support.other[suspects]
    highest = 100 * (_OWN_WEIGHT * missing + (1 - _OWN_WEIGHT) * other)
    # A score is told rounded to two digits.
    suspects, highest = suspects[highest >= lowest - 0.01], highest[highest >= lowest - 0.01]
    points = standardise(features)
    starts = range(0, len(suspects), _BATCH)
    batches = [suspects[start : start + _BATCH] for start in starts]
    found = over_threads(lambda batch: _relatives(points, batch), batches)
    for start, batch, nearest in zip(starts, batches, found, strict=True):
        of_label = (support.labels[nearest] == support.labels[batch, None]).mean(axis=1)
        of_other = (support.labels[nearest] == support.likely[batch, None]).mean(axis=1)
        against = (1 - _OWN_RELATIVES_WEIGHT * of_label) * np.minimum(1.0, 0.5 + of_other)
        scores[batch] = highest[start : start + _BATCH] * against
        relatives |= dict(zip(batch.tolist(), nearest, strict=True))
    return scores, relatives


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    support = label_support(measurements)
    scores, relatives = _scores(support, measurements["features"][measurements.unique_rows], lowest)
    if not relatives:
        return []
    suspected = np.zeros(len(scores), dtype=bool)
    known = support.probabilities.sum(axis=1) > 0
    suspected[known] = label_issues(support.labels[known], support.probabilities[known])
    groups = measurements.rows_of_pictures
    names = measurements.class_names

    def explain(position: int) -> str:
        given, likely = names[support.labels[position]], names[support.likely[position]]
        chances = support.probabilities[position]
        verdict = "also flags it" if suspected[position] else "would leave it"
        copies = (
            f"All {len(groups[position]):,} copies of it say {given}. " if len(groups[position]) > 1 else ""
        )
        return (
            f"{copies}Labelled {given} ({100 * chances[support.labels[position]]:.1f} % likely), it looks "
            f"like {likely} ({100 * chances[support.likely[position]]:.1f} %) to a classifier that did not "
            f"see it; the pictures nearest to it: {_in_words(measurements, relatives[position])}; "
            f"confident learning {verdict}."
        )

    return findings_of_pictures(
        "label_errors",
        measurements,
        scores,
        threshold,
        lowest,
        suggest=lambda position: f"relabel:{names[support.likely[position]]}",
        explain=explain,
    )


def _in_words(measurements: Measurements, relatives: NDArray[np.int64]) -> str:
    rows = measurements.unique_rows[relatives[:_NAMED]]
    return ", ".join(
        f"{measurements.class_names[measurements.labels[row]]} (row {row})" for row in rows.tolist()
    )


LABEL_ERRORS = Check(
    name="label_errors",
    title="Label errors",
    description="Images whose look, or a near duplicate, speaks for another class than their label.",
    threshold=_THRESHOLD,
    threshold_range=(40.0, 120.0),
    unit="% of the usual support speaks against the label",
    search=_find,
    measures=("features",),
    version=3,
    completion=Completion("near_duplicates", tell_conflicts),
)
