"""The decisions that hold, read once; after a press only the lines that are new are read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.outcome import held_by_check, outcome
from wbc_core.curation.review import ACTIONS, decision_log, log_stamp
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
        under: What stands under each check (None: without one) for every row, coded as `codes`.
    """

    head: int
    lines: int
    effective: Mapping[int, Decision]
    codes: NDArray[np.uint8]
    stacks: Mapping[int, tuple[Decision, ...]]
    under: Mapping[str | None, NDArray[np.uint8]]

    @property
    def kept(self) -> int:
        """Number of images that are not dropped."""
        return len(self.codes) - int(np.count_nonzero(self.codes == DROP))

    def settled(self, check: str | None) -> NDArray[np.bool_]:
        """Which rows need no further look under a check, bool (n,): the one rule of page and command line.

        Those that are dropped, those decided under this check, and those that someone kept or relabelled
        without a check. What was kept or relabelled under another check is still open here.

        Args:
            check: Name of the check; None for all images without a check, where any decision settles.
        """
        if not check:
            return np.not_equal(self.codes, UNDECIDED)
        settled: NDArray[np.bool_] = np.equal(self.codes, DROP)
        if check in self.under:
            settled |= self.under[check] != UNDECIDED
        if None in self.under:
            settled |= (self.under[None] == KEEP) | (self.under[None] == RELABEL)
        return settled

    def seen_under(self, check: str | None, row: int) -> Decision | None:
        """The decision on a row as it looks from a check: what holds, but for a keep under another check."""
        held = self.effective.get(row)
        if held is None or not check or held.action != "keep":
            return held
        under = held_by_check(self.stacks[row])
        return under.get(check) or under.get(None)


def nothing_decided(dataset: Dataset) -> Standing:
    """Where every log starts."""
    return Standing(0, 0, {}, np.zeros(dataset.images, dtype=np.uint8), {}, {})


def brought_up_to_date(workspace: Workspace, dataset: Dataset, known: Standing) -> Standing:
    """Read what the log has gained since `known`, which stays as it is.

    Args:
        workspace: The lab.
        dataset: The data set.
        known: From an earlier call, or `nothing_decided`.
    """
    head, lines = log_stamp(workspace, dataset.id)
    if (head, lines) == (known.head, known.lines):
        return known
    new = decision_log(workspace, dataset.id, after=known.head)
    # A line that became visible after its successor: all is read anew.
    if known.lines and known.lines + sum(line.id <= head for line in new) != lines:
        return brought_up_to_date(workspace, dataset, nothing_decided(dataset))
    return standing_after(known, new)


def standing_after(known: Standing, new: Sequence[Decision]) -> Standing:
    """What further lines of a log make of what is known; `known` stays as it is.

    Args:
        known: What the lines before say.
        new: The lines that follow, in order.
    """
    if not new:
        return known
    stacks, effective, codes = dict(known.stacks), dict(known.effective), known.codes.copy()
    for line in new:
        if line.undoes is None:
            stacks[line.row] = (*stacks.get(line.row, ()), line)
        else:
            stacks[line.row] = tuple(held for held in stacks.get(line.row, ()) if held.id != line.undoes)
    touched = {line.row for line in new}
    for row in touched:
        holds = outcome(stacks[row])
        if holds is None:
            del stacks[row]
            effective.pop(row, None)
            codes[row] = UNDECIDED
        else:
            effective[row] = holds
            codes[row] = _code(holds)
    under = _under(known, stacks, touched)
    return Standing(new[-1].id, known.lines + len(new), effective, codes, stacks, under)


def _code(line: Decision) -> int:
    return 1 + ACTIONS.index(line.action)


def _under(
    known: Standing, stacks: Mapping[int, tuple[Decision, ...]], touched: Iterable[int]
) -> dict[str | None, NDArray[np.uint8]]:
    """The codes under each check, brought up to date for some rows; what no row touches is shared."""
    under, fresh = dict(known.under), set[str | None]()
    for row in touched:
        held = held_by_check(stacks.get(row, ()))
        for check in {line.check or None for line in known.stacks.get(row, ())} | held.keys():
            if check not in fresh:
                fresh.add(check)
                under[check] = under[check].copy() if check in under else np.zeros_like(known.codes)
            under[check][row] = _code(held[check]) if check in held else UNDECIDED
    return under
