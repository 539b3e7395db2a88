"""The decisions that hold, read once; after a press only the lines that are new are read."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from wbc_core.curation.review import ACTIONS, decision_log
from wbc_core.database import decisions, transaction
from wbc_core.records import Dataset, Decision
from wbc_core.workspace import Workspace

UNDECIDED, KEEP, DROP, RELABEL = range(4)
"""The codes of `Standing.codes`, in this order: nobody decided, then `ACTIONS`."""


@dataclass(frozen=True, eq=False)
class Standing:
    """What the decision log says at one moment.

    Attributes:
        head: Id of its last line; 0 where nothing was decided.
        lines: Number of its lines.
        effective: The decision that holds, by row number.
        codes: What holds for every row, uint8 (n,): `UNDECIDED`, `KEEP`, `DROP` or `RELABEL`.
        stacks: Every decision of a row that was not undone, oldest first.
    """

    head: int
    lines: int
    effective: Mapping[int, Decision]
    codes: NDArray[np.uint8]
    stacks: Mapping[int, tuple[Decision, ...]]

    @property
    def kept(self) -> int:
        """Number of images that are not dropped."""
        return len(self.codes) - int(np.count_nonzero(self.codes == DROP))


def nothing_decided(dataset: Dataset) -> Standing:
    """Where every log starts."""
    return Standing(0, 0, {}, np.zeros(dataset.images, dtype=np.uint8), {})


def brought_up_to_date(workspace: Workspace, dataset: Dataset, known: Standing) -> Standing:
    """Read what the log has gained since `known`, which stays as it is.

    Args:
        workspace: The lab.
        dataset: The data set.
        known: From an earlier call, or `nothing_decided`.
    """
    query = select(func.max(decisions.c.id), func.count()).where(decisions.c.dataset == dataset.id)
    with transaction(workspace) as connection:
        head, lines = connection.execute(query).one()
    if (head or 0, lines) == (known.head, known.lines):
        return known
    new = decision_log(workspace, dataset.id, after=known.head)
    # On a server a line with a smaller id can become visible later than its successor: then all is read anew.
    if known.lines and known.lines + sum(line.id <= head for line in new) != lines:
        return brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    return _advanced(known, new)


def _advanced(known: Standing, new: list[Decision]) -> Standing:
    if not new:
        return known
    stacks, effective, codes = dict(known.stacks), dict(known.effective), known.codes.copy()
    for line in new:
        if line.undoes is None:
            stacks[line.row] = (*stacks.get(line.row, ()), line)
        else:
            stacks[line.row] = tuple(held for held in stacks.get(line.row, ()) if held.id != line.undoes)
    for row in {line.row for line in new}:
        stack = stacks[row]
        if stack:
            effective[row] = stack[-1]
            codes[row] = 1 + ACTIONS.index(stack[-1].action)
        else:
            del stacks[row]
            effective.pop(row, None)
            codes[row] = UNDECIDED
    return Standing(new[-1].id, known.lines + len(new), effective, codes, stacks)
