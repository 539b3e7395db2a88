"""Findings cut at a threshold and into pages, and how far their review has come: made once, then counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import cache, state
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.review import copy_that_stays, suggested_verdict
from wbc_core.curation.standing import DROP, RELABEL, UNDECIDED, Standing
from wbc_core.datasets import store
from wbc_core.records import Dataset, Finding

PAGE = 100
SHOWN_OF_A_GROUP = 12

Place = tuple[int, int, int]
Verdict = tuple[str, int | None]


@dataclass(frozen=True, eq=False)
class Cut:
    """The findings of one check that are shown.

    Attributes:
        check: Name of the check.
        findings: Worst first.
        rows: The different row numbers, in the order in which they are shown, int64.
        pages: Each page as about `PAGE` pictures, each (finding, first row of it, end of its rows): a picture
            stands for more than one row only where a large group is stacked.
        members: The rows of every finding of several images, one finding after the other, int64.
        groups: For each of `members` the number of its finding, int64.
        wanted: Row number to the drop or relabel that is suggested for it, the worst finding's first.
        wanted_rows: The keys of `wanted`, int64.
        worst: Row number to the place in `findings` of the worst that names it.
        made_by: Threshold and time of the scan, which tell one cut of a check from another.
    """

    check: str
    findings: tuple[Finding, ...]
    rows: NDArray[np.int64]
    pages: tuple[tuple[Place, ...], ...]
    members: NDArray[np.int64]
    groups: NDArray[np.int64]
    wanted: dict[int, Verdict]
    wanted_rows: NDArray[np.int64]
    worst: dict[int, int]
    made_by: tuple[float | None, int] = (None, 0)

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


def _places(place: int, finding: Finding) -> list[Place]:
    """The pictures of one finding: every row, or the first few and a stack of the rest."""
    rows = len(finding.rows)
    if rows <= 2 * SHOWN_OF_A_GROUP:
        return [(place, row, row + 1) for row in range(rows)]
    single = [(place, row, row + 1) for row in range(SHOWN_OF_A_GROUP - 1)]
    return [*single, (place, SHOWN_OF_A_GROUP - 1, rows)]


def paged(findings: Sequence[Finding]) -> tuple[tuple[Place, ...], ...]:
    """Cut findings into pages; a group stays on one page."""
    pages: list[tuple[Place, ...]] = []
    page: list[Place] = []
    for place, finding in enumerate(findings):
        pictures = _places(place, finding)
        if page and len(page) + len(pictures) > PAGE:
            pages.append(tuple(page))
            page = []
        page += pictures
    return tuple([*pages, tuple(page)] if page else pages)


def _wanted(findings: Sequence[Finding], class_names: Sequence[str]) -> dict[int, Verdict]:
    wanted: dict[int, Verdict] = {}
    for finding in findings:
        for row, suggested in finding.suggested.items():
            verdict = suggested_verdict(suggested, class_names)
            if verdict and verdict[0] != "keep":
                wanted.setdefault(int(row), verdict)
    return wanted


def cut_of(
    check: str,
    findings: Sequence[Finding],
    class_names: Sequence[str],
    made_by: tuple[float | None, int] = (None, 0),
) -> Cut:
    """Prepare findings to be shown, in the order given."""
    worst: dict[int, int] = {}
    for place, finding in enumerate(findings):
        for row in finding.rows:
            worst.setdefault(row, place)
    several = [
        (place, row) for place, found in enumerate(findings) if len(found.rows) > 1 for row in found.rows
    ]
    pairs = np.array(several, dtype=np.int64).reshape(-1, 2)
    wanted = _wanted(findings, class_names)
    return Cut(
        check=check,
        findings=tuple(findings),
        rows=np.array(list(worst), dtype=np.int64),
        pages=paged(findings),
        members=pairs[:, 1],
        groups=pairs[:, 0],
        wanted=wanted,
        wanted_rows=np.array(list(wanted), dtype=np.int64),
        worst=worst,
        made_by=made_by,
    )


@st.cache_resource(show_spinner=False, max_entries=128)
def _cut(home: str, dataset_id: str, check: str, stamp: int, threshold: float | None) -> Cut:
    shown = [
        finding
        for finding in cache.findings(dataset_id, check)
        if (finding.flagged if threshold is None else finding.score >= threshold)
    ]
    class_names = store.read_dataset(state.workspace(), dataset_id).class_names
    return cut_of(check, shown, class_names, (threshold, stamp))


def cut(dataset_id: str, check: str, threshold: float | None = None) -> Cut:
    """The findings of a check at a threshold; at the check's own where None. Never scans."""
    home = str(state.workspace().home)
    return _cut(home, dataset_id, check, cache.findings_stamp(dataset_id, check), threshold)


def about_rows(dataset: Dataset, rows: Sequence[int], cuts: Mapping[str, Cut]) -> Cut:
    """Some images as something to review: those that most checks flag first, with all that is said of each.

    Args:
        dataset: The data set.
        rows: Row numbers.
        cuts: What is shown of each scanned check.
    """
    image_ids = cache.table(dataset.id)["image_id"].to_numpy()
    findings = []
    for row in rows:
        said = [shown.findings[shown.worst[row]] for shown in cuts.values() if row in shown.worst]
        wanted = next((entry.suggested[str(row)] for entry in said if str(row) in entry.suggested), None)
        findings.append(
            Finding(
                check="",
                rows=(row,),
                image_ids=(str(image_ids[row]),),
                score=float(len(said)),
                flagged=bool(said),
                suggested={str(row): wanted} if wanted else {},
                evidence=" ".join(entry.evidence for entry in said),
            )
        )
    return cut_of("", sorted(findings, key=lambda entry: -entry.score), dataset.class_names)


def progress(shown: Cut, codes: NDArray[np.uint8]) -> Progress:
    """How many of the images shown are decided; the one copy that is left of a group is no open question.

    Args:
        shown: The findings.
        codes: What is decided for every row, see `wbc_core.curation.standing.Standing.codes`.
    """
    decided = codes[shown.rows]
    reviewed = int(np.count_nonzero(decided))
    if len(shown.members):
        waiting = codes[shown.members] == UNDECIDED
        alone = np.bincount(shown.groups, weights=waiting)[shown.groups] == 1
        reviewed += len(np.unique(shown.members[waiting & alone]))
    dropped, relabelled = (int(np.count_nonzero(decided == code)) for code in (DROP, RELABEL))
    return Progress(shown.images, reviewed, dropped, relabelled)


def open_suggestions(shown: Cut, standing: Standing) -> dict[int, Verdict]:
    """The drops and relabels suggested for images that nobody has decided on, by row number.

    Of a group whose best copy a person dropped, another copy stays.
    """
    codes = standing.codes
    waiting = shown.wanted_rows[codes[shown.wanted_rows] == UNDECIDED]
    open_ = {row: shown.wanted[row] for row in waiting.tolist()}
    touched = np.unique(shown.groups[codes[shown.members] == DROP]).tolist() if open_ else []
    for place in touched:
        spared = copy_that_stays(shown.findings[place], standing.effective)
        if spared is not None:
            open_.pop(spared, None)
    return open_
