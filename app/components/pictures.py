"""Rows and tables of small pictures with captions, as plain HTML that wraps or scrolls on a narrow screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

_STYLE = """<style>
.wbc-pictures { display: flex; flex-wrap: wrap; gap: .6rem; }
.wbc-pictures figure, .wbc-table figure { margin: 0; width: var(--size); }
.wbc-pictures img, .wbc-table img { width: var(--size); height: var(--size); object-fit: contain;
  border-radius: 6px; display: block; background: rgba(128, 118, 145, .14); }
.wbc-pictures figcaption, .wbc-table figcaption { font-size: .75rem; line-height: 1.25; opacity: .75;
  padding-top: .2rem; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.wbc-scroll { overflow-x: auto; }
.wbc-table { border-collapse: collapse; }
.wbc-table th { text-align: left; font-size: .82rem; font-weight: 600; padding: 0 .6rem .4rem 0;
  vertical-align: bottom; max-width: var(--size); }
.wbc-table td { padding: 0 .6rem .7rem 0; vertical-align: top; }
</style>"""


@dataclass(frozen=True)
class Picture:
    """One picture: where it is (a data URL), what stands below it, and what it shows for a screen reader."""

    source: str
    caption: str = ""
    text: str = ""


def _figure(picture: Picture) -> str:
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    alternative = escape(picture.text or picture.caption, quote=True)
    return f'<figure><img src="{escape(picture.source, quote=True)}" alt="{alternative}">{caption}</figure>'


def strip(pictures: Sequence[Picture], *, size: int = 96) -> None:
    """Draw pictures side by side; they wrap where the page is narrow.

    Args:
        pictures: What to draw, in order.
        size: Side of a picture, in pixels.
    """
    figures = "".join(_figure(picture) for picture in pictures)
    st.html(f'{_STYLE}<div class="wbc-pictures" style="--size: {size}px">{figures}</div>')


def table(heads: Sequence[str], lines: Sequence[Sequence[Picture]], *, size: int = 96) -> None:
    """Draw lines of pictures under column heads; the table scrolls sideways where the page is narrow.

    Args:
        heads: One text a column.
        lines: One list of pictures a line.
        size: Side of a picture, in pixels.
    """
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{_figure(picture)}</td>" for picture in line) + "</tr>" for line in lines
    )
    st.html(
        f'{_STYLE}<div class="wbc-scroll"><table class="wbc-table" style="--size: {size}px">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
