"""The map of all images: one point each on a canvas, thumbnails on hover, a lasso that opens images."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import streamlit as st
from numpy.typing import NDArray

_HERE = Path(__file__).parent
_STEPS = 65_535
_ASKED_AT_ONCE = 40
_LONGEST_OUTLINE = 400
_mount = st.components.v2.component(
    "wbc_image_map",
    html=(_HERE / "image_map.html").read_text(encoding="utf-8"),
    css=(_HERE / "image_map.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("plot.js", "image_map.js")),
)
_mount_thumbnails = st.components.v2.component(
    "wbc_map_thumbnails", html="<span></span>", js=(_HERE / "thumbnails.js").read_text(encoding="utf-8")
)

Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chosen:
    """What the person drew around.

    Attributes:
        outline: Its corners, in the units of the points.
        colouring: Title of the colouring that was shown.
        hidden: Codes of the groups that its legend hid, rising.
        at: When it was drawn, by the browser's clock in milliseconds.
    """

    outline: Outline
    colouring: str
    hidden: tuple[int, ...]
    at: int


class Colouring(TypedDict):
    """One way to colour the points.

    Attributes:
        title: What is shown.
        names: Name of each group, in the order of the legend.
        colours: Its colour, as CSS writes it.
        codes: Place in `names` of each point, uint8 of shape (points,).
        quiet: Whether the first group is the background of the others.
    """

    title: str
    names: Sequence[str]
    colours: Sequence[str]
    codes: NDArray[np.uint8]
    quiet: bool


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _unpacked(sent: Any, low: NDArray[np.float64], span: NDArray[np.float64]) -> Chosen | None:
    """What the browser sent, its outline in the units of the points; None where that is no shape."""
    try:
        corners = np.array(sent["corners"], dtype=np.float64)
        hidden = tuple(sorted({int(code) for code in sent["hidden"]}))
        colouring, at = str(sent["colouring"]), int(sent["at"])
    except (KeyError, TypeError, ValueError):
        return None
    if corners.ndim != 2 or corners.shape[1] != 2 or not 3 <= len(corners) <= _LONGEST_OUTLINE:
        return None
    if not np.isfinite(corners).all():
        return None
    return Chosen(tuple(map(tuple, (low + corners * span).tolist())), colouring, hidden, at)


def _packed_choice(
    chosen: Chosen | None, low: NDArray[np.float64], span: NDArray[np.float64]
) -> dict[str, Any] | None:
    if chosen is None:
        return None
    corners = ((np.array(chosen.outline) - low) / span).tolist()
    return {"corners": corners, "colouring": chosen.colouring, "hidden": list(chosen.hidden)}


def image_map(
    points: NDArray[np.float32],
    rows: NDArray[np.int64],
    colourings: Sequence[Colouring],
    *,
    key: str,
    chosen: Chosen | None,
    on_choice: Callable[[Chosen | None], None],
) -> None:
    """Draw the points.

    Args:
        points: float32 (points, 2).
        rows: Row number of each point, int64 (points,).
        colourings: The choices of colour; the first is shown.
        key: Unique on the page; another set of points needs another one.
        chosen: What was drawn around before this part of the page was left.
        on_choice: Called with what the person drew around, or with None once that is cleared.
    """
    low = points.min(axis=0).astype(np.float64)
    span = np.maximum(points.max(axis=0) - low, 1e-9)

    def sent() -> Any:
        return (st.session_state.get(key) or {}).get("outline")

    def drawn() -> None:
        on_choice(_unpacked(sent(), low, span) if sent() else None)

    _mount(
        key=key,
        data={
            "points": _packed(np.round((points - low) / span * _STEPS), "<u2"),
            "rows": _packed(rows, "<i4"),
            # What the browser itself drew it has: the points need not be sent again with it.
            "chosen": None if sent() else _packed_choice(chosen, low, span),
            "colourings": [{**entry, "codes": _packed(entry["codes"], "u1")} for entry in colourings],
        },
        on_outline_change=drawn,
    )


def map_thumbnails(pictures: Callable[[tuple[int, ...]], Sequence[str]], images: int, *, key: str) -> None:
    """Send the thumbnails that the map asks for while the mouse moves over it; draw it in a fragment.

    Args:
        pictures: Row numbers to data URLs.
        images: Number of rows; others are not asked for.
        key: Unique on the page.
    """
    asked = (st.session_state.get(key) or {}).get("rows") or ()
    rows = tuple(row for row in list(asked)[:_ASKED_AT_ONCE] if isinstance(row, int) and 0 <= row < images)
    found: Mapping[int, str] = dict(zip(rows, pictures(rows), strict=True)) if rows else {}
    _mount_thumbnails(key=key, data={"pictures": found}, on_rows_change=lambda: None)
