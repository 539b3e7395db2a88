"""What was found in a data set, what was done about it and by whom: the facts of the cleaning report."""

import hashlib
import io
import platform
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.agreement import agreement, opinions
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.clean import clean_set
from wbc_core.curation.cleaning_examples import DROPPED, KEPT, LEFT, RELABELLED, Example, examples
from wbc_core.curation.decision_csv import write_decisions
from wbc_core.curation.replay import origin
from wbc_core.curation.review import UNNAMED, decision_log
from wbc_core.curation.scan import load_findings, scanned_checks, settings_of, threshold_of_scan
from wbc_core.curation.standing import KEEP, Standing, brought_up_to_date, nothing_decided
from wbc_core.curation.suggestions import settled_rows, suggestions_of
from wbc_core.datasets.store import load_table
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Decision, Finding
from wbc_core.workspace import Workspace, whole_file

_UNNAMED = re.compile(f"{UNNAMED} [0-9a-f]{{4}}")
_SOFTWARE = {
    "WBC Lab": "wbc-lab",
    "NumPy": "numpy",
    "SciPy": "scipy",
    "OpenCV": "opencv-python-headless",
}


@dataclass(frozen=True)
class ClassFacts:
    """One class: images imported, dropped, relabelled away from it and to it, and left in the end."""

    name: str
    before: int
    dropped: int
    relabelled_away: int
    relabelled_here: int
    after: int


@dataclass(frozen=True)
class CheckFacts:
    """One check, and what became of the images that were looked at because of it.

    Attributes:
        name: Name in the registry.
        title: What the page calls it.
        version: Version that made the findings.
        embedding: The network whose view of the images stood in for the lab's features, if any.
        threshold: Score from which it flagged: the lowest from which suggestions were followed that still
            stand, the scan's where none were.
        unit: What the threshold is measured in.
        findings: Number of findings flagged; images, groups of copies, or notes about the whole set.
        scope: `image`, `group` or `set`.
        found: Number of images in them; one that several checks found counts in each.
        beside: Number of images decided on under this check that it did not flag from this threshold on.
        dropped, relabelled, kept: Images so decided under this check, those beside included.
        open: Images found on which nobody decided; the one copy that is left of a group is none.
    """

    name: str
    title: str
    version: int
    embedding: str | None
    threshold: float
    unit: str
    findings: int
    scope: str
    found: int
    beside: int
    dropped: int
    relabelled: int
    kept: int
    open: int


@dataclass(frozen=True)
class Reviewer:
    """A person, and the images on which that person's decision stands."""

    name: str
    dropped: int
    relabelled: int
    kept: int

    @property
    def images(self) -> int:
        """All images of this person."""
        return self.dropped + self.relabelled + self.kept


@dataclass(frozen=True)
class SecondReview:
    """A blind second review: who, images that both judged, agreed on, Cohen's kappa and its 95 % interval."""

    name: str
    images: int
    agreed: int
    kappa: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class CleaningFacts:
    """Everything that the cleaning report says.

    Attributes:
        dataset: The data set.
        clean_id: Id of the clean set.
        kept, dropped, relabelled: Images of the clean set; dropped; of the clean set with another class.
        classes: One entry a class, in class order.
        checks: One entry a check that was run, in the registry's order.
        by_eye: Images dropped, relabelled and kept without a check.
        reviewers: Who decided, most images first; an imported decision counts for who made it first.
        second_reviews: Blind second reviews, by name.
        examples: Pictures that the checks found, at even steps of their scores.
        head: Last line of the decision log.
        log_lines: Number of its lines, undone ones and undos included.
        log_sha256: Hash of the log as the CSV file that the lab exports.
        period: Day of the first and of the last decision that stands, ISO 8601; None where there is none.
        software: Name to version.
    """

    dataset: Dataset
    clean_id: str
    kept: int
    dropped: int
    relabelled: int
    classes: tuple[ClassFacts, ...]
    checks: tuple[CheckFacts, ...]
    by_eye: tuple[int, int, int]
    reviewers: tuple[Reviewer, ...]
    second_reviews: tuple[SecondReview, ...]
    examples: tuple[Example, ...]
    head: int
    log_lines: int
    log_sha256: str
    period: tuple[str, str] | None
    software: dict[str, str]


def cleaning_facts(workspace: Workspace, dataset_id: str) -> CleaningFacts:
    """Gather the facts of the cleaning report; the same workspace gives the same facts at any time.

    Raises:
        WbcError: No such data set.
    """
    clean = clean_set(workspace, dataset_id)
    dataset = clean.dataset
    before = load_table(workspace, dataset.id)["label"].to_numpy(dtype=np.int64)
    after = before.copy()
    after[clean.rows] = clean.labels
    standing = brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    decided = standing.effective
    outcomes = np.full(dataset.images, LEFT, dtype=np.uint8)
    outcomes[list(decided)] = KEPT
    outcomes[before != after] = RELABELLED
    outcomes[np.setdiff1d(np.arange(dataset.images), clean.rows)] = DROPPED
    thresholds = {
        name: _threshold(workspace, dataset.id, name, decided)
        for name in scanned_checks(workspace, dataset.id)
    }
    found = {
        name: [one for one in load_findings(workspace, dataset.id, name) if one.score >= threshold]
        for name, threshold in thresholds.items()
    }
    log = io.StringIO(newline="")
    write_decisions(workspace, dataset.id, log)
    days = sorted(origin(line)[1][:10] for line in decided.values())
    return CleaningFacts(
        dataset=dataset,
        clean_id=clean.id,
        kept=len(clean.rows),
        dropped=clean.dropped,
        relabelled=int((outcomes == RELABELLED).sum()),
        classes=_class_facts(dataset, before, after, outcomes),
        checks=tuple(
            _check_facts(workspace, dataset, name, thresholds[name], findings, standing, outcomes, before)
            for name, findings in found.items()
        ),
        by_eye=_counted(outcomes, [row for row, line in decided.items() if line.check not in found]),
        reviewers=_reviewers(decided, outcomes),
        second_reviews=_second_reviews(workspace, dataset.id),
        examples=examples(workspace, dataset, found, before, outcomes),
        head=clean.head,
        log_lines=len(decision_log(workspace, dataset.id)),
        log_sha256=hashlib.sha256(log.getvalue().encode()).hexdigest(),
        period=(days[0], days[-1]) if days else None,
        software={
            **{name: metadata.version(package) for name, package in _SOFTWARE.items()},
            "Python": platform.python_version(),
        },
    )


def _counted(outcomes: NDArray[np.uint8], rows: Sequence[int]) -> tuple[int, int, int]:
    """How many of some rows were dropped, relabelled and kept."""
    counts = Counter(outcomes[list(rows)].tolist())
    return counts[DROPPED], counts[RELABELLED], counts[KEPT]


def _class_facts(
    dataset: Dataset, before: NDArray[np.int64], after: NDArray[np.int64], outcomes: NDArray[np.uint8]
) -> tuple[ClassFacts, ...]:
    def count(labels: NDArray[np.int64]) -> list[int]:
        return [int(number) for number in np.bincount(labels, minlength=len(dataset.class_names))]

    dropped, relabelled = outcomes == DROPPED, outcomes == RELABELLED
    columns = (
        count(before),
        count(before[dropped]),
        count(before[relabelled]),
        count(after[relabelled]),
        count(after[~dropped]),
    )
    return tuple(
        ClassFacts(name, *numbers) for name, *numbers in zip(dataset.class_names, *columns, strict=True)
    )


def _threshold(workspace: Workspace, dataset_id: str, check: str, decided: Mapping[int, Decision]) -> float:
    """The lowest score from which the suggestions of a check were followed; the scan's where none were."""
    followed = [
        line.threshold for line in decided.values() if line.check == check and line.threshold is not None
    ]
    return min(followed, default=threshold_of_scan(workspace, dataset_id, check))


def _check_facts(
    workspace: Workspace,
    dataset: Dataset,
    name: str,
    threshold: float,
    findings: Sequence[Finding],
    standing: Standing,
    outcomes: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> CheckFacts:
    check = CHECKS.get(name)
    made_by = settings_of(workspace, dataset.id, name) or {}
    settled = settled_rows(suggestions_of(name, findings, dataset.class_names, labels), standing)
    still_open: set[int] = set()
    for finding in findings:
        undecided = {row for row in finding.rows if not settled[row]}
        if check.scope != "group" or len(undecided) > 1:
            still_open |= undecided
    found = {row for finding in findings for row in finding.rows}
    because = {row for row, line in standing.effective.items() if line.check == name}
    if name in standing.under:
        because |= set(np.flatnonzero((standing.under[name] == KEEP) & (outcomes == KEPT)).tolist())
    dropped, relabelled, kept = _counted(outcomes, sorted(because))
    return CheckFacts(
        name=name,
        title=check.title,
        version=int(made_by.get("version", check.version)),
        embedding=made_by.get("embedding"),
        threshold=threshold,
        unit=check.unit,
        findings=len(findings),
        scope=check.scope,
        found=len(found),
        beside=len(because - found),
        dropped=dropped,
        relabelled=relabelled,
        kept=kept,
        open=len(still_open),
    )


def _reviewers(decided: Mapping[int, Decision], outcomes: NDArray[np.uint8]) -> tuple[Reviewer, ...]:
    rows: dict[str, list[int]] = {}
    for row, line in decided.items():
        name = origin(line)[0]
        # Somebody without a name has another number at every visit.
        rows.setdefault(UNNAMED if _UNNAMED.fullmatch(name) else name, []).append(row)
    found = [Reviewer(name, *_counted(outcomes, theirs)) for name, theirs in rows.items()]
    return tuple(sorted(found, key=lambda reviewer: (-reviewer.images, reviewer.name)))


def _second_reviews(workspace: Workspace, dataset_id: str) -> tuple[SecondReview, ...]:
    reviews = []
    for name in sorted(opinions(workspace, dataset_id)):
        found = agreement(workspace, dataset_id, name)
        if found.images:
            reviews.append(SecondReview(name, found.images, found.agreed, found.kappa, found.interval))
    return tuple(reviews)


def write_report(workspace: Workspace, dataset_id: str, path: Path) -> None:
    """Write the cleaning report of a data set: one page to read in a browser, or to print.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        path: `.html` or `.pdf`; an older file is replaced once the new one is whole.

    Raises:
        WbcError: No such data set, another ending, or the folder does not exist.
    """
    content = report_bytes(workspace, dataset_id, path.suffix.lower())
    with whole_file(path) as scratch:
        scratch.write_bytes(content)


def report_bytes(workspace: Workspace, dataset_id: str, ending: str) -> bytes:
    """The cleaning report as a file's bytes; the same workspace gives the same bytes at any time.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        ending: `.html` or `.pdf`.

    Raises:
        WbcError: No such data set, or another ending.
    """
    if ending == ".html":
        from wbc_core.curation.cleaning_report_html import as_html

        return as_html(cleaning_facts(workspace, dataset_id)).encode()
    if ending == ".pdf":
        from wbc_core.curation.cleaning_report_pdf import as_pdf

        return as_pdf(cleaning_facts(workspace, dataset_id))
    raise WbcError(
        "The cleaning report cannot be written so.", expected="a name that ends in .html or .pdf", got=ending
    )
