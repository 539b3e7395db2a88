"""A model card as Markdown."""

import re
from collections.abc import Sequence

from wbc_core.export.card_blocks import Block, Bullets, Card, Code, Paragraph


def _plain(text: str) -> str:
    """Text without a meaning in Markdown or its tables: links and tags in names stay letters."""
    return re.sub(r"([\\`*_{}\[\]#|<>~!$&@]|:(?=\S)|(?<=www)\.)", r"\\\1", " ".join(text.split()))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"**{_plain(block.text)}**" if block.strong else _plain(block.text)
    if isinstance(block, Bullets):
        return "\n".join(f"- {_plain(item)}" for item in block.items)
    if isinstance(block, Code):
        return f"{_plain(block.title)}:\n\n```python\n{block.text.rstrip()}\n```"
    lines = [_row([_plain(cell) for cell in line]) for line in (block.head, *block.rows)]
    rule = _row(["---", *["---:"] * (len(block.head) - 1)])
    note = f"\n\n{_plain(block.note)}" if block.note else ""
    return "\n".join([lines[0], rule, *lines[1:]]) + note


def as_markdown(card: Card, *, level: int = 1) -> str:
    """Write a card as Markdown.

    Args:
        card: The card.
        level: Level of its title.
    """
    marks = "#" * level
    parts = [f"{marks} {_plain(card.title)}"]
    for section in card.sections:
        parts += [f"{marks}# {_plain(section.title)}", *map(_block, section.blocks)]
    return "\n\n".join(parts) + "\n"
