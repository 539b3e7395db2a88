"""The cleaning report as a PDF of one A4 page (reportlab)."""

import io
from collections.abc import Sequence
from html import escape
from typing import Any

from wbc_core.curation.cleaning_examples import Example
from wbc_core.curation.cleaning_page import Page, Table, page_of
from wbc_core.curation.cleaning_report import CleaningFacts
from wbc_core.curation.cleaning_text import short

_MM = 72 / 25.4
_WIDTH, _HEIGHT = 210 * _MM, 297 * _MM
_MARGIN = 12 * _MM
_INSIDE = _WIDTH - 2 * _MARGIN
_TOP, _BOTTOM = 9 * _MM, 8 * _MM
_ROOM = _HEIGHT - _TOP - _BOTTOM
_CLASSES_SHARE, _GAP_SHARE = 0.58, 0.033
_FEW = 8
"""So many pictures stand four a line; more of them six, to leave room for the rest."""
_INK, _GREY, _FAINT, _LINE, _SOFT, _VIOLET = "#28232f", "#655f6e", "#a9a3b4", "#ddd8e4", "#f5f3f8", "#6a4c9c"
_MOODS = {"plain": _INK, "gone": "#b8326b", "now": _VIOLET}
_REGULAR, _BOLD = "Vera", "VeraBd"
"""Typefaces that come with reportlab and into the file: any other in their place would be cut off."""


def as_pdf(facts: CleaningFacts) -> bytes:
    """Draw the report; the same facts are the same bytes.

    Letters that the typeface lacks show as `?`.

    Args:
        facts: Of `cleaning_facts`.
    """
    from reportlab.pdfgen.canvas import Canvas

    page = page_of(facts)
    letters = _register_typefaces()
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(_WIDTH, _HEIGHT), invariant=1, lang="en", initialFontName=_REGULAR)
    canvas.setTitle(f"Cleaning report: {page.title}")
    canvas.setSubject(f"How the clean set {facts.clean_id} came about")
    canvas.setAuthor("WBC Lab")
    canvas.setCreator("WBC Lab")
    canvas.setFillColor(_VIOLET)
    canvas.rect(0, _HEIGHT - 2 * _MM, _WIDTH, 2 * _MM, stroke=0, fill=1)
    scale, drawing, used = _fitting(page, canvas, letters)
    canvas.translate(_MARGIN, _HEIGHT - _TOP - used * scale)
    canvas.scale(scale, scale)
    drawing.drawOn(canvas, 0, 0)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _register_typefaces() -> frozenset[int]:
    """Make the typefaces known to reportlab, and tell which letters they have, as code points."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    fonts = [TTFont(name, f"{name}.ttf") for name in (_REGULAR, _BOLD)]
    for font in fonts:
        pdfmetrics.registerFont(font)
    return frozenset(fonts[0].face.charToGlyph)


def _fitting(page: Page, canvas: Any, letters: frozenset[int]) -> tuple[float, Any, float]:
    """The largest scale at which all stands on one page, the drawing, and its height before scaling."""
    from reportlab.platypus import KeepInFrame

    for percent in range(100, 40, -4):
        scale = percent / 100
        # Set wider first, so that the smaller page is as wide as any.
        drawing = _Drawing(_INSIDE / scale, letters).whole(page)
        _, used = drawing.wrapOn(canvas, _INSIDE / scale, _HEIGHT)
        if used * scale <= _ROOM:
            return scale, drawing, used
    squeezed = KeepInFrame(_INSIDE / scale, _ROOM / scale, [drawing], mode="shrink")
    _, used = squeezed.wrapOn(canvas, _INSIDE / scale, _ROOM / scale)
    return scale, squeezed, used


class _Drawing:
    """Turns the parts of a page into what reportlab lays out."""

    def __init__(self, inside: float, letters: frozenset[int]) -> None:
        self._letters = letters
        self._inside, self._left, self._gap = inside, _CLASSES_SHARE * inside, _GAP_SHARE * inside

    def whole(self, page: Page) -> Any:
        """Everything on the page, top to bottom."""
        from reportlab.platypus import Spacer

        upper = self._table(page.classes, self._left, 22 * _MM)
        parts = [
            self._words("Cleaning report", 8.5, _VIOLET, bold=True),
            self._words(page.title, 17, bold=True, leading=1.25),
            self._words(page.about, 8.5, _GREY),
            Spacer(1, 3.6 * _MM),
            self._figures(page),
            Spacer(1, 5 * _MM),
            self._side_by_side(page, upper) if page.examples else self._section("Images per class", upper),
            Spacer(1, 5 * _MM),
            self._section("What the checks found", self._table(page.checks, self._inside, 33 * _MM)),
            Spacer(1, 5 * _MM),
            self._section("Text for a methods section", self._text(page)),
            Spacer(1, 5 * _MM),
            self._section("To find it again", self._details(page)),
        ]
        return self._grid([[part] for part in parts], [self._inside])

    def _markup(self, text: str) -> str:
        """Text as reportlab's markup."""
        known = (letter if ord(letter) in self._letters or letter.isspace() else "?" for letter in text)
        return escape("".join(known))

    def _words(
        self,
        text: str,
        size: float,
        colour: str = _INK,
        *,
        bold: bool = False,
        right: bool = False,
        leading: float = 1.28,
    ) -> Any:
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Paragraph

        style = ParagraphStyle(
            "words",
            fontName=_BOLD if bold else _REGULAR,
            fontSize=size,
            leading=size * leading,
            textColor=colour,
            alignment=2 if right else 0,
            splitLongWords=1,
        )
        return Paragraph(self._markup(text), style)

    def _grid(self, rows: Sequence[Sequence[Any]], widths: Sequence[float], *style: tuple[Any, ...]) -> Any:
        """A table without any room around its cells but what `style` adds."""
        from reportlab.platypus import Table as Grid

        everywhere = ((0, 0), (-1, -1))
        bare = [(f"{side}PADDING", *everywhere, 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
        own = [(name, *(place or everywhere), *values) for name, place, *values in style]
        return Grid(
            [list(row) for row in rows],
            colWidths=list(widths),
            style=[*bare, ("FONT", *everywhere, _REGULAR), ("VALIGN", *everywhere, "TOP"), *own],
            hAlign="LEFT",
        )

    def _section(self, title: str, body: Any, width: float | None = None) -> Any:
        head = self._words(title, 9.6, _VIOLET, bold=True)
        return self._grid(
            [[head], [body]], [width or self._inside], ("BOTTOMPADDING", ((0, 0), (0, 0)), 1.4 * _MM)
        )

    def _figures(self, page: Page) -> Any:
        cells = [
            [
                self._words(figure.value, 16, _MOODS[figure.mood], bold=True),
                self._words(figure.label, 8, _GREY),
            ]
            for figure in page.figures
        ]
        return self._grid(
            [cells],
            [self._inside / len(cells)] * len(cells),
            ("LINEABOVE", None, 0.5, _LINE),
            ("LINEBELOW", None, 0.5, _LINE),
            ("TOPPADDING", None, 1.4 * _MM),
            ("BOTTOMPADDING", None, 1.8 * _MM),
        )

    def _side_by_side(self, page: Page, classes: Any) -> Any:
        width = self._inside - self._left - self._gap
        pictures = self._section(
            "What the checks found, for example", self._pictures(page.examples, width), width
        )
        left = self._section("Images per class", classes, self._left)
        return self._grid([[left, "", pictures]], [self._left, self._gap, width])

    def _pictures(self, examples: Sequence[Example], width: float) -> Any:
        from reportlab.platypus import Image

        in_a_line = 4 if len(examples) <= _FEW else 6
        place = width / in_a_line
        side = place - 1.6 * _MM
        cells = [
            [
                Image(io.BytesIO(example.jpeg), side, side, kind="proportional", hAlign="LEFT"),
                self._words(example.title, 6.2, leading=1.2),
                self._words(f"{short(example.class_name, 20)}, {example.outcome}", 6.2, _GREY, leading=1.2),
            ]
            for example in examples
        ]
        cells += [[]] * (-len(cells) % in_a_line)
        lines = [cells[start : start + in_a_line] for start in range(0, len(cells), in_a_line)]
        return self._grid(
            lines,
            [place] * in_a_line,
            ("BOTTOMPADDING", None, 1.2 * _MM),
            ("RIGHTPADDING", None, 1.6 * _MM),
        )

    def _table(self, table: Table, width: float, first: float) -> Any:
        columns = len(table.head)
        wordy = 0.4 * width
        number = (width - first - wordy * len(table.wordy)) / (columns - 1 - len(table.wordy))
        widths = [first, *(wordy if column in table.wordy else number for column in range(1, columns))]

        def cell(column: int, text: str, *, head: bool = False, bold: bool = False) -> Any:
            right = column > 0 and column not in table.wordy
            empty = right and text in ("0", "–")
            colour = _GREY if head or column in table.wordy else _FAINT if empty else _INK
            return self._words(
                text, 7 if head else 7.4 if column in table.wordy else 8.2, colour, bold=bold, right=right
            )

        rows = [[cell(column, text, head=True) for column, text in enumerate(table.head)]]
        rows += [[cell(column, text) for column, text in enumerate(texts)] for texts in table.rows]
        if table.total:
            rows.append([cell(column, text, bold=True) for column, text in enumerate(table.total)])
        last = -2 if table.total else -1
        grid = self._grid(
            rows,
            widths,
            ("LINEBELOW", ((0, 0), (-1, last)), 0.4, _LINE),
            ("VALIGN", ((0, 0), (-1, 0)), "BOTTOM"),
            ("TOPPADDING", None, 0.8 * _MM),
            ("BOTTOMPADDING", None, 1 * _MM),
        )
        if not table.note:
            return grid
        note = self._words(table.note, 7, _GREY)
        return self._grid([[grid], [note]], [width], ("TOPPADDING", ((0, 1), (0, 1)), 1 * _MM))

    def _text(self, page: Page) -> Any:
        lines = [[self._words(page.text, 8.6, leading=1.4)]]
        numbered = enumerate(page.references, 1)
        lines += [[self._words(f"[{number}] {reference}", 7, _GREY)] for number, reference in numbered]
        return self._grid(
            lines,
            [self._inside],
            ("BACKGROUND", None, _SOFT),
            ("LINEBEFORE", None, 1.6, _VIOLET),
            ("LEFTPADDING", None, 3 * _MM),
            ("RIGHTPADDING", None, 3 * _MM),
            ("TOPPADDING", ((0, 0), (0, 0)), 1.8 * _MM),
            ("BOTTOMPADDING", ((0, 0), (0, 0)), 1.2 * _MM),
            ("BOTTOMPADDING", ((0, -1), (0, -1)), 1.8 * _MM),
        )

    def _details(self, page: Page) -> Any:
        rows = [[self._words(term, 7.8, _GREY), self._words(value, 7.8)] for term, value in page.details]
        return self._grid(rows, [36 * _MM, self._inside - 36 * _MM], ("BOTTOMPADDING", None, 0.9 * _MM))
