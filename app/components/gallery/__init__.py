"""The image grid: the lab's hand tool for looking at many pictures and deciding on them quickly."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import streamlit as st

from app import state
from app.components.charts import class_colours
from wbc_core.curation import presses
from wbc_core.errors import WbcError

_HERE = Path(__file__).parent
_SCRIPTS = ("outbox.js", "grid.js", "main.js")
_mount = st.components.v2.component(
    "wbc_gallery",
    html=(_HERE / "gallery.html").read_text(encoding="utf-8"),
    css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS),
)


class Item(TypedDict):
    """One picture of the grid.

    Attributes:
        row: Row number in the data set.
        name: What is said in place of the row, for a picture of no data set. Optional.
        more: Further rows that this picture stands for: a stack, decided on as one. Optional.
        src: Data URL of the picture.
        label: Name of its class; of a stack under several labels, how many these are.
        badge: A word on the picture, such as what is suggested; None for none.
        mark: `keep`, `drop`, `relabel:NAME`, or None while undecided.
        likely: Label that is offered first when relabelling; None for none. Optional.
        suggested: What the key `a` does to the rows of this picture while it has no mark, each as row, action
            and new label. Optional.
        title: A sentence about it: the evidence.
        note: A few words that stay under it, such as how it differs from its neighbours. Optional.
        group: Neighbours of one group are drawn in one frame; None for a picture of its own.
        aside: Whether it is only shown beside what is in question: no key moves on to it by itself. Optional.
    """

    row: int
    name: NotRequired[str]
    more: NotRequired[list[int]]
    src: str
    label: str
    badge: str | None
    mark: str | None
    likely: NotRequired[int | None]
    suggested: NotRequired[list[tuple[int, str, int | None]]]
    title: str
    note: NotRequired[str]
    group: str | None
    aside: NotRequired[bool]


class Press(TypedDict):
    """One decision of the person: an action on some rows.

    Attributes:
        client: The browser tab, anew after each load of the page.
        seq: Its number, rising within the client.
        context: What the page gave as `context` when the key was pressed.
        action: `keep`, `drop`, `relabel`, `accept` or `undo`.
        label: The new label where the action is `relabel`.
        rows: The row numbers; empty for `undo`.
        verdicts: Where the action is `accept`, what of `Item.suggested` it follows.
    """

    client: str
    seq: int
    context: str
    action: str
    label: int | None
    rows: list[int]
    verdicts: NotRequired[list[tuple[int, str, int | None]]]


def write_presses(sent: Sequence[Press], on_press: Callable[[Press], None]) -> dict[str, int]:
    """Write those of the presses that a browser sent which are new, in order.

    One that the core refuses counts as done, and its message is shown: it would be refused again.

    Args:
        sent: Every press that the browser holds for unwritten.
        on_press: Enters one into the log.

    Returns:
        For each client among them the number of its last press that was written.
    """
    workspace = state.workspace()
    # The browser's last send stays in the session: to ask costs a redraw no lock, to write again would.
    known = {
        client: presses.last_written(workspace, client) for client in {press["client"] for press in sent}
    }
    for press in sent:
        if press["seq"] <= known[press["client"]]:
            continue
        known[press["client"]] = press["seq"]
        try:
            presses.write_once(workspace, press["client"], press["seq"], partial(on_press, press))
        except WbcError as error:
            st.toast(str(error), icon=":material/error:")
    return known


def _receive(key: str, on_press: Callable[[Press], None]) -> dict[str, int]:
    """Write what the browser sent, and tell up to where."""
    outbox: Any = (st.session_state.get(key) or {}).get("outbox")
    if not outbox:
        return {}
    return write_presses(
        [{**press, "client": str(press["client"])[: presses.LONGEST_CLIENT]} for press in outbox["presses"]],
        on_press,
    )


def _sent(key: str, on_press: Callable[[Press], None]) -> None:
    """Write what the browser sent just now, under the name that the tab keeps where the session has none."""
    outbox: Any = (st.session_state.get(key) or {}).get("outbox")
    if outbox and not state.has_given_name():
        state.take_name(str(outbox.get("person") or ""))
    _receive(key, on_press)


def _turned(key: str, on_turn: Callable[[int], None]) -> None:
    by = (st.session_state.get(key) or {}).get("turn")
    if by in (-1, 1):
        on_turn(by)


def gallery(
    items: Sequence[Item],
    *,
    key: str,
    class_names: Sequence[str],
    actions: bool = True,
    height: int | None = None,
    tile: int = 104,
    context: str = "",
    on_press: Callable[[Press], None] | None = None,
    page: tuple[int, int] = (1, 1),
    on_turn: Callable[[int], None] = lambda by: None,
) -> None:
    """Draw a grid of pictures, to look at or to decide on.

    A press shows at once in the browser; it reaches `on_press` a moment later, before the next draw.

    Args:
        items: At most a few hundred pictures; those of one group next to each other.
        key: Unique on the page, and the same at every draw.
        class_names: Every class of the data set, in order: the choices when relabelling.
        actions: Whether one can decide; else the grid only shows.
        height: In pixels, to scroll inside the grid; by default it is as high as its pictures.
        tile: Smallest width of a picture, in pixels; what is left of the line is shared out.
        context: Comes back with every press made while it was drawn (data set and check, for example).
        on_press: Called once for each press, in order. A `WbcError` from it is shown as a toast.
        page: Number of the page that is drawn, and of all pages.
        on_turn: Called with -1 or 1 when the arrow keys leave the page for the one before or after it.
    """
    written = {}
    if actions and on_press:
        # Not only in the callback: after a reconnection the value is there without having changed.
        written = _receive(key, on_press)
    _mount(
        key=key,
        data={
            "items": list(items),
            "class_names": list(class_names),
            "colours": class_colours(class_names),
            "actions": actions,
            "height": height,
            "tile": tile,
            "context": context,
            "store": key,
            "written": written,
            "page": page[0],
            "pages": page[1],
            "take_keys": actions and state.just_named(),
        },
        on_outbox_change=partial(_sent, key, on_press) if actions and on_press else lambda: None,
        on_turn_change=partial(_turned, key, on_turn),
    )
