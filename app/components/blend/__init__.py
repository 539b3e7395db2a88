"""One SMOTE image enlarged between its parents: the factor moves in the browser, without the server."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import streamlit as st

from wbc_core.balance.realism import GHOST

_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "wbc_blend",
    html=(_HERE / "blend.html").read_text(encoding="utf-8"),
    css=(_HERE / "blend.css").read_text(encoding="utf-8"),
    js=(_HERE / "blend.js").read_text(encoding="utf-8"),
)


class Parent(TypedDict):
    """A parent: its row and its picture, a data URL without loss."""

    row: int
    src: str


class Other(TypedDict):
    """A real image that is the nearest at some factor: its row and picture, and its squared distances."""

    row: int
    src: str
    to_base: float
    to_neighbour: float


def blend(
    base: Parent,
    neighbour: Parent,
    factor: float,
    *,
    disjoint: float,
    others: Sequence[Other],
    apart: float,
    size: int,
    key: str,
) -> None:
    """Draw both parents, what lies between them at a factor that can be moved, and the nearest real image.

    Args:
        base: Where it starts from.
        neighbour: Where it goes to.
        factor: How far at first, 0..1.
        disjoint: 1 - IoU of the parents' nuclei: the ghost score at factor 0.5.
        others: See `Surroundings.candidates`.
        apart: Squared distance of the parents, in grey levels.
        size: Numbers in an image.
        key: Unique on the page.
    """
    _mount(
        key=key,
        data={
            "name": f"{base['row']}-{neighbour['row']}-{factor}",
            "base": base,
            "neighbour": neighbour,
            "factor": factor,
            "disjoint": disjoint,
            "ghost": GHOST,
            "others": list(others),
            "apart": apart,
            "size": size,
        },
    )
