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


@dataclass(frozen=True)
class Cut:
    """The findings of one check that are shown.

    Attributes:
        check: Name of the check.
        findings: Worst first.
        images: Number of different images among them.
        pages: Each page as (finding, place of the row in it) pairs, about `PAGE` of them.
    """

    check: str
    findings: tuple[Finding, ...]
    images: int
    pages: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def rows(self) -> list[int]:
        """The different row numbers, in the order in which they are shown."""
        return list(dict.fromkeys(row for finding in self.findings for row in finding.rows))


def is_graded(check: str, findings: Sequence[Finding]) -> bool:
    """Whether every image has a score of its own, so that a slider can move the threshold."""
    low, high = CHECKS.get(check).threshold_range
    return low < high and all(len(finding.rows) == 1 for finding in findings)


def _pages(findings: Sequence[Finding]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Cut findings into pages; a group stays on one page unless it is larger than a page."""
    pages: list[tuple[tuple[int, int], ...]] = []
    page: list[tuple[int, int]] = []
    for place, finding in enumerate(findings):
        members = [(place, member) for member in range(len(finding.rows))]
        if page and len(page) + len(members) > PAGE:
            pages.append(tuple(page))
            page = []
        while len(members) > PAGE:
            pages.append(tuple(members[:PAGE]))
            members = members[PAGE:]
        page += members
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
    rows = tuple(shown.findings[place].rows[member] for place, member in places)
    labels = cache.table(dataset.id)["label"].to_numpy()
    decided = cache.decisions(dataset.id)
    pictures = cache.thumbnails(dataset.id, rows)
    return [
        Item(
            row=row,
            src=picture,
            label=dataset.class_names[labels[row]],
            badge=_badge(shown.findings[place], row, dataset.class_names),
            mark=mark(decided.get(row), dataset.class_names),
            title=shown.findings[place].evidence,
            group=str(place) if len(shown.findings[place].rows) > 1 else None,
        )
        for (place, _), row, picture in zip(places, rows, pictures, strict=True)
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
    """How many of the images shown are decided, and how."""
    decided = cache.decisions(dataset_id)
    actions = [decided[row].action for row in shown.rows if row in decided]
    return Progress(shown.images, len(actions), actions.count("drop"), actions.count("relabel"))
