"""Findings cut at a threshold and into pages, and how far their review has come: made once, then counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import cache, state
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.review import decision_log
from wbc_core.curation.standing import DROP, RELABEL, Standing, nothing_decided, standing_after
from wbc_core.curation.suggestions import (
    Suggestions,
    copy_checks_beside,
    flagged_at,
    kept_copy,
    settled_rows,
    suggestions_of,
)
from wbc_core.datasets import store
from wbc_core.records import Finding

PAGE = 100
SHOWN_OF_A_GROUP = 12

Place = tuple[int, int, int]

MadeBy = tuple[float | None, int]
"""Threshold set by hand, None for the check's own, and when the findings were written."""


@dataclass(frozen=True, eq=False)
class Cut:
    """The findings of one check that are shown.

    Attributes:
        check: Name of the check.
        findings: Worst first.
        rows: The different row numbers, in the order in which they are shown, int64.
        pages: Each page as about `PAGE` pictures, each (finding, first row of it, end of its rows): a picture
            stands for more than one row only where a large group is stacked.
        suggested: What they suggest.
        worst: Row number to the place in `findings` of the worst that names it.
        made_by: Threshold and time of the scan, which tell one cut of a check from another.
    """

    check: str
    findings: tuple[Finding, ...]
    rows: NDArray[np.int64]
    pages: tuple[tuple[Place, ...], ...]
    suggested: Suggestions
    worst: dict[int, int]
    made_by: MadeBy = (None, 0)

    @property
    def images(self) -> int:
        """Number of different images among the findings."""
        return len(self.rows)


@dataclass(frozen=True)
class Progress:
    """How far the review of some findings has come."""

    images: int
    reviewed: int
    dropped: int
    relabelled: int

    @property
    def left(self) -> int:
        """Images that nobody has decided on."""
        return self.images - self.reviewed

    @property
    def share(self) -> float:
        """Share reviewed, 0..1; 1 where there is nothing to review."""
        return self.reviewed / self.images if self.images else 1.0


def is_graded(check: str, findings: Sequence[Finding]) -> bool:
    """Whether a slider can move the threshold: not for statements, nor where pixels are the same or not."""
    low, high = CHECKS.get(check).threshold_range
    return low < high and CHECKS.get(check).scope != "set" and bool(findings)


def _places(place: int, finding: Finding, labels: NDArray[np.integer]) -> list[Place]:
    """The pictures of one finding: every row, or stacks: one a label, or one beside the first few rows."""
    rows = len(finding.rows)
    if rows <= 2 * SHOWN_OF_A_GROUP:
        return [(place, row, row + 1) for row in range(rows)]
    starts = [0, *(np.flatnonzero(np.diff(labels[list(finding.rows)])) + 1).tolist(), rows]
    if 2 < len(starts) <= SHOWN_OF_A_GROUP + 1:
        return [(place, first, end) for first, end in pairwise(starts)]
    single = [(place, row, row + 1) for row in range(SHOWN_OF_A_GROUP - 1)]
    return [*single, (place, SHOWN_OF_A_GROUP - 1, rows)]


def _by_label(finding: Finding, labels: NDArray[np.integer]) -> Finding:
    """A large group with the copies of each label next to each other, as they are stacked."""
    if len(finding.rows) <= 2 * SHOWN_OF_A_GROUP:
        return finding
    order = np.argsort(labels[list(finding.rows)], kind="stable").tolist()
    rows, image_ids = (tuple(of[place] for place in order) for of in (finding.rows, finding.image_ids))
    return replace(finding, rows=rows, image_ids=image_ids)


def paged(
    findings: Sequence[Finding], labels: NDArray[np.integer], order: Sequence[int] | None = None
) -> tuple[tuple[Place, ...], ...]:
    """Cut findings into pages; a group stays on one page.

    Args:
        findings: What is shown.
        labels: The label of every row of the data set as imported, integers (n,).
        order: The places of the findings, in the order in which they are shown; as given where None.
    """
    pages: list[tuple[Place, ...]] = []
    page: list[Place] = []
    for place in range(len(findings)) if order is None else order:
        pictures = _places(place, findings[place], labels)
        if page and len(page) + len(pictures) > PAGE:
            pages.append(tuple(page))
            page = []
        page += pictures
    return tuple([*pages, tuple(page)] if page else pages)


def cut_of(
    check: str,
    findings: Sequence[Finding],
    class_names: Sequence[str],
    labels: NDArray[np.integer],
    made_by: MadeBy = (None, 0),
    beside: Sequence[Suggestions] = (),
) -> Cut:
    """Prepare findings to be shown, groups whose labels conflict first, else in the order given.

    Args:
        check: Name of the check; empty for images chosen otherwise.
        findings: What is shown.
        class_names: Every class of the data set, in order.
        labels: The label of every row as imported, integers (n,).
        made_by: Threshold and time of the scan.
        beside: What the other checks for copies suggest, where this is one.
    """
    findings = sorted(
        findings, key=lambda found: kept_copy(found) is None or not np.ptp(labels[list(found.rows)])
    )
    worst: dict[int, int] = {}
    for place, finding in enumerate(findings):
        for row in finding.rows:
            worst.setdefault(row, place)
    drawn = tuple(_by_label(finding, labels) for finding in findings)
    return Cut(
        check=check,
        findings=drawn,
        rows=np.array(list(worst), dtype=np.int64),
        pages=paged(drawn, labels),
        suggested=suggestions_of(check, findings, class_names, labels, beside),
        worst=worst,
        made_by=made_by,
    )


def _at(dataset_id: str, check: str, threshold: float | None) -> list[Finding]:
    return flagged_at(cache.findings(dataset_id, check), threshold)


@st.cache_resource(show_spinner=False, max_entries=128)
def _cut(
    home: str, dataset_id: str, check: str, made_by: MadeBy, others: tuple[tuple[str, MadeBy], ...]
) -> Cut:
    class_names = store.read_dataset(state.workspace(), dataset_id).class_names
    labels = cache.labels(dataset_id)
    beside = [
        suggestions_of(name, _at(dataset_id, name, threshold), class_names, labels)
        for name, (threshold, _) in others
    ]
    return cut_of(check, _at(dataset_id, check, made_by[0]), class_names, labels, made_by, beside)


def cut(
    dataset_id: str,
    check: str,
    threshold: float | None = None,
    thresholds: Mapping[str, float | None] = MappingProxyType({}),
) -> Cut:
    """The findings of a check at a threshold. Never scans.

    Args:
        dataset_id: Id of the data set.
        check: Name of the check.
        threshold: The check's own where None.
        thresholds: Those of other checks that are not at their own: copies are looked at together.
    """

    def made_by(name: str, chosen: float | None) -> MadeBy:
        return chosen, cache.findings_stamp(dataset_id, name)

    beside = copy_checks_beside(check, cache.scanned_checks(dataset_id))
    others = tuple((name, made_by(name, thresholds.get(name))) for name in beside)
    return _cut(str(state.workspace().home), dataset_id, check, made_by(check, threshold), others)


@st.cache_resource(show_spinner=False, max_entries=16)
def _cuts(
    home: str,
    dataset_id: str,
    thresholds: tuple[tuple[str, float | None], ...],
    stamps: tuple[tuple[str, int], ...],
) -> dict[str, Cut]:
    return {name: cut(dataset_id, name, chosen, dict(thresholds)) for name, chosen in thresholds}


def cuts_at(dataset_id: str, thresholds: Mapping[str, float | None]) -> Mapping[str, Cut]:
    """The findings of several checks, found by one look at what was scanned; shared, so not to be changed.

    Args:
        dataset_id: Id of the data set.
        thresholds: Name of each check to its threshold, None for the check's own.
    """
    stamps = cache.findings_stamps(dataset_id)
    return _cuts(str(state.workspace().home), dataset_id, tuple(thresholds.items()), stamps)


@st.cache_resource(show_spinner=False, max_entries=64)
def _pages_left_first(
    home: str, dataset_id: str, check: str, made_by: MadeBy, since: int, _shown: Cut, _standing: Standing
) -> tuple[tuple[Place, ...], ...]:
    if _standing.head != since:
        dataset = store.read_dataset(state.workspace(), dataset_id)
        log = decision_log(state.workspace(), dataset_id)
        _standing = standing_after(nothing_decided(dataset), [line for line in log if line.id <= since])
    waiting = ~settled_rows(_shown.suggested, _standing)
    left = [
        # The one copy that is left of a group is no open question.
        np.count_nonzero(waiting[list(found.rows)]) > (kept_copy(found) is not None)
        for found in _shown.findings
    ]
    order = sorted(range(len(left)), key=lambda place: not left[place])
    return paged(_shown.findings, cache.labels(dataset_id), order)


def left_first(dataset_id: str, shown: Cut, standing: Standing, since: int) -> Cut:
    """The same findings with those behind the others that were settled when the person came to them.

    What is settled later stays where it is, so that nothing moves under the hand.

    Args:
        dataset_id: Id of the data set.
        shown: The findings.
        standing: The decisions that hold.
        since: Last line of the log when the person came; 0 to leave the order as it is.
    """
    if not since:
        return shown
    home = str(state.workspace().home)
    pages = _pages_left_first(home, dataset_id, shown.check, shown.made_by, since, shown, standing)
    return replace(shown, pages=pages)


def progress(shown: Cut, standing: Standing) -> Progress:
    """How many of the images shown are settled; the one copy that is left of a group is no open question.

    Args:
        shown: The findings.
        standing: The decisions that hold.
    """
    made = shown.suggested
    open_ = ~settled_rows(made, standing)
    decided = standing.codes[shown.rows[~open_[shown.rows]]]
    reviewed = len(decided)
    if len(made.members):
        waiting = open_[made.members]
        alone = np.bincount(made.groups, weights=waiting)[made.groups] == 1
        reviewed += len(np.unique(made.members[waiting & alone]))
    dropped, relabelled = (int(np.count_nonzero(decided == code)) for code in (DROP, RELABEL))
    return Progress(shown.images, reviewed, dropped, relabelled)
