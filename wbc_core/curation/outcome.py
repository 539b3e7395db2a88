"""What several decisions on one image come to: each settles the question of its check, and no other."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class _Judged(Protocol):
    @property
    def action(self) -> str: ...
    @property
    def check(self) -> str | None: ...


Line = TypeVar("Line", bound=_Judged)


def held_by_check(lines: Iterable[Line]) -> dict[str | None, Line]:
    """What stands under each check: the newest decision that was made while looking at it.

    A keep without a check says that the image is well as it is: it overrides all that came before.

    Args:
        lines: The decisions on one image that were not undone, oldest first.

    Returns:
        Check (None: without one) to decision, the oldest first.
    """
    held: dict[str | None, Line] = {}
    for line in lines:
        check = line.check or None
        if check is None and line.action == "keep":
            held.clear()
        held.pop(check, None)
        held[check] = line
    return held


def outcome(lines: Sequence[Line]) -> Line | None:
    """The decision that holds for an image: a drop, else the newest relabel, else the newest keep.

    A relabel that names a check answers its question, and brings back nothing that was dropped under
    another one or without one. A relabel without a check overrides the drops before it.

    Args:
        lines: As for `held_by_check`.

    Example:
        >>> from wbc_core.curation.review import Verdict
        >>> made = [Verdict("drop", check="exact_duplicates"), Verdict("keep", check="blur")]
        >>> outcome(made).action, outcome([*made, Verdict("keep")]).action
        ('drop', 'keep')
        >>> outcome([*made, Verdict("relabel", 0, check="label_errors")]).action
        'drop'
    """
    if len(lines) < 2:
        return lines[0] if lines else None
    held = list(held_by_check(lines).values())
    relabel: Line | None = None
    for line in reversed(held):
        if line.action == "drop":
            return line
        if line.action == "relabel":
            relabel = relabel or line
            if not line.check:
                break
    return relabel or held[-1]
