"""The decision log: who decided what about which image, when and why; only ever appended to."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select

from wbc_core.curation.checks import CHECKS
from wbc_core.curation.scan import load_findings, threshold_of_scan
from wbc_core.database import decisions, transaction
from wbc_core.datasets.store import load_table, read_dataset
from wbc_core.errors import WbcError
from wbc_core.records import Decision, Finding, Json
from wbc_core.workspace import Workspace, now

ACTIONS = ("keep", "drop", "relabel")
_LONGEST_NAME = 120


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
        threshold: Score from which its suggestions are followed; None where each image was looked at.

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
    if not actions:
        raise WbcError("No image was chosen.", expected="at least one row", fix="Name the rows to decide on.")
    if check is not None:
        CHECKS.get(check)
    dataset = read_dataset(workspace, dataset_id)
    for row, (action, label) in actions.items():
        _validate(row, action, label, dataset.images, len(dataset.class_names))
    image_ids = load_table(workspace, dataset.id)["image_id"].to_numpy()
    return [
        {"row": int(row), "image_id": str(image_ids[row]), "action": action, "label": label, "check": check}
        for row, (action, label) in actions.items()
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
    """What holds now: the newest decision of each row that was not undone, by row number.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        until: What held when the line with this id was the last one.
    """
    log = decision_log(workspace, dataset_id)
    heeded = log if until is None else [line for line in log if line.id <= until]
    return {line.row: line for line in standing(heeded)}


def head(workspace: Workspace, dataset_id: str) -> int:
    """Id of the last line of a data set's log; 0 where nothing was decided."""
    query = select(func.max(decisions.c.id)).where(decisions.c.dataset == dataset_id)
    with transaction(workspace) as connection:
        return connection.execute(query).scalar() or 0


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
    held = standing(decision_log(workspace, dataset.id))
    # A later line moves its step to the end, so that two people's interleaved steps order by their last line.
    newest = {line.step: line.id for line in held if only_by is None or line.who == only_by.strip()}
    taken_back = set(sorted(newest, key=lambda step: newest[step])[-steps:])
    lines = [
        {
            "row": line.row,
            "image_id": line.image_id,
            "action": "undo",
            "label": None,
            "check": line.check,
            "undoes": line.id,
        }
        for line in held
        if line.step in taken_back
    ]
    if lines:
        _append(workspace, dataset.id, lines, who=who)
    return len({line["row"] for line in lines})


@dataclass(frozen=True)
class Verdict:
    """What is decided about one image, with a reason of its own.

    Attributes:
        action: `keep`, `drop` or `relabel`.
        label: The new label for `relabel`, None otherwise.
        reason: Why, in words.
        check: The check whose finding was looked at, if any.
        threshold: Score from which its suggestions were followed; None where the image was looked at.
    """

    action: str
    label: int | None = None
    reason: str = ""
    check: str | None = None
    threshold: float | None = None


def decide_each(workspace: Workspace, dataset_id: str, verdicts: Mapping[int, Verdict], *, who: str) -> str:
    """Append decisions whose reasons and checks differ, as one step, all of them or none.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        verdicts: Row number to verdict.
        who: Name of the person, up to 120 characters.

    Returns:
        The step: these decisions are undone together.

    Raises:
        WbcError: As `decide`.
    """
    actions = {row: (verdict.action, verdict.label) for row, verdict in verdicts.items()}
    lines = checked_actions(workspace, dataset_id, actions, None)
    for line in lines:
        verdict = verdicts[line["row"]]
        if verdict.check is not None:
            CHECKS.get(verdict.check)
        line |= {"reason": verdict.reason, "check": verdict.check, "threshold": verdict.threshold}
    return _append(workspace, dataset_id, lines, who=who)


def suggested_verdict(suggested: str, class_names: Sequence[str]) -> tuple[str, int | None] | None:
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


def accept(workspace: Workspace, dataset_id: str, checks: Sequence[str], *, who: str) -> int:
    """Follow every drop and relabel that the flagged findings of some checks suggest, as one step.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        checks: Names of checks that were scanned.
        who: Name of the person who accepts.

    Returns:
        Number of images decided. Rows already decided so are skipped; so are rows that someone kept or
        relabelled while looking at the same check, or without naming one: that verdict is a person's, the
        suggestion is not. Of a group whose best copy a person dropped, another copy stays.

    Raises:
        WbcError: No such data set, an unknown check, one not scanned yet, or no name.
    """
    dataset = read_dataset(workspace, dataset_id)
    suggestions = _open_suggestions(workspace, dataset.id, checks)
    if not suggestions:
        return 0
    image_ids = load_table(workspace, dataset.id)["image_id"].to_numpy()
    thresholds = {check: threshold_of_scan(workspace, dataset.id, check) for check in checks}
    lines = [
        {
            "row": row,
            "image_id": str(image_ids[row]),
            "action": action,
            "label": label,
            "check": check,
            "reason": f"suggestion of {check} accepted",
            "threshold": thresholds[check],
        }
        for row, (action, label, check) in sorted(suggestions.items())
    ]
    _append(workspace, dataset.id, lines, who=who)
    return len(lines)


def copy_that_stays(finding: Finding, decided: Mapping[int, Decision]) -> int | None:
    """The copy to leave of a group although dropping it is suggested: a person chose to drop the one kept.

    What went because of another check goes with all its copies.

    Args:
        finding: What suggests to keep one copy and to drop the others.
        decided: What holds now, by row number.

    Returns:
        A copy that someone has decided on, else the first that is left; None where the suggestion stands.
    """
    kept = next((row for row in finding.rows if finding.suggested.get(str(row)) == "keep"), None)
    chosen = None if kept is None else decided.get(kept)
    if chosen is None or chosen.action != "drop" or chosen.check not in (None, finding.check):
        return None
    left = [row for row in finding.rows if row not in decided or decided[row].action != "drop"]
    return next((row for row in left if row in decided), left[0] if left else None)


def _open_suggestions(
    workspace: Workspace, dataset_id: str, checks: Sequence[str]
) -> dict[int, tuple[str, int | None, str]]:
    """Row to (action, label, check) of what is suggested and not yet settled; a drop beats a relabel."""
    settled = effective_decisions(workspace, dataset_id)
    class_names = read_dataset(workspace, dataset_id).class_names
    suggestions: dict[int, tuple[str, int | None, str]] = {}
    for check in checks:
        for finding in load_findings(workspace, dataset_id, check):
            if not finding.flagged:
                continue
            spared = copy_that_stays(finding, settled)
            for name, suggested in finding.suggested.items():
                row, verdict = int(name), suggested_verdict(suggested, class_names)
                if verdict is None or row == spared:
                    continue
                action, wanted = verdict[0], (*verdict, check)
                if action == "keep" or _is_settled(settled.get(row), wanted):
                    continue
                if row not in suggestions or (action == "drop" and suggestions[row][0] == "relabel"):
                    suggestions[row] = wanted
    return suggestions


def _is_settled(decision: Decision | None, wanted: tuple[str, int | None, str]) -> bool:
    action, label, check = wanted
    if decision is None:
        return False
    if decision.action in ("keep", "relabel") and decision.check in (None, check):
        return True
    # What was dropped stays dropped: a relabel would bring it back.
    return decision.action == "drop" or (decision.action, decision.label) == (action, label)
