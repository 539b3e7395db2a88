"""What the Review page shows: findings cut at a threshold and into pages, suggestions, progress."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import cache, state
from app.components.gallery import Item
from wbc_core.curation.checks import CHECKS
from wbc_core.records import Dataset, Decision, Finding

PAGE = 100
SHOWN_OF_A_GROUP = 12


Place = tuple[int, int, int]


@dataclass(frozen=True)
class Cut:
    """The findings of one check that are shown.

    Attributes:
        check: Name of the check.
        findings: Worst first.
        images: Number of different images among them.
        pages: Each page as about `PAGE` pictures, each (finding, first row of it, end of its rows): a picture
            stands for more than one row only where a large group is stacked.
    """

    check: str
    findings: tuple[Finding, ...]
    images: int
    pages: tuple[tuple[Place, ...], ...]

    @property
    def rows(self) -> list[int]:
        """The different row numbers, in the order in which they are shown."""
        return list(dict.fromkeys(row for finding in self.findings for row in finding.rows))


def is_graded(check: str, findings: Sequence[Finding]) -> bool:
    """Whether images have a score of their own, so that a slider can move the threshold; copies do not."""
    low, high = CHECKS.get(check).threshold_range
    return low < high and any(len(finding.rows) == 1 for finding in findings)


def _places(place: int, finding: Finding) -> list[Place]:
    """The pictures of one finding: every row, or the first few and a stack of the rest."""
    rows = len(finding.rows)
    if rows <= 2 * SHOWN_OF_A_GROUP:
        return [(place, row, row + 1) for row in range(rows)]
    single = [(place, row, row + 1) for row in range(SHOWN_OF_A_GROUP - 1)]
    return [*single, (place, SHOWN_OF_A_GROUP - 1, rows)]


def _pages(findings: Sequence[Finding]) -> tuple[tuple[Place, ...], ...]:
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


@st.cache_resource(show_spinner=False, max_entries=64)
def _cut(
    home: str, dataset_id: str, check: str, stamp: tuple[tuple[str, int], ...], threshold: float | None
) -> Cut:
    findings = cache.findings(dataset_id, check)
    shown = tuple(
        finding
        for finding in findings
        if (finding.flagged if threshold is None else finding.score >= threshold)
    )
    images = len({row for finding in shown for row in finding.rows})
    return Cut(check, shown, images, _pages(shown))


def cut(dataset_id: str, check: str, threshold: float | None = None) -> Cut:
    """The findings of a check at a threshold; at the check's own where None. Never scans."""
    home = str(state.workspace().home)
    return _cut(home, dataset_id, check, cache.findings_stamp(dataset_id), threshold)


def mark(decision: Decision | None, class_names: Sequence[str]) -> str | None:
    """A decision as the mark that the grid draws."""
    if decision is None:
        return None
    return f"relabel:{class_names[decision.label]}" if decision.action == "relabel" else decision.action


def suggestion(finding: Finding, row: int) -> tuple[str, int | None] | None:
    """What a finding suggests for a row, as (action, label); None where it leaves the choice open."""
    action, _, label = finding.suggested.get(str(row), "").partition(":")
    return (action, int(label) if label else None) if action in ("keep", "drop", "relabel") else None


def _badge(finding: Finding, row: int, class_names: Sequence[str]) -> str | None:
    suggested = suggestion(finding, row)
    if suggested is None:
        return None
    action, label = suggested
    return action if label is None else f"→ {class_names[label]}"


def items(dataset: Dataset, shown: Cut, page: int) -> list[Item]:
    """The pictures of one page, for the grid.

    Args:
        dataset: The data set.
        shown: The findings that are shown.
        page: Number of the page, from 1.
    """
    if not shown.pages:
        return []
    places = shown.pages[page - 1]
    groups = [shown.findings[place].rows[first:end] for place, first, end in places]
    labels = cache.table(dataset.id)["label"].to_numpy()
    decided = cache.decisions(dataset.id)
    pictures = cache.thumbnails(dataset.id, tuple(rows[0] for rows in groups))
    return [
        Item(
            row=rows[0],
            more=list(rows[1:]),
            src=picture,
            label=dataset.class_names[labels[rows[0]]],
            badge=_badge(shown.findings[place], rows[0], dataset.class_names),
            mark=mark(decided.get(rows[0]), dataset.class_names),
            title=shown.findings[place].evidence,
            group=str(place) if len(shown.findings[place].rows) > 1 else None,
        )
        for (place, _, _), rows, picture in zip(places, groups, pictures, strict=True)
    ]


def open_suggestions(dataset_id: str, shown: Cut) -> dict[int, tuple[str, int | None]]:
    """The drops and relabels suggested for images that nobody has decided on, by row number."""
    decided = cache.decisions(dataset_id)
    wanted: dict[int, tuple[str, int | None]] = {}
    for finding in shown.findings:
        for row in finding.rows:
            suggested = suggestion(finding, row)
            if suggested and suggested[0] != "keep" and row not in decided:
                wanted.setdefault(row, suggested)
    return wanted


def per_class(dataset: Dataset, actions: dict[int, tuple[str, int | None]]) -> dict[str, list[int]]:
    """How many images of each class some actions would drop, and how many they would relabel."""
    labels = cache.table(dataset.id)["label"].to_numpy()
    effect: dict[str, list[int]] = {}
    for column, name in enumerate(("drop", "relabel")):
        rows = [row for row, (action, _) in actions.items() if action == name]
        counts = np.bincount(labels[rows], minlength=len(dataset.class_names)) if rows else []
        for class_name, count in zip(dataset.class_names, counts, strict=False):
            if count:
                effect.setdefault(class_name, [0, 0])[column] = int(count)
    return effect


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


def progress(dataset_id: str, shown: Cut) -> Progress:
    """How many of the images shown are decided; the one copy that is left of a group is no open question."""
    decided = cache.decisions(dataset_id)
    actions = [decided[row].action for row in shown.rows if row in decided]
    undecided = ([row for row in finding.rows if row not in decided] for finding in shown.findings)
    last_copies = {
        rows[0]
        for finding, rows in zip(shown.findings, undecided, strict=True)
        if len(rows) == 1 < len(finding.rows)
    }
    reviewed = len(actions) + len(last_copies)
    return Progress(shown.images, reviewed, actions.count("drop"), actions.count("relabel"))
