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
.wbc-pairs { display: grid;
  grid-template-columns: repeat(auto-fill, calc(var(--count) * (var(--size) + 3px) - 3px));
  gap: .5rem .75rem; }
.wbc-pairs figure { margin: 0; min-width: 0; }
.wbc-pairs div { display: flex; gap: 3px; }
.wbc-pairs img { width: var(--size); height: var(--size); object-fit: contain; border-radius: 5px;
  background: rgba(128, 118, 145, .14); }
.wbc-pairs figcaption { font-size: .7rem; line-height: 1.2; opacity: .8; padding-top: .15rem;
  overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.wbc-table th.side { font-weight: 400; vertical-align: middle; max-width: none; }
.wbc-scroll { overflow-x: auto; }
.wbc-table { border-collapse: collapse; }
.wbc-table th { text-align: left; font-size: .72rem; line-height: 1.25; font-weight: 600;
  padding: 0 .5rem .4rem 0; vertical-align: bottom; max-width: calc(var(--size) + .5rem); }
.wbc-table td { padding: 0 .5rem .7rem 0; vertical-align: top; }
</style>"""


@dataclass(frozen=True)
class Picture:
    """One picture: where it is (a data URL), what stands below it, and what it shows for a screen reader."""

    source: str
    caption: str = ""
    text: str = ""


def _image(picture: Picture) -> str:
    alternative = escape(picture.text or picture.caption, quote=True)
    return f'<img src="{escape(picture.source, quote=True)}" alt="{alternative}">'


def _figure(picture: Picture) -> str:
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return f"<figure>{_image(picture)}{caption}</figure>"


def strip(pictures: Sequence[Picture], *, size: int = 96) -> None:
    """Draw pictures side by side; they wrap where the page is narrow.

    Args:
        pictures: What to draw, in order.
        size: Side of a picture, in pixels.
    """
    figures = "".join(_figure(picture) for picture in pictures)
    st.html(f'{_STYLE}<div class="wbc-pictures" style="--size: {size}px">{figures}</div>')


def _together(groups: Sequence[Sequence[Picture]], size: int) -> None:
    """Groups of equally many pictures, what the last says below each."""
    figures = "".join(
        f"<figure><div>{''.join(map(_image, group))}</div>"
        f"<figcaption>{escape(group[-1].caption)}</figcaption></figure>"
        for group in groups
    )
    count = max((len(group) for group in groups), default=1)
    st.html(f'{_STYLE}<div class="wbc-pairs" style="--size: {size}px; --count: {count}">{figures}</div>')


def pairs(couples: Sequence[tuple[Picture, Picture]], *, size: int = 64) -> None:
    """Draw pictures before and after side by side, what the second says below both.

    Args:
        couples: Before and after, in order.
        size: Side of a picture, in pixels.
    """
    _together(couples, size)


def triples(groups: Sequence[tuple[Picture, Picture, Picture]], *, size: int = 64) -> None:
    """Draw pictures in threes, what the third says below them.

    Args:
        groups: Three pictures each, in order.
        size: Side of a picture, in pixels.
    """
    _together(groups, size)


def table(heads: Sequence[str], lines: Sequence[tuple[str, Sequence[Picture]]], *, size: int = 96) -> None:
    """Draw named lines of pictures under column heads; it scrolls sideways where the page is narrow.

    Args:
        heads: One text a column of pictures.
        lines: Name and pictures of each line.
        size: Side of a picture, in pixels.
    """
    head = "<th></th>" + "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(
        f'<tr><th class="side" scope="row">{escape(name)}</th>'
        + "".join(f"<td>{_figure(picture)}</td>" for picture in line)
        + "</tr>"
        for name, line in lines
    )
    st.html(
        f'{_STYLE}<div class="wbc-scroll"><table class="wbc-table" style="--size: {size}px">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
