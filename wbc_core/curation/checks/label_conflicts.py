"""Near duplicates under different labels, told among the label errors: one of the labels is wrong.

Which one, held-out classifiers are asked about all pictures of a group together: each of them has seen the
other copies under their labels, which moves it towards the wrong answer for the right one as well; over the
group that weighs equally on both sides.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import finding_of_picture
from wbc_core.curation.measure import Measurements
from wbc_core.curation.support import LabelSupport, label_support
from wbc_core.records import Finding

CONFLICT_SCORE = 100.0
"""The copy's label speaks against the given one as much as all of its usual support speaks for it."""

_LIKELY = 0.5
"""Probability, over a group, from which a class is suggested."""

_NAMED = 5


def tell_conflicts(
    measurements: Measurements,
    findings: Sequence[Finding],
    near_duplicates: Sequence[Finding],
    threshold: float,
) -> list[Finding]:
    """Add to the label errors the pictures of which a near duplicate carries another label.

    Where the classifiers agree on one of the labels, the pictures under another are told, with that class
    suggested; else all are, and the choice is a person's. What a classifier alone suggested for a picture of
    such a group is taken back: two copies would else be given each other's label.

    Args:
        measurements: What was measured, `features` among it.
        findings: The label errors that were found without regard to copies.
        near_duplicates: What the check for near duplicates found.
        threshold: Score from which a finding is flagged.

    Returns:
        All findings, worst first.
    """
    groups = [
        np.array(found.rows)
        for found in near_duplicates
        if found.flagged and len(set(measurements.labels[list(found.rows)].tolist())) > 1
    ]
    if not groups:
        return list(findings)
    support = label_support(measurements)
    told = {finding.rows[0]: finding for finding in findings}
    for rows in groups:
        likely = _likely_label(support, np.searchsorted(measurements.unique_rows, rows))
        for row in rows.tolist():
            suspected = likely is None or measurements.labels[row] != likely[0]
            words = _words(measurements, row, rows, likely)
            if row in told:
                told[row] = replace(told[row], suggested={}, evidence=f"{words} {told[row].evidence}")
            if suspected:
                told[row] = _suspected(measurements, row, words, likely, threshold, told.get(row))
    return sorted(told.values(), key=lambda finding: (-finding.score, finding.rows))


def _likely_label(support: LabelSupport, positions: NDArray[np.int64]) -> tuple[int, float] | None:
    """The label in a group that held-out classifiers agree on, and its probability; None without one."""
    if not support.judged[positions].all():
        return None
    chances = support.probabilities[positions].mean(axis=0)
    best = int(chances.argmax())
    if chances[best] < _LIKELY or best not in support.labels[positions]:
        return None
    return best, float(chances[best])


def _suspected(
    measurements: Measurements,
    row: int,
    words: str,
    likely: tuple[int, float] | None,
    threshold: float,
    found: Finding | None,
) -> Finding:
    """The finding of a picture whose label a copy contradicts."""
    return finding_of_picture(
        "label_errors",
        measurements,
        int(np.searchsorted(measurements.unique_rows, row)),
        score=max(CONFLICT_SCORE, found.score if found else 0.0),
        threshold=threshold,
        action=f"relabel:{measurements.class_names[likely[0]]}" if likely else None,
        evidence=found.evidence if found else words,
    )


def _words(
    measurements: Measurements, row: int, rows: NDArray[np.int64], likely: tuple[int, float] | None
) -> str:
    """Say which copies of a picture are labelled otherwise, and what the classifiers say of all of them."""

    def name(one: int) -> str:
        return measurements.class_names[int(measurements.labels[one])]

    others = [one for one in rows.tolist() if measurements.labels[one] != measurements.labels[row]]
    more = f", and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    copies = (
        f"its near duplicate, row {others[0]}, is labelled {name(others[0])}"
        if len(others) == 1
        else "its near duplicates are labelled otherwise: "
        + ", ".join(f"row {one} {name(one)}" for one in others[:_NAMED])
        + more
    )
    verdict = (
        f"Classifiers that did not see the picture in question take them for "
        f"{measurements.class_names[likely[0]]} ({100 * likely[1]:.0f} % likely)."
        if likely
        else "Classifiers do not agree on one of these labels, so that you decide."
    )
    return f"Conflict: labelled {name(row)}, {copies}. {verdict}"
