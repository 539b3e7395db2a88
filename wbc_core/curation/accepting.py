"""Following what checks suggest: what that would do, class by class, and doing it as one step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks import CHECKS
from wbc_core.curation.review import Verdict, decide_each
from wbc_core.curation.scan import threshold_of_scan
from wbc_core.curation.standing import brought_up_to_date, nothing_decided, standing_after
from wbc_core.curation.suggestions import (
    Action,
    Suggestions,
    conflicting,
    open_suggestions,
    suggestions_of_scan,
)
from wbc_core.datasets.store import load_table, read_dataset
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Decision
from wbc_core.wording import counted
from wbc_core.workspace import Workspace


@dataclass(frozen=True)
class Acceptance:
    """What accepting suggestions would do; nothing is done yet.

    Attributes:
        dataset: The data set.
        verdicts: Row number to the drop or relabel that would be decided, rows rising.
        conflicts: Number of groups of copies that are left for a person, because their labels conflict.
        labels: The label of every row as imported, int64 (n,).
    """

    dataset: Dataset
    verdicts: dict[int, Verdict]
    conflicts: int
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Accepted:
    """What accepting suggestions did.

    Attributes:
        images: Number of images decided.
        conflicts: Number of groups of copies that were left for a person, because their labels conflict.
    """

    images: int
    conflicts: int


@dataclass(frozen=True)
class ClassEffect:
    """What some verdicts change about one class.

    Attributes:
        name: Of the class.
        images: Its images, as imported.
        drop: How many of them would be dropped.
        relabel: How many of them would go to another class.
        arrive: How many would come from another class.
    """

    name: str
    images: int
    drop: int
    relabel: int
    arrive: int


def effect_by_class(
    class_names: Sequence[str], labels: NDArray[np.integer], actions: Mapping[int, Action]
) -> list[ClassEffect]:
    """What some verdicts change, class by class; classes that nothing changes are left out.

    Args:
        class_names: Every class of the data set, in order.
        labels: The label of every row as imported, integers (n,).
        actions: Row number to verdict.

    Example:
        >>> actions = {0: ("drop", None), 1: ("relabel", 1)}
        >>> effect_by_class(["ig", "platelet"], np.array([0, 0, 1]), actions)[1]
        ClassEffect(name='platelet', images=1, drop=0, relabel=0, arrive=1)
    """
    dropped = [row for row, (action, _) in actions.items() if action == "drop"]
    moved = {row: label for row, (action, label) in actions.items() if action == "relabel"}

    def count(of_each: object) -> list[int]:
        found = np.bincount(np.asarray(of_each, dtype=np.int64), minlength=len(class_names))
        return [int(number) for number in found]

    counts = (labels, labels[dropped], labels[list(moved)], list(moved.values()))
    per_class = zip(class_names, *map(count, counts), strict=True)
    return [ClassEffect(name, images, *changes) for name, images, *changes in per_class if any(changes)]


def _check_threshold(checks: Sequence[str], threshold: float) -> None:
    if len(checks) != 1:
        raise WbcError(
            "A threshold is that of one check: each measures something else.",
            expected="one check",
            got=", ".join(checks),
            fix="Accept one check after the other.",
        )
    low, high = CHECKS.get(checks[0]).threshold_range
    if not low <= threshold <= high:
        raise WbcError(
            f"{CHECKS.get(checks[0]).title} cannot be cut at this threshold.",
            expected=f"{low:g} to {high:g} {CHECKS.get(checks[0]).unit}",
            got=f"{threshold:g}",
        )


def plan_acceptance(
    workspace: Workspace, dataset_id: str, checks: Sequence[str], threshold: float | None = None
) -> Acceptance:
    """Find what following suggestions would do, without changing anything.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        checks: Names of checks that were scanned.
        threshold: Score from which a finding is followed, where there is one check; that of the scan else.

    Raises:
        WbcError: As `accept`, but for the name.
    """
    if threshold is not None:
        _check_threshold(checks, threshold)
    dataset = read_dataset(workspace, dataset_id)
    labels = load_table(workspace, dataset.id, ["label"])["label"].to_numpy(dtype=np.int64)
    standing = brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    wanted: dict[int, Verdict] = {}
    every: list[Suggestions] = []
    left: set[tuple[int, ...]] = set()
    for check in checks:
        made = suggestions_of_scan(workspace, dataset, check, labels, threshold)
        reached = threshold_of_scan(workspace, dataset.id, check) if threshold is None else threshold
        opened = open_suggestions(made, standing)
        every += (made, *made.beside)
        left |= opened.conflicts
        for row, (action, label) in opened.actions.items():
            if row not in wanted or (action == "drop" and wanted[row].action == "relabel"):
                wanted[row] = Verdict(action, label, accepted_reason(check), check, reached)
    # What another of the checks drops is no conflict any more.
    then = standing_after(standing, _as_lines(dataset, wanted, standing.head))
    still = {made.findings[place].rows for made in every for place in conflicting(made, then)}
    return Acceptance(dataset, dict(sorted(wanted.items())), len(left & still), labels)


def _as_lines(dataset: Dataset, verdicts: Mapping[int, Verdict], head: int) -> list[Decision]:
    """Verdicts as the log would hold them after its last line."""
    return [
        Decision(
            id=head + 1 + place,
            dataset=dataset.id,
            row=row,
            image_id="",
            action=made.action,
            label=made.label,
            reason=made.reason,
            who="",
            at="",
            check=made.check,
            step="",
            undoes=None,
        )
        for place, (row, made) in enumerate(verdicts.items())
    ]


def accept(
    workspace: Workspace,
    dataset_id: str,
    checks: Sequence[str],
    *,
    who: str,
    threshold: float | None = None,
) -> Accepted:
    """Follow every drop and relabel that the flagged findings of some checks suggest, as one step.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        checks: Names of checks that were scanned.
        who: Name of the person who accepts.
        threshold: Score from which a finding is followed, where there is one check; that of the scan else.

    Returns:
        What was done. Rows that are dropped or decided so already are left as they are; so are rows that
        someone decided on while looking at the same check, or kept or relabelled without naming one: that
        verdict is a person's, the suggestion is not; and so is what `open_suggestions` leaves out.

    Raises:
        WbcError: No such data set, an unknown check, one not scanned yet, no name, or a threshold for several
            checks or out of the check's range.
    """
    plan = plan_acceptance(workspace, dataset_id, checks, threshold)
    return Accepted(follow(workspace, plan, who=who), plan.conflicts)


def follow(workspace: Workspace, plan: Acceptance, *, who: str) -> int:
    """Decide what a plan says, as one step, and say on how many images.

    Raises:
        WbcError: No name.
    """
    if plan.verdicts:
        decide_each(workspace, plan.dataset.id, plan.verdicts.items(), who=who)
    return len(plan.verdicts)


def accepted_reason(check: str) -> str:
    """What the log says of a suggestion that was followed."""
    return f"suggestion of {check} accepted"


def conflicts_left(groups: int) -> str:
    """What to tell of groups that were left out.

    Example:
        >>> conflicts_left(1)
        '1 group whose labels conflict is left for you to decide.'
    """
    left = counted(groups, "group whose labels conflict is", "groups whose labels conflict are")
    return f"{left} left for you to decide."
