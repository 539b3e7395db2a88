"""A recipe's result as one figure for print: a row an operation, a column a class."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from wbc_core.augment.operations import Images

DOTS_PER_INCH = 300
WIDTH_CM = 17.0
"""Width of the text on an A4 page with usual margins."""

_POINTS = 8
_LABEL_CM = 2.6
_GAP_CM = 0.08
_LARGEST_CELL_CM = 3.0
_INK, _PAPER = (30, 26, 36), (255, 255, 255)


def _dots(centimetres: float) -> int:
    return round(centimetres / 2.54 * DOTS_PER_INCH)


def figure(heads: Sequence[str], rows: Sequence[tuple[str, Images]], note: str) -> Image.Image:
    """Draw rows of pictures under column heads, white like paper, 17 cm wide at 300 dots an inch.

    Args:
        heads: Name of each column.
        rows: Name of each row and its pictures, uint8 (columns, H, W, 3).
        note: What made it, in one line below.

    Returns:
        The figure, RGB.
    """
    font = ImageFont.load_default(_POINTS * DOTS_PER_INCH / 72)
    line = round(1.35 * _POINTS * DOTS_PER_INCH / 72)
    gap, label = _dots(_GAP_CM), _dots(_LABEL_CM)
    columns = max(len(heads), 1)
    width = _dots(WIDTH_CM)
    cell = min(_dots(_LARGEST_CELL_CM), (width - label) // columns - gap)
    height = 2 * line + len(rows) * (cell + gap) + 2 * line
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        left = label + column * (cell + gap)
        lines = wrapped(head, font, cell)[:2]
        for number, text in enumerate(lines):
            top = 2 * line - (len(lines) - number) * line - gap
            pen.text((left, top), text, font=font, fill=_INK)
    for number, (name, pictures) in enumerate(rows):
        top = 2 * line + number * (cell + gap)
        for order, text in enumerate(wrapped(name, font, label - 2 * gap)):
            pen.text((0, top + order * line), text, font=font, fill=_INK)
        for column, picture in enumerate(pictures):
            large = Image.fromarray(np.ascontiguousarray(picture)).resize(
                (cell, cell * picture.shape[0] // picture.shape[1]), Image.Resampling.BICUBIC
            )
            large.thumbnail((cell, cell))
            sheet.paste(large, (label + column * (cell + gap), top))
    pen.text((0, height - line - gap), wrapped(note, font, width)[0], font=font, fill=_INK)
    return sheet


def wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break a text into lines no wider than so many dots; a word that is too long loses its end."""
    lines = [""]
    for word in text.split() or [""]:
        while len(word) > 1 and font.getlength(word) > width:
            word = word.rstrip("…")[:-1] + "…" if len(word) > 2 else word[:1]
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def as_png(sheet: Image.Image, texts: dict[str, str]) -> bytes:
    """Write a figure as PNG with its resolution, and texts such as the recipe beside the pixels."""
    info = PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", dpi=(DOTS_PER_INCH, DOTS_PER_INCH), pnginfo=info, optimize=False)
    return buffer.getvalue()


def size_in_words(sheet: Image.Image) -> str:
    """The size of a figure in print and in pixels.

    Example:
        >>> size_in_words(Image.new("RGB", (1181, 590)))
        '10.0 x 5.0 cm at 300 dpi (1,181 x 590 px)'
    """
    across, down = (dots / DOTS_PER_INCH * 2.54 for dots in sheet.size)
    return f"{across:.1f} x {down:.1f} cm at {DOTS_PER_INCH} dpi ({sheet.width:,} x {sheet.height:,} px)"
