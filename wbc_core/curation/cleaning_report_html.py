"""The cleaning report as one HTML file that needs nothing from outside, for any screen or one A4 page."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from wbc_core.curation.cleaning_examples import Example
from wbc_core.curation.cleaning_page import Page, Table, page_of
from wbc_core.curation.cleaning_report import CleaningFacts
from wbc_core.curation.cleaning_text import short

# Should a name ever slip through unescaped, the browser still runs and loads nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

STYLE = Path(__file__).with_name("cleaning_report.css").read_text(encoding="utf-8")
"""CSS of the lab's documents."""

_FEW = 8
"""So many pictures are printed four a line; more of them six, to stay on the page."""


def as_html(facts: CleaningFacts) -> str:
    """Draw the report; every text from a file or a person is escaped.

    Args:
        facts: Of `cleaning_facts`.

    Returns:
        A whole HTML document.
    """
    page = page_of(facts)
    body = "\n".join(
        (
            f'<header><p class="kind">Cleaning report</p><h1>{escape(page.title)}</h1>'
            f'<p class="about">{escape(page.about)}</p></header>',
            _figures(page),
            _upper_part(page),
            _section("What the checks found", _table(page.checks)),
            _section("Text for a methods section", _text(page)),
            _section("To find it again", _details(page)),
        )
    )
    return html_document(f"Cleaning report: {page.title}", STYLE, body)


def html_document(title: str, style: str, body: str) -> str:
    """A whole HTML document without scripts that loads nothing.

    Args:
        title: Title, not yet escaped.
        style: CSS.
        body: HTML whose texts are escaped.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _figures(page: Page) -> str:
    cells = (
        f'<div class="{figure.mood}"><b>{escape(figure.value)}</b><span>{escape(figure.label)}</span></div>'
        for figure in page.figures
    )
    return f'<div class="figures">{"".join(cells)}</div>'


def _upper_part(page: Page) -> str:
    classes = _section("Images per class", _table(page.classes))
    if not page.examples:
        return classes
    pictures = "".join(_picture(example) for example in page.examples)
    kind = "pictures many" if len(page.examples) > _FEW else "pictures"
    shown = _section("What the checks found, for example", f'<div class="{kind}">{pictures}</div>')
    return f'<div class="pair">{classes}{shown}</div>'


def _picture(example: Example) -> str:
    source = base64.b64encode(example.jpeg).decode()
    title, about = escape(example.title), escape(f"{short(example.class_name, 24)}, {example.outcome}")
    return (
        f'<figure><img src="data:image/jpeg;base64,{source}" alt="{title}: {about}">'
        f"<figcaption>{title}<span>{about}</span></figcaption></figure>"
    )


def _line(table: Table, tag: str, texts: Sequence[str]) -> str:
    cells = []
    for column, text in enumerate(texts):
        empty = tag == "td" and column and text in ("0", "–")
        kind = "words" if column in table.wordy else "nil" if empty else ""
        name = f' class="{kind}"' if kind else ""
        cells.append(f"<{tag}{name}>{escape(text)}</{tag}>")
    return "".join(cells)


def _table(table: Table) -> str:
    rows = "".join(f"<tr>{_line(table, 'td', texts)}</tr>" for texts in table.rows)
    total = f'<tr class="total">{_line(table, "td", table.total)}</tr>' if table.total else ""
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="wide"><table><thead><tr>{_line(table, "th", table.head)}</tr></thead>'
        f"<tbody>{rows}{total}</tbody></table></div>{note}"
    )


def _text(page: Page) -> str:
    references = "".join(f"<li>{escape(reference)}</li>" for reference in page.references)
    listed = f"<ol>{references}</ol>" if references else ""
    return f'<div class="text"><p>{escape(page.text)}</p>{listed}</div>'


def _details(page: Page) -> str:
    return (
        "<dl>"
        + "".join(f"<dt>{escape(term)}</dt><dd>{escape(value)}</dd>" for term, value in page.details)
        + "</dl>"
    )
