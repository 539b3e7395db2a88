"""What the findings of a check suggest, what of it is still open, and following it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.review import ACTIONS
from wbc_core.curation.scan import DUPLICATE_CHECKS, load_findings, scanned_checks
from wbc_core.curation.standing import DROP, RELABEL, Standing
from wbc_core.records import Dataset, Decision, Finding
from wbc_core.workspace import Workspace

Action = tuple[str, int | None]
"""`keep`, `drop` or `relabel`, and the new label where it is `relabel`."""


@dataclass(frozen=True, eq=False)
class Suggestions:
    """What the findings of one check suggest; made once, then held against the log as often as it changes.

    Attributes:
        check: Name of the check.
        findings: The findings, in the order in which they are looked at.
        wanted: Row number to the drop or relabel that is suggested for it, the first finding's first.
        wanted_rows: The keys of `wanted`, int64.
        members: The rows of every group of which one copy is to stay, one group after the other, int64.
        groups: For each of `members` the place of its finding, int64.
        labels: For each of `members` the label that it was imported with, int64.
        kept: Place of each such group and the copy that is to stay, int64 (groups, 2).
        chained: Whether some image is the copy to keep of one group and one to drop of another.
        beside: What the other checks for copies suggest, where this is one: their conflicts count here too.
    """

    check: str
    findings: tuple[Finding, ...]
    wanted: dict[int, Action]
    wanted_rows: NDArray[np.int64]
    members: NDArray[np.int64]
    groups: NDArray[np.int64]
    labels: NDArray[np.int64]
    kept: NDArray[np.int64]
    chained: bool
    beside: tuple["Suggestions", ...] = ()


@dataclass(frozen=True)
class Open:
    """The suggestions that are still to be followed.

    Attributes:
        actions: Row number to the drop or relabel.
        conflicts: The groups, each as its rows, that are left for a person, because their labels conflict.
    """

    actions: dict[int, Action]
    conflicts: frozenset[tuple[int, ...]]


def suggested_verdict(suggested: str, class_names: Sequence[str]) -> Action | None:
    """Read what a finding suggests for an image.

    Args:
        suggested: A value of `Finding.suggested`.
        class_names: Every class of the data set, in order.

    Returns:
        The action and the new label; None where it names no action, or no class of the data set.

    Example:
        >>> suggested_verdict("relabel:monocyte", ["ig", "monocyte"]), suggested_verdict("drop", [])
        (('relabel', 1), ('drop', None))
    """
    action, _, name = suggested.partition(":")
    if action == "relabel":
        return (action, class_names.index(name)) if name in class_names else None
    return (action, None) if action in ACTIONS else None


def suggestions_of(
    check: str,
    findings: Sequence[Finding],
    class_names: Sequence[str],
    labels: NDArray[np.int64],
    beside: Sequence[Suggestions] = (),
) -> Suggestions:
    """Collect what findings suggest.

    Args:
        check: Name of the check.
        findings: Its findings.
        class_names: Every class of the data set, in order.
        labels: The label of every row as imported, integers (n,).
        beside: The suggestions of the other checks of `copy_checks_beside`.
    """
    wanted: dict[int, Action] = {}
    for finding in findings:
        for row, suggested in finding.suggested.items():
            verdict = suggested_verdict(suggested, class_names)
            if verdict and verdict[0] != "keep":
                wanted.setdefault(int(row), verdict)
    kept = {place: copy for place, found in enumerate(findings) if (copy := kept_copy(found)) is not None}
    several = [(place, row) for place in kept for row in findings[place].rows]
    pairs = np.array(several, dtype=np.int64).reshape(-1, 2)
    return Suggestions(
        check=check,
        findings=tuple(findings),
        wanted=wanted,
        wanted_rows=np.array(list(wanted), dtype=np.int64),
        members=pairs[:, 1],
        groups=pairs[:, 0],
        labels=np.asarray(labels, dtype=np.int64)[pairs[:, 1]],
        kept=np.array(list(kept.items()), dtype=np.int64).reshape(-1, 2),
        chained=not wanted.keys().isdisjoint(kept.values()),
        beside=tuple(beside),
    )


def copy_checks_beside(check: str, scanned: Sequence[str]) -> list[str]:
    """The other checks for copies that were scanned; none for a check that looks for something else.

    Example:
        >>> copy_checks_beside("near_duplicates", ["blur", "exact_duplicates", "near_duplicates"])
        ['exact_duplicates']
    """
    others = [name for name in DUPLICATE_CHECKS if name != check and name in scanned]
    return others if check in DUPLICATE_CHECKS else []


def flagged_at(findings: Sequence[Finding], threshold: float | None) -> list[Finding]:
    """The findings whose score reaches a threshold; those that the scan flagged where it is None."""
    return [found for found in findings if (found.flagged if threshold is None else found.score >= threshold)]


def suggestions_of_scan(
    workspace: Workspace,
    dataset: Dataset,
    check: str,
    labels: NDArray[np.int64],
    threshold: float | None = None,
) -> Suggestions:
    """Collect what the findings of the last scan suggest.

    Args:
        workspace: The lab.
        dataset: The data set.
        check: Name of the check.
        labels: The label of every row as imported, integers (n,).
        threshold: Score from which a finding of the check counts; that of the scan where None.

    Raises:
        WbcError: An unknown check, or one not scanned yet.
    """

    def alone(name: str, threshold: float | None = None, beside: Sequence[Suggestions] = ()) -> Suggestions:
        flagged = flagged_at(load_findings(workspace, dataset.id, name), threshold)
        return suggestions_of(name, flagged, dataset.class_names, labels, beside)

    others = copy_checks_beside(check, scanned_checks(workspace, dataset.id))
    return alone(check, threshold, [alone(name) for name in others])


def kept_copy(finding: Finding) -> int | None:
    """The copy of a group that is suggested to stay; None for a finding that is no such group."""
    return next((row for row in finding.rows if finding.suggested.get(str(row)) == "keep"), None)


def settled_rows(made: Suggestions, standing: Standing) -> NDArray[np.bool_]:
    """Which rows of the data set need no further look under the check, bool (n,).

    Those of `Standing.settled`, and those that were relabelled as is suggested, whatever for.
    """
    settled = standing.settled(made.check)
    for row in made.wanted_rows[standing.codes[made.wanted_rows] == RELABEL].tolist():
        held = standing.effective[row]
        settled[row] |= (held.action, held.label) == made.wanted[row]
    return settled


def conflicting(made: Suggestions, standing: Standing) -> list[int]:
    """Places of the groups whose images, those dropped left aside, do not all carry one label now.

    An image that was dropped as a copy by another check is still there as that copy: its label counts, as
    long as some image of the group is left.

    Args:
        made: The suggestions.
        standing: The decisions that hold.
    """
    labels, codes = made.labels.copy(), standing.codes[made.members]
    for place in np.flatnonzero(codes == RELABEL).tolist():
        label = standing.effective[int(made.members[place])].label
        labels[place] = labels[place] if label is None else label
    stays = codes != DROP
    counts = stays | _dropped_as_copy_elsewhere(made, standing)
    lowest = np.full(len(made.findings), np.iinfo(np.int64).max)
    highest = np.full(len(made.findings), -1)
    np.minimum.at(lowest, made.groups[counts], labels[counts])
    np.maximum.at(highest, made.groups[counts], labels[counts])
    left = np.zeros(len(made.findings), dtype=bool)
    left[made.groups[stays]] = True
    return np.flatnonzero(left & (highest > lowest)).tolist()


def _dropped_as_copy_elsewhere(made: Suggestions, standing: Standing) -> NDArray[np.bool_]:
    """Which of `made.members` another check for copies dropped."""
    found = np.zeros(len(made.members), dtype=bool)
    for place in np.flatnonzero(standing.codes[made.members] == DROP).tolist():
        check = standing.effective[int(made.members[place])].check
        found[place] = check in DUPLICATE_CHECKS and check != made.check
    return found


def open_suggestions(made: Suggestions, standing: Standing) -> Open:
    """The drops and relabels suggested for images that are not settled under the check.

    Groups whose labels conflict are left out: which label is right is for a person to say. So is every image
    of such a group of another check for copies, whose drop here would hide the conflict there. Of a group
    whose best copy a person dropped, another copy stays; and no image goes whose only like was dropped too.

    Args:
        made: The suggestions.
        standing: The decisions that hold.
    """
    waiting = made.wanted_rows[~settled_rows(made, standing)[made.wanted_rows]]
    actions = {row: made.wanted[row] for row in waiting.tolist()}
    if not actions or not len(made.members):
        return Open(actions, frozenset())
    offered = frozenset(actions)
    left = {
        one.findings[place].rows
        for one in (made, *made.beside)
        for place in conflicting(one, standing)
        if not offered.isdisjoint(one.findings[place].rows)
    }
    for row in offered.intersection(row for rows in left for row in rows):
        del actions[row]
    for place in made.kept[standing.codes[made.kept[:, 1]] == DROP, 0].tolist():
        spared = copy_that_stays(made.findings[place], standing.effective)
        if spared is not None:
            actions.pop(spared, None)
    if made.chained:
        _break_chains(made, standing, actions)
    return Open(actions, frozenset(left))


def copy_that_stays(finding: Finding, decided: Mapping[int, Decision]) -> int | None:
    """The copy to leave of a group although dropping it is suggested: a person chose to drop the one kept.

    What went because of another check goes with all its copies.

    Args:
        finding: What suggests to keep one copy and to drop the others.
        decided: What holds now, by row number.

    Returns:
        A copy that someone has decided on, else the first that is left; None where the suggestion stands.
    """
    kept = kept_copy(finding)
    chosen = None if kept is None else decided.get(kept)
    if chosen is None or chosen.action != "drop" or chosen.check not in (None, finding.check):
        return None
    left = [row for row in finding.rows if row not in decided or decided[row].action != "drop"]
    return next((row for row in left if row in decided), left[0] if left else None)


def _break_chains(made: Suggestions, standing: Standing, actions: dict[int, Action]) -> None:
    """Take out drops so that of every pair that is alike at least one image stays.

    At a low threshold B may be a copy of A, and C one of B though not of A: with B, C has lost its only like.
    """
    groups = [(kept, found) for found in made.findings if (kept := kept_copy(found)) is not None]
    dropped = standing.codes == DROP
    must_stay = {kept for kept, found in groups if not dropped[kept] and dropped[list(found.rows)].any()}
    gone: set[int] = set()
    for kept, finding in groups:
        for row in finding.rows:
            if row == kept or row in gone or actions.get(row, ("", None))[0] != "drop":
                continue
            if kept in gone or row in must_stay:
                del actions[row]
            else:
                gone.add(row)
                must_stay.add(kept)
