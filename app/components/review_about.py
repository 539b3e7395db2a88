"""Chosen images as something to review: with all that the checks say of each, or beside their copies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app import cache
from app.components.review_cuts import SHOWN_OF_A_GROUP, Cut, cut_of
from wbc_core.curation.standing import Standing
from wbc_core.curation.suggestions import conflicting, kept_copy
from wbc_core.records import Dataset, Finding


def _said_of(row: int, cuts: Mapping[str, Cut]) -> dict[str, Finding]:
    """The worst finding of each check that names an image."""
    return {name: shown.findings[shown.worst[row]] for name, shown in cuts.items() if row in shown.worst}


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
        said = list(_said_of(row, cuts).values())
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
    worst_first = sorted(findings, key=lambda entry: -entry.score)
    return cut_of("", worst_first, dataset.class_names, cache.labels(dataset.id))


def about_rows_beside_copies(
    dataset: Dataset, rows: Sequence[int], cuts: Mapping[str, Cut], judged: Mapping[int, str | None]
) -> Cut:
    """Some images as something to review, as `about_rows`; a copy stands beside the others of its group.

    Args:
        dataset: The data set.
        rows: Row numbers.
        cuts: What is shown of each scanned check.
        judged: Row number to the check under which it was judged: of a copy in several groups, that check's
            is shown, and what that check suggests for the row.
    """
    groups: dict[tuple[str, int], list[int]] = {}
    alone = []
    for row in rows:
        naming = [name for name, found in _said_of(row, cuts).items() if len(found.rows) > 1]
        check = min(naming, key=lambda name: name != judged.get(row), default=None)
        if check is None:
            alone.append(row)
        else:
            groups.setdefault((check, cuts[check].worst[row]), []).append(row)
    together = [
        replace(part, evidence=_evidence(part, check, asked, cuts))
        for (check, place), asked in groups.items()
        for part in _parts(cuts[check].findings[place], asked)
    ]
    findings = [
        replace(found, suggested=_suggested(found, rows, cuts, judged))
        for found in [*together, *about_rows(dataset, alone, cuts).findings]
    ]
    return cut_of("", findings, dataset.class_names, cache.labels(dataset.id))


def conflicts_beside(about: Cut, cuts: Mapping[str, Cut], standing: Standing) -> frozenset[int]:
    """Places of the parts of groups whose labels conflict, seen from the check that found the whole group.

    Args:
        about: From `about_rows_beside_copies`.
        cuts: What is shown of each scanned check.
        standing: The decisions that hold.
    """
    checks = {part.check for part in about.findings} & cuts.keys()
    found = {check: set(conflicting(cuts[check].suggested, standing)) for check in checks}
    return frozenset(
        place
        for place, part in enumerate(about.findings)
        if part.check in found and cuts[part.check].worst[part.rows[0]] in found[part.check]
    )


def _suggested(
    found: Finding, asked: Sequence[int], cuts: Mapping[str, Cut], judged: Mapping[int, str | None]
) -> dict[str, str]:
    """What is suggested; for the rows in question, by the check under which they were judged."""
    suggested = dict(found.suggested)
    for row in set(found.rows).intersection(asked):
        said = _said_of(row, cuts).get(judged.get(row) or "")
        if said is not None:
            suggested.pop(str(row), None)
            if str(row) in said.suggested:
                suggested[str(row)] = said.suggested[str(row)]
    return suggested


def _parts(group: Finding, asked: Sequence[int]) -> list[Finding]:
    """A group with the rows in question first; a large one in parts, so that none is hidden in a stack."""
    kept, image_ids = kept_copy(group), dict(zip(group.rows, group.image_ids, strict=True))
    others = [row for row in sorted(group.rows, key=lambda row: row != kept) if row not in asked]
    room = SHOWN_OF_A_GROUP - 1
    parts = [asked[first : first + room] for first in range(0, len(asked), room)]
    shown = [(*part, *others[: SHOWN_OF_A_GROUP - len(part)]) for part in parts]
    return [replace(group, rows=rows, image_ids=tuple(image_ids[row] for row in rows)) for rows in shown]


def _evidence(part: Finding, check: str, asked: Sequence[int], cuts: Mapping[str, Cut]) -> str:
    """What is said of a group, then what other checks say of the rows in question."""
    said = [part.evidence]
    for row in part.rows:
        others = [found.evidence for name, found in _said_of(row, cuts).items() if name != check]
        if row in asked and others:
            said.append(f"Row {row}: {' '.join(others)}")
    return " ".join(said)
