"""A model card as one HTML file that needs nothing from outside, and prints on two A4 pages."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from wbc_core.curation.cleaning_report_html import STYLE, html_document
from wbc_core.export.card_blocks import Block, Bullets, Card, Code, Paragraph, Section


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        kind = ' class="strong"' if block.strong else ""
        return f"<p{kind}>{escape(block.text)}</p>"
    if isinstance(block, Bullets):
        return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in block.items) + "</ul>"
    if isinstance(block, Code):
        title = f"<figcaption>{escape(block.title)}:</figcaption>"
        return f"<figure>{title}<pre>{escape(block.text.rstrip())}</pre></figure>"
    rows = "".join(_row(line, "td") for line in block.rows)
    note = f'<p class="note">{escape(block.note)}</p>' if block.note else ""
    head = _row(block.head, "th")
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>{note}'


def section_html(section: Section) -> str:
    """A section as HTML; every text is escaped."""
    shown = [_block(block) for block in section.blocks if not isinstance(block, Code)]
    codes = [_block(block) for block in section.blocks if isinstance(block, Code)]
    samples = f'<div class="samples">{"".join(codes)}</div>' if codes else ""
    return f"<section><h2>{escape(section.title)}</h2>{''.join(shown)}{samples}</section>"


def as_html(card: Card) -> str:
    """Write a card as a whole HTML document; every text is escaped."""
    kind, _, name = card.title.partition(": ")
    style = STYLE + Path(__file__).with_name("card.css").read_text(encoding="utf-8")
    head = f'<header><p class="kind">{escape(kind)}</p><h1>{escape(name)}</h1></header>'
    return html_document(card.title, style, "\n".join([head, *map(section_html, card.sections)]))
