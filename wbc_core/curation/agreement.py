"""Blind second review: what a second person would decide, how far the two agree, and settling the rest.

Opinions lie in a table of their own that is only appended to. They never change the clean set: only settling
a disagreement does, and that is a decision like any other.
"""

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, insert, select

from wbc_core.curation.review import checked_actions, decision_log, outcomes, person_name, standing
from wbc_core.curation.standing import Standing, nothing_decided, standing_after
from wbc_core.database import decisions, second_opinions, transaction
from wbc_core.datasets.store import read_dataset
from wbc_core.records import Decision
from wbc_core.workspace import Workspace, now

SETTLED = "settled"
"""Action of the line that says: the decisions of this step settled a disagreement."""

Verdict = tuple[str, int | None]
"""`keep`, `drop` or `relabel`, and the new label where it is `relabel`."""


@dataclass(frozen=True)
class Agreement:
    """How far two reviewers agree.

    Attributes:
        images: Number of images that both judged, not one of them the same person.
        agreed: Number of them on which the verdicts are the same; two relabels only with the same label.
        kappa: Cohen's kappa, -1..1; None where it is undefined: no image, or one verdict for all of them.
        interval: Its 95 % interval, from the standard error of Cohen (1960); None where kappa is.
        disagreements: Row number to the verdict of the first and of the second, rows rising.
        settled: The rows among them that were settled since.
    """

    images: int
    agreed: int
    kappa: float | None
    interval: tuple[float, float] | None
    disagreements: Mapping[int, tuple[Verdict, Verdict]]
    settled: frozenset[int]

    @property
    def open(self) -> list[int]:
        """Rows on which the two disagree and nobody has settled it."""
        return [row for row in self.disagreements if row not in self.settled]

    @property
    def share_settled(self) -> float:
        """Share of the disagreements that were settled, 0..1; 1 where there are none."""
        return len(self.settled) / len(self.disagreements) if self.disagreements else 1.0


def cohen_kappa(pairs: Mapping[tuple[object, object], int]) -> tuple[float, tuple[float, float]] | None:
    """Agreement of two raters beyond what chance would give.

    Cohen, J. (1960): A coefficient of agreement for nominal scales. Educational and Psychological
    Measurement 20, 37-46: kappa = (p_o - p_e) / (1 - p_e), with the standard error
    sqrt(p_o (1 - p_o) / n) / (1 - p_e).

    Args:
        pairs: (category of the first, category of the second) to the number of objects.

    Returns:
        Kappa and its 95 % interval, cut at -1 and 1; None where chance alone agrees always or n is 0.

    Example:
        >>> pairs = {("keep", "keep"): 20, ("keep", "drop"): 5, ("drop", "keep"): 10, ("drop", "drop"): 15}
        >>> kappa, interval = cohen_kappa(pairs)
        >>> round(kappa, 3), tuple(round(end, 3) for end in interval)
        (0.4, (0.146, 0.654))
    """
    total = sum(pairs.values())
    if not total:
        return None
    first, second = Counter[object](), Counter[object]()
    for (one, other), count in pairs.items():
        first[one] += count
        second[other] += count
    by_chance = sum(count * second[category] for category, count in first.items()) / total**2
    if by_chance >= 1:
        return None
    observed = sum(count for (one, other), count in pairs.items() if one == other) / total
    kappa = (observed - by_chance) / (1 - by_chance)
    error = 1.96 * float(np.sqrt(observed * (1 - observed) / total)) / (1 - by_chance)
    return kappa, (max(-1.0, kappa - error), min(1.0, kappa + error))


def give_opinion(
    workspace: Workspace,
    dataset_id: str,
    actions: Mapping[int, Verdict],
    *,
    who: str,
    check: str | None = None,
) -> str:
    """Append the verdicts of a second reviewer, all of them or none; the clean set stays as it is.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        actions: Row number to (`keep` | `drop` | `relabel`, the new label for `relabel` and None otherwise).
        who: Name of the second reviewer, up to 120 characters.
        check: The check whose finding was looked at, if any.

    Returns:
        The step: these verdicts are taken back together.

    Raises:
        WbcError: No such data set, check or row, an unknown action, a label that no class has, or no name.
    """
    lines = checked_actions(workspace, dataset_id, actions, check)
    step = secrets.token_hex(8)
    same = {"dataset": dataset_id, "who": person_name(who), "at": now(), "step": step, "undoes": None}
    with transaction(workspace) as connection:
        connection.execute(insert(second_opinions), [{**same, **line} for line in lines])
    return step


def _opinion_log(workspace: Workspace, dataset_id: str) -> list[Decision]:
    query = (
        select(second_opinions).where(second_opinions.c.dataset == dataset_id).order_by(second_opinions.c.id)
    )
    with transaction(workspace) as connection:
        return [Decision(**line, reason="") for line in connection.execute(query).mappings()]


def opinions_stamp(workspace: Workspace, dataset_id: str) -> tuple[int, int]:
    """Id of the last line of the second reviews of a data set, 0 for none, and their number.

    As `log_stamp`, it tells their states apart.
    """
    query = select(func.max(second_opinions.c.id), func.count())
    with transaction(workspace) as connection:
        last, lines = connection.execute(query.where(second_opinions.c.dataset == dataset_id)).one()
    return last or 0, lines


def opinions(workspace: Workspace, dataset_id: str) -> dict[str, Standing]:
    """The verdicts of every second reviewer that stand, by name: read like the decision log."""
    said: dict[str, list[Decision]] = {}
    for line in standing(_opinion_log(workspace, dataset_id)):
        if line.action != SETTLED:
            said.setdefault(line.who, []).append(line)
    if not said:
        return {}
    nothing = nothing_decided(read_dataset(workspace, dataset_id))
    return {who: standing_after(nothing, lines) for who, lines in said.items()}


def take_back_opinion(workspace: Workspace, dataset_id: str, *, who: str) -> int:
    """Take back the last step of a second reviewer; the log keeps it.

    Returns:
        Number of images affected; 0 where nothing was left to take back.
    """
    name = person_name(who)
    mine = [
        line
        for line in standing(_opinion_log(workspace, dataset_id))
        if line.who == name and line.action != SETTLED
    ]
    step = mine[-1].step if mine else ""
    same = {"dataset": dataset_id, "who": name, "at": now(), "step": secrets.token_hex(8)}
    lines = [
        {**same, "row": line.row, "image_id": line.image_id, "action": "undo", "check": line.check}
        | {"label": None, "undoes": line.id}
        for line in mine
        if line.step == step
    ]
    if lines:
        with transaction(workspace) as connection:
            connection.execute(insert(second_opinions), lines)
    return len(lines)


def settle(
    workspace: Workspace, dataset_id: str, actions: Mapping[int, Verdict], *, who: str, second: str
) -> str:
    """Settle disagreements: the verdicts given here become decisions, and are remembered as settling.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        actions: Row number to the verdict that holds.
        who: Name of the person who settles.
        second: Name of the second reviewer, for the reason in the decision log.

    Returns:
        The step of the decision log; undoing it opens the disagreements again.

    Raises:
        WbcError: As `give_opinion`.
    """
    lines = checked_actions(workspace, dataset_id, actions, None)
    step, name = secrets.token_hex(8), person_name(who)
    same = {"dataset": dataset_id, "who": name, "at": now(), "step": step, "undoes": None}
    decided = [{**same, **line, "reason": f"settled after the second review by {second}"} for line in lines]
    noted = [{**same, **line, "action": SETTLED, "label": None} for line in lines]
    # One transaction: no decision can be taken for a first verdict because its note is missing.
    with transaction(workspace) as connection:
        connection.execute(insert(decisions), decided)
        connection.execute(insert(second_opinions), noted)
    return step


def agreement(workspace: Workspace, dataset_id: str, second: str) -> Agreement:
    """Compare the decisions that stand with the verdicts of one second reviewer.

    Compared is what holds for an image, over all checks. What settled a disagreement counts for neither; nor
    does an image that the same person judged twice.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        second: Name of the second reviewer.
    """
    settling = {line.step for line in _opinion_log(workspace, dataset_id) if line.action == SETTLED}
    others: list[Decision] = []
    settled: set[int] = set()
    for line in standing(decision_log(workspace, dataset_id)):
        if line.step in settling:
            settled.add(line.row)
        elif line.who != second:
            others.append(line)
    first = outcomes(others)
    said = opinions(workspace, dataset_id).get(second)
    theirs = said.effective if said else {}
    both = {
        row: (_verdict(first[row]), _verdict(theirs[row])) for row in sorted(first.keys() & theirs.keys())
    }
    found = cohen_kappa(Counter(both.values()))
    disagreements = {row: pair for row, pair in both.items() if pair[0] != pair[1]}
    return Agreement(
        images=len(both),
        agreed=len(both) - len(disagreements),
        kappa=found[0] if found else None,
        interval=found[1] if found else None,
        disagreements=disagreements,
        settled=frozenset(settled & disagreements.keys()),
    )


def _verdict(decision: Decision) -> Verdict:
    return decision.action, decision.label
