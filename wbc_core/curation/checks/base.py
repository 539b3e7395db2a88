"""What a check is, and small things that several of them share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

Search = Callable[[Measurements, NDArray[np.uint8], float, float], list[Finding]]


@dataclass(frozen=True)
class Completion:
    """What a check tells beside what it found, once another has found what that looks for.

    Both search side by side. Where the other's findings are not there, the check does without.

    Attributes:
        check: Name of the other check.
        complete: Called with the measurements, the findings, those of the other check and the threshold;
            returns all findings, worst first.
    """

    check: str
    complete: Callable[[Measurements, Sequence[Finding], Sequence[Finding], float], list[Finding]]


@dataclass(frozen=True)
class Check:
    """One way to find bad images.

    Attributes:
        name: Name in the registry and on disk.
        title: What the page calls it.
        description: One sentence for the page: what it finds and what it suggests.
        threshold: Default; a finding is flagged when its score reaches it.
        threshold_range: Lowest and highest threshold that make sense; a scan keeps what reaches the lowest,
            so that a slider counts right all the way.
        unit: What score and threshold are measured in.
        search: Called with measurements, images, threshold and the lowest score that is told, see `find`.
        measures: Names of the measures that it reads; only these are sure to be in the measurements.
        scope: `image` where a finding is one picture (with all its copies), `group` where it is several
            pictures that belong together, `set` where it is about the whole data set and names no rows.
        version: Raised when the check would find something else than before.
        completion: What it takes from another check; most take nothing.
    """

    name: str
    title: str
    description: str
    threshold: float
    threshold_range: tuple[float, float]
    unit: str
    search: Search
    measures: tuple[str, ...] = ()
    scope: Literal["image", "group", "set"] = "image"
    version: int = 1
    completion: Completion | None = None

    def find(
        self,
        measurements: Measurements,
        images: NDArray[np.uint8],
        threshold: float,
        lowest: float | None = None,
    ) -> list[Finding]:
        """Look for bad images among what was measured.

        Args:
            measurements: What was measured on every image; at least `measures`.
            images: The images, uint8 (n, H, W, 3), read a few rows at a time.
            threshold: Score from which a finding is flagged.
            lowest: Score from which a finding is told at all; that of `threshold_range` where None.

        Returns:
            Findings, worst first: those flagged and those below that another threshold would flag.
        """
        reach = self.threshold_range[0] if lowest is None else lowest
        return self.search(measurements, images, threshold, min(reach, threshold))


def worth_telling(scores: NDArray[np.floating], lowest: float) -> NDArray[np.int64]:
    """Positions of the scores above zero that reach `lowest`, worst first."""
    order = np.argsort(-scores, kind="stable")
    return order[(scores[order] >= lowest) & (scores[order] > 0)].astype(np.int64)


def finding_of_picture(
    check: str,
    measurements: Measurements,
    position: int,
    *,
    score: float,
    threshold: float,
    action: str | None,
    evidence: str,
) -> Finding:
    """The finding of a distinct picture with all its copies.

    Args:
        check: Name of the check.
        measurements: What was measured.
        position: Of the picture, in the order of `Measurements.unique_rows`.
        score: Of the picture.
        threshold: Score from which it is flagged.
        action: Suggested for every copy, None for none.
        evidence: Why, in words.
    """
    rows = measurements.rows_of_pictures[position].tolist()
    return Finding(
        check=check,
        rows=tuple(rows),
        image_ids=tuple(measurements.image_ids[row] for row in rows),
        score=score,
        flagged=score >= threshold,
        suggested={} if action is None else dict.fromkeys(map(str, rows), action),
        evidence=evidence,
    )


def findings_of_pictures(
    check: str,
    measurements: Measurements,
    scores: NDArray[np.floating],
    threshold: float,
    lowest: float,
    *,
    suggest: Callable[[int], str | None],
    explain: Callable[[int], str],
) -> list[Finding]:
    """One finding a distinct picture, all its copies together, worst first.

    Args:
        check: Name of the check.
        measurements: What was measured.
        scores: Score of each distinct picture, in the order of `Measurements.unique_rows`; 0 is never shown.
        threshold: Score from which a finding is flagged.
        lowest: Score from which it is told.
        suggest: Position in `scores` to the action suggested for every copy, None for none.
        explain: Position in `scores` to the evidence.

    Returns:
        All findings from `lowest` on.
    """
    rounded = np.asarray(scores, dtype=np.float64).round(2)
    findings = []
    for position in worth_telling(rounded, lowest).tolist():
        findings.append(
            finding_of_picture(
                check,
                measurements,
                position,
                score=float(rounded[position]),
                threshold=threshold,
                action=suggest(position),
                evidence=explain(position),
            )
        )
    return findings


def robust_deviations(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distance from the median in units of 1.4826 times the median absolute deviation.

    All zeros where the deviation is zero or there are fewer than 8 values: nothing stands out then.

    Example:
        >>> robust_deviations(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 40.0])).round(1)[-1]
        np.float64(12.0)
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 8:
        return np.zeros(len(values))
    distance = values - np.median(values)
    spread = 1.4826 * np.median(np.abs(distance))
    return distance / spread if spread > 0 else np.zeros(len(values))


def per_class(measurements: Measurements, rows: NDArray[np.integer]) -> str:
    """Name the labels of some rows with their counts, most frequent first: `ig 2, monocyte 1`."""
    counts = np.bincount(measurements.labels[rows], minlength=len(measurements.class_names))
    named = [
        f"{measurements.class_names[label]} {counts[label]:,}" for label in np.argsort(-counts, kind="stable")
    ]
    return ", ".join(named[: int((counts > 0).sum())])
