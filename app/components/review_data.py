"""What the Review page shows: checks with their counts, the pictures of a page, what accepting would do."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import cache
from app.components.check_filter import Family
from app.components.gallery import Item
from app.components.review_cuts import Cut, Place, cuts_at, progress
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.outcome import held_by_check
from wbc_core.curation.standing import Standing
from wbc_core.curation.suggestions import Action, conflicting, open_suggestions, suggested_verdict
from wbc_core.records import Dataset, Decision, Finding

FAMILIES = {
    "Unlike the rest": ("foreign", "class_outliers"),
    "Copies": ("exact_duplicates", "near_duplicates"),
    "Labels": ("label_errors",),
    "Quality": (),
    "Whole set": (),
}
"""Where checks stand in the filter; those named nowhere are about quality, or about the set by scope.

What is no cell comes first: of a foreign picture that is there many times, the copies would keep one.
"""

_COPY = re.compile(r"\brow (\d+) is row \d+ (.+?) \([\d.]+ % alike\)", re.IGNORECASE)


def family_of(check: str) -> str:
    """The heading under which a check stands."""
    if CHECKS.get(check).scope == "set":
        return "Whole set"
    return next((family for family, names in FAMILIES.items() if check in names), "Quality")


def families(cuts: Mapping[str, Cut], standing: Standing) -> list[Family]:
    """The scanned checks under their headings, with what each has flagged and what is left of it.

    Args:
        cuts: What is shown of each scanned check, by its name.
        standing: The decisions that hold.
    """
    found: dict[str, Family] = {family: {"title": family, "checks": []} for family in FAMILIES}
    for name, shown in cuts.items():
        whole_set = CHECKS.get(name).scope == "set"
        flagged = len(shown.findings) if whole_set else shown.images
        left = flagged if whole_set else progress(shown, standing).left
        entry = {"name": name, "title": CHECKS.get(name).title, "flagged": flagged, "left": left}
        found[family_of(name)]["checks"].append({**entry, "statements": whole_set})
    return [family for family in found.values() if family["checks"]]


def _key(check: str) -> str:
    return f"threshold-{check}"


def _set_by_hand(dataset_id: str) -> dict[str, float | None]:
    """The thresholds that the person has set for a data set, by check; a link sets those of the first one."""
    of_each: dict[str, dict[str, float | None]] = st.session_state.setdefault("thresholds", {})
    if not of_each:
        of_each[dataset_id] = {check: _in_url(check) for check in CHECKS.names()}
    return of_each.setdefault(dataset_id, {})


def _in_url(check: str) -> float | None:
    low, high = CHECKS.get(check).threshold_range
    try:
        asked = float(st.query_params.get(_key(check), "nan"))
    except ValueError:
        return None
    return asked if low <= asked <= high else None


def threshold_of(dataset_id: str, check: str) -> float | None:
    """The threshold that the person has set for a check, from this session or the URL; None for its own."""
    return _set_by_hand(dataset_id).get(check)


def set_threshold(dataset_id: str, check: str, threshold: float) -> None:
    """Remember a threshold, in the URL too; the check's own leaves no trace."""
    own = threshold == CHECKS.get(check).threshold
    _set_by_hand(dataset_id)[check] = None if own else threshold


def keep_thresholds_in_url(dataset_id: str) -> None:
    """Write a data set's thresholds into the URL, which a change of page empties, in place of another's."""
    for check in CHECKS.names():
        threshold = threshold_of(dataset_id, check)
        wanted = None if threshold is None else f"{threshold:g}"
        if wanted is None:
            st.query_params.pop(_key(check), None)
        elif st.query_params.get(_key(check)) != wanted:
            st.query_params[_key(check)] = wanted


def cuts_of(dataset_id: str, scanned: Sequence[str]) -> Mapping[str, Cut]:
    """What is shown of each scanned check at the thresholds that are set."""
    return cuts_at(dataset_id, {name: threshold_of(dataset_id, name) for name in scanned})


def to_begin_with(cuts: Mapping[str, Cut], standing: Standing) -> str:
    """The first check, in the filter's order, with images left to review, else the one with most images."""
    order = list(FAMILIES)
    ordered = sorted(cuts, key=lambda name: order.index(family_of(name)))
    left = (name for name in ordered if progress(cuts[name], standing).left)
    return next(left, max(ordered, key=lambda name: cuts[name].images))


def mark(decision: Decision | None, class_names: Sequence[str]) -> str | None:
    """A decision as the mark that the grid draws."""
    if decision is None:
        return None
    return f"relabel:{class_names[decision.label]}" if decision.action == "relabel" else decision.action


class Seen(NamedTuple):
    """How pictures are marked.

    Attributes:
        of: Row number to the decision that is drawn as its mark, and a few words about it.
        conflicts: Places of the groups whose labels conflict.
        open: Row number to the drop or relabel that can still be followed; None where every one can.
        asked: The rows in question, beside which others are only shown; None where every one is.
    """

    of: Callable[[int], tuple[Decision | None, str]]
    conflicts: frozenset[int] = frozenset()
    open: Mapping[int, Action] | None = None
    asked: frozenset[int] | None = None


_DONE = {"keep": "kept", "drop": "dropped", "relabel": "relabelled"}


def seen_in(decided: Mapping[int, Decision]) -> Seen:
    """What holds for each image, wherever it was decided."""
    return Seen(lambda row: (decided.get(row), ""))


def seen_from(standing: Standing, shown: Cut) -> Seen:
    """What holds for each image as it looks from a check: what was decided elsewhere is said so.

    A keep under another check is no mark here, since it settles nothing here.
    """
    return Seen(
        lambda row: (standing.seen_under(shown.check, row), _elsewhere(standing, shown.check, row)),
        frozenset(conflicting(shown.suggested, standing)),
        open_suggestions(shown.suggested, standing).actions,
    )


def _elsewhere(standing: Standing, check: str, row: int) -> str:
    held = standing.effective.get(row)
    if held is None or (held.check or None) in (None, check):
        return ""
    here = held_by_check(standing.stacks[row]).get(check)
    if held.action == "keep" and here is not None:
        return ""
    title = CHECKS.get(held.check).title if held.check in CHECKS else held.check
    words = f"{_DONE[held.action]} under {title}"
    return f"{_DONE[here.action]} here, {words}" if here is not None else words


def verdict_words(verdict: Action, class_names: Sequence[str]) -> str:
    """A verdict as a note says it ("drop", "→ monocyte")."""
    action, label = verdict
    return action if label is None else f"→ {class_names[label]}"


def _suggestions(
    finding: Finding, rows: Sequence[int], seen: Seen, class_names: Sequence[str]
) -> list[tuple[int, str, int | None]]:
    """What one can accept of a finding for the rows of a picture: row, action and new label.

    Of what nobody has decided here, only what accepting all would do, and the copy that is to stay. What is
    decided about the first row its mark says; about the others nothing does, so that they are left out.
    """
    found = []
    for row in rows:
        verdict = suggested_verdict(finding.suggested.get(str(row), ""), class_names)
        if verdict is None:
            continue
        followed = seen.open is None or verdict[0] == "keep" or seen.open.get(row) == verdict
        if row == rows[0] if seen.of(row)[0] else followed:
            found.append((row, *verdict))
    return found


def differences(finding: Finding) -> dict[int, str]:
    """What was done to the first of a group to get each copy, as far as the evidence says it, by row."""
    return {int(row): words for row, words in _COPY.findall(finding.evidence)}


def _notes(finding: Finding, rows: Sequence[int], sizes: NDArray[np.int64]) -> dict[int, str]:
    """What differs between shown copies of a group, by row: how each was changed, and sizes that differ."""
    if len(rows) < 2:
        return {}
    changed = differences(finding)
    several = len(np.unique(sizes[rows], axis=0)) > 1
    notes = {}
    for row in rows:
        size = f"{sizes[row][0]} × {sizes[row][1]} px" if several else ""
        notes[row] = ", ".join(part for part in (size, changed.get(row, "")) if part)
    return notes


def _own_notes(
    shown: Cut,
    places: Sequence[Place],
    groups: Sequence[Sequence[int]],
    sizes: NDArray[np.int64],
) -> dict[int, str]:
    """What stands under the pictures of a page: what differs between copies."""
    notes: dict[int, str] = {}
    for place in dict.fromkeys(place for place, _, _ in places):
        together = [rows[0] for (other, _, _), rows in zip(places, groups, strict=True) if other == place]
        notes |= _notes(shown.findings[place], together, sizes)
    return notes


def _label_words(labels: NDArray[np.int64], class_names: Sequence[str]) -> str:
    """The class of a picture; a stack of copies under several labels has no room for all of them."""
    different = np.unique(labels)
    return class_names[different[0]] if len(different) == 1 else f"{len(different)} labels"


def items(
    dataset: Dataset,
    shown: Cut,
    page: int,
    seen: Seen,
    *,
    notes: Mapping[int, str] = MappingProxyType({}),
) -> list[Item]:
    """The pictures of one page, for the grid.

    Args:
        dataset: The data set.
        shown: The findings that are shown.
        page: Number of the page, from 1.
        seen: How they are marked.
        notes: Row number to words under its picture, beside what differs between copies.
    """
    if not shown.pages:
        return []
    places = shown.pages[page - 1]
    groups = [shown.findings[place].rows[first:end] for place, first, end in places]
    table = cache.table(dataset.id)
    labels = table["label"].to_numpy()
    sizes = table[["width", "height"]].to_numpy()
    pictures = cache.thumbnails(dataset.id, tuple(rows[0] for rows in groups))
    differ = _own_notes(shown, places, groups, sizes)
    names = dataset.class_names
    found = []
    for (place, _, _), rows, picture in zip(places, groups, pictures, strict=True):
        held, elsewhere = seen.of(rows[0])
        finding, conflict = shown.findings[place], place in seen.conflicts
        aside = seen.asked is not None and rows[0] not in seen.asked
        suggested = [] if aside else _suggestions(finding, rows, seen, names)
        if conflict:
            # Which copy goes can be said once their labels agree; a new label may be what makes them.
            suggested = [verdict for verdict in suggested if verdict[1] == "relabel"]
        wanted = next(((action, label) for row, action, label in suggested if row == rows[0]), None)
        found.append(
            Item(
                row=rows[0],
                more=list(rows[1:]),
                src=picture,
                label=_label_words(labels[list(rows)], names),
                badge=verdict_words(wanted, names) if wanted else "conflict" if conflict else None,
                mark=mark(held, names),
                likely=None if wanted is None else wanted[1],
                suggested=suggested,
                title=finding.evidence,
                note=" · ".join(
                    words for words in (differ.get(rows[0], ""), notes.get(rows[0], ""), elsewhere) if words
                ),
                group=str(place) if len(finding.rows) > 1 else None,
                aside=aside,
            )
        )
    return found
