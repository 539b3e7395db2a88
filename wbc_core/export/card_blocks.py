"""What a model card is made of, before it is Markdown or HTML. All text is plain; a writer escapes it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Paragraph:
    """Running text; `strong` where nobody may miss it."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of statements."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows, the others are figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Code:
    """Python code, under a line that says what it does."""

    title: str
    text: str


Block = Paragraph | Bullets | Table | Code


@dataclass(frozen=True)
class Section:
    """A headed part of the card."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Card:
    """A whole card."""

    title: str
    sections: tuple[Section, ...]


def share(value: float | None, interval: Sequence[float] | None = None) -> str:
    """A share in per cent with its 95 % interval.

    Example:
        >>> share(0.9734, [0.96, 0.98]), share(None)
        ('97.3 % (96.0 to 98.0)', 'undefined')
    """
    if value is None:
        return "undefined"
    ends = f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else ""
    return f"{100 * value:.1f} %{ends}"


def number(value: float | None) -> str:
    """A number with three digits."""
    return "undefined" if value is None else f"{value:#.3g}".rstrip(".")
