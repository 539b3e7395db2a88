"""The decision log: who decided what about which image, when and why; only ever appended to."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, insert, select

from wbc_core.curation.checks import CHECKS
from wbc_core.curation.outcome import outcome
from wbc_core.database import decisions, transaction
from wbc_core.datasets.store import image_ids_of, read_dataset
from wbc_core.errors import WbcError
from wbc_core.records import Decision, Json
from wbc_core.workspace import Workspace, now

ACTIONS = ("keep", "drop", "relabel")
UNNAMED = "reviewer"
"""Who gives no name is called so, with four hexadecimal digits that tell one session from another."""

_LONGEST_NAME = 120
_AT_ONCE = 1000


def decide(
    workspace: Workspace,
    dataset_id: str,
    actions: Mapping[int, tuple[str, int | None]],
    *,
    who: str,
    reason: str = "",
    check: str | None = None,
    threshold: float | None = None,
) -> str:
    """Append one decision an image to the log, all of them or none.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        actions: Row number to (`keep` | `drop` | `relabel`, the new label for `relabel` and None otherwise).
        who: Name of the person, up to 120 characters.
        reason: Why, in words.
        check: The check whose finding was looked at, if any.
        threshold: Score from which its suggestions are followed; None for verdicts of the person's own.

    Returns:
        The step: these decisions are undone together.

    Raises:
        WbcError: No such data set, check or row, an unknown action, a label that no class has, or no name.
    """
    lines = checked_actions(workspace, dataset_id, actions, check)
    lines = [{**line, "threshold": threshold} for line in lines]
    return _append(workspace, dataset_id, lines, who=who, reason=reason)


def checked_actions(
    workspace: Workspace,
    dataset_id: str,
    actions: Mapping[int, tuple[str, int | None]],
    check: str | None,
) -> list[Json]:
    """The lines of a log that some verdicts make, one an image: row, image id, action, label and check.

    Raises:
        WbcError: As `decide`.
    """
    if check is not None:
        CHECKS.get(check)
    lines = _checked(workspace, dataset_id, [(row, *action) for row, action in actions.items()])
    return [{**line, "check": check} for line in lines]


def _checked(
    workspace: Workspace, dataset_id: str, verdicts: Sequence[tuple[int, str, int | None]]
) -> list[Json]:
    """Row, image id, action and label of each verdict."""
    if not verdicts:
        raise WbcError("No image was chosen.", expected="at least one row", fix="Name the rows to decide on.")
    dataset = read_dataset(workspace, dataset_id)
    for row, action, label in verdicts:
        _validate(row, action, label, dataset.images, len(dataset.class_names))
    image_ids = image_ids_of(workspace, dataset.id)
    return [
        {"row": int(row), "image_id": str(image_ids[row]), "action": action, "label": label}
        for row, action, label in verdicts
    ]


def _validate(row: int, action: str, label: int | None, images: int, classes: int) -> None:
    if not 0 <= row < images:
        raise WbcError(
            f"There is no row {row} in the data set.",
            expected=f"a row from 0 to {images - 1}",
            fix="Row numbers are the positions in the imported file, counted from 0.",
        )
    if action not in ACTIONS:
        raise WbcError("The action is unknown.", expected=f"one of {', '.join(ACTIONS)}", got=repr(action))
    if action == "relabel" and (label is None or not 0 <= label < classes):
        raise WbcError(
            f"Row {row} cannot get that label.", expected=f"a label from 0 to {classes - 1}", got=label
        )
    if action != "relabel" and label is not None:
        raise WbcError(f"Row {row} is to {action} and has a new label.", expected="no label", got=label)


def _append(
    workspace: Workspace, dataset_id: str, lines: Sequence[Json], *, who: str, reason: str = ""
) -> str:
    step = secrets.token_hex(8)
    same = {
        "dataset": dataset_id,
        "who": person_name(who),
        "at": now(),
        "step": step,
        "reason": reason,
        "undoes": None,
        "threshold": None,
    }
    with transaction(workspace) as connection:
        connection.execute(insert(decisions), [{**same, **line} for line in lines])
    return step


def person_name(who: str) -> str:
    """The name under which a verdict is logged.

    Raises:
        WbcError: It is empty or too long.
    """
    name = who.strip()
    if not name or len(name) > _LONGEST_NAME:
        raise WbcError(
            "A decision needs the name of the person who makes it.",
            expected=f"1 to {_LONGEST_NAME} characters",
            got=f"{len(name)} characters",
            fix="Give your name.",
        )
    return name


def decision_log(workspace: Workspace, dataset_id: str, *, after: int = 0) -> list[Decision]:
    """A data set's log, oldest line first, undone ones and undos included.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        after: Only the lines after the one with this id.
    """
    query = (
        select(decisions)
        .where(decisions.c.dataset == dataset_id, decisions.c.id > after)
        .order_by(decisions.c.id)
    )
    with transaction(workspace) as connection:
        return [Decision(*line) for line in connection.execute(query)]


def standing(log: Sequence[Decision]) -> list[Decision]:
    """Decisions that nobody has undone, oldest first."""
    undone = {line.undoes for line in log if line.undoes is not None}
    return [line for line in log if line.undoes is None and line.id not in undone]


def effective_decisions(
    workspace: Workspace, dataset_id: str, *, until: int | None = None
) -> dict[int, Decision]:
    """What holds now by row number: a drop that stands under any check, else a relabel, else a keep.

    See `wbc_core.curation.outcome` for what a decision under one check leaves of those under others.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        until: What held when the line with this id was the last one.
    """
    log = decision_log(workspace, dataset_id)
    heeded = log if until is None else [line for line in log if line.id <= until]
    return outcomes(standing(heeded))


def outcomes(lines: Sequence[Decision]) -> dict[int, Decision]:
    """The decision that holds for each row, by row number.

    Args:
        lines: Decisions that were not undone, oldest first.
    """
    stacks: dict[int, list[Decision]] = {}
    for line in lines:
        stacks.setdefault(line.row, []).append(line)
    found = ((row, outcome(stack)) for row, stack in stacks.items())
    return {row: line for row, line in found if line is not None}


def head(workspace: Workspace, dataset_id: str) -> int:
    """Id of the last line of a data set's log; 0 where nothing was decided."""
    query = select(func.max(decisions.c.id)).where(decisions.c.dataset == dataset_id)
    with transaction(workspace) as connection:
        return connection.execute(query).scalar() or 0


def log_stamp(workspace: Workspace, dataset_id: str) -> tuple[int, int]:
    """Id of the last line of a data set's log and the number of its lines: what tells its states apart.

    On a server a line with a smaller id can become visible later than its successor: the last line stays.
    """
    query = select(func.max(decisions.c.id), func.count()).where(decisions.c.dataset == dataset_id)
    with transaction(workspace) as connection:
        last, lines = connection.execute(query).one()
    return last or 0, lines


def undo(
    workspace: Workspace, dataset_id: str, steps: int = 1, *, who: str, only_by: str | None = None
) -> int:
    """Take back the last steps that still stand, whoever made them unless a person is named.

    Nothing is erased: every decision taken back gets a further line of action `undo` in the log.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        steps: How many steps, at least 1; fewer are undone where there are fewer.
        who: Name of the person who undoes.
        only_by: Take back only steps of this person, where two review at once.

    Returns:
        Number of images affected; 0 where nothing was left to undo.

    Raises:
        WbcError: No such data set, less than one step, or no name.
    """
    if steps < 1:
        raise WbcError("Nothing was asked to be undone.", expected="1 step or more", got=steps)
    dataset = read_dataset(workspace, dataset_id)
    chosen: dict[str, None] = {}
    with transaction(workspace) as connection:
        # By their last lines: two people's steps may interleave.
        newest = select(decisions.c.step).where(*_held(dataset.id)).order_by(decisions.c.id.desc())
        if only_by is not None:
            newest = newest.where(decisions.c.who == only_by.strip())
        with connection.execute(newest, execution_options={"stream_results": True}) as found:
            for step in found.scalars():
                chosen[step] = None
                if len(chosen) == steps:
                    break
        return _take_back(workspace, dataset.id, list(chosen), who)


def _held(dataset_id: str) -> list[ColumnElement[bool]]:
    """What is true of the lines of a data set's log that decide and were not undone."""
    later = decisions.alias()
    undone = exists().where(later.c.undoes == decisions.c.id)
    return [decisions.c.dataset == dataset_id, decisions.c.undoes.is_(None), ~undone]


def _take_back(workspace: Workspace, dataset_id: str, steps: Sequence[str], who: str) -> int:
    query = select(decisions.c.id, decisions.c.row, decisions.c.image_id, decisions.c.check)
    query = query.where(*_held(dataset_id)).order_by(decisions.c.id)
    lines: list[Json] = []
    with transaction(workspace) as connection:
        for start in range(0, len(steps), _AT_ONCE):
            some = query.where(decisions.c.step.in_(steps[start : start + _AT_ONCE]))
            lines += [
                {
                    "row": row,
                    "image_id": image,
                    "action": "undo",
                    "label": None,
                    "check": check,
                    "undoes": line,
                }
                for line, row, image, check in connection.execute(some)
            ]
        if lines:
            lines.sort(key=lambda line: line["undoes"])
            _append(workspace, dataset_id, lines, who=who)
    return len({line["row"] for line in lines})


@dataclass(frozen=True)
class Verdict:
    """What is decided about one image, with a reason of its own.

    Attributes:
        action: `keep`, `drop` or `relabel`.
        label: The new label for `relabel`, None otherwise.
        reason: Why, in words.
        check: The check whose finding was looked at, if any.
        threshold: Score from which its suggestions were followed; None for a verdict of the person's own.
    """

    action: str
    label: int | None = None
    reason: str = ""
    check: str | None = None
    threshold: float | None = None


def decide_each(
    workspace: Workspace, dataset_id: str, verdicts: Iterable[tuple[int, Verdict]], *, who: str
) -> str:
    """Append decisions whose reasons and checks differ, as one step, all of them or none.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        verdicts: Row number and verdict, in the order in which they are logged.
        who: Name of the person, up to 120 characters.

    Returns:
        The step: these decisions are undone together.

    Raises:
        WbcError: As `decide`.
    """
    each = list(verdicts)
    lines = _checked(workspace, dataset_id, [(row, made.action, made.label) for row, made in each])
    for line, (_, made) in zip(lines, each, strict=True):
        if made.check is not None:
            CHECKS.get(made.check)
        line |= {"reason": made.reason, "check": made.check, "threshold": made.threshold}
    return _append(workspace, dataset_id, lines, who=who)
