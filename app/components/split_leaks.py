"""Leakage: duplicates that lie in different parts of a split, and the ways to be rid of them."""

import streamlit as st

from app import cache, cache_balance, cache_prepare, state
from app.components import pictures
from app.components.page import link, plain, thousands
from app.components.split_panel import make
from wbc_core import splitting
from wbc_core.errors import WbcError
from wbc_core.records import Split
from wbc_core.wording import counted

_SHOWN = 4
_MESSAGE = "split_message"


def _drop_and_split(split: Split) -> None:
    try:
        dropped = splitting.drop_copies(state.workspace(), split, who=state.person())
    except WbcError as error:
        st.session_state[_MESSAGE] = str(error)
        return
    make(split.dataset, split.fractions, split.seed)
    st.toast(
        f"Dropped {counted(dropped, 'copy', 'copies')}; the Review page can undo it.", icon=":material/undo:"
    )


def draw(split: Split) -> bool:
    """Draw what leaks, if anything, as an error with its remedies.

    Args:
        split: The split.

    Returns:
        Whether anything leaks.
    """
    leaks = cache_balance.leaks(split)
    if not leaks:
        return False
    count = f"{thousands(len(leaks))} group" + (
        "s of duplicates lie" if len(leaks) > 1 else " of duplicates lies"
    )
    table = cache_prepare.split_table(split.id).set_index("row")["part"]
    st.error(
        f"**{count} in more than one part.** A network is asked for pictures that it has learnt by heart, "
        "and every score of this split is too good. The scan found them after the split was made.",
        icon=":material/content_copy:",
    )
    for group in leaks[:_SHOWN]:
        sources = cache.thumbnails(split.dataset, tuple(group[:6]))
        pictures.strip(
            [
                pictures.Picture(source, f"row {row}, {table[row]}")
                for source, row in zip(sources, group[:6], strict=True)
            ],
            size=72,
        )
    if len(leaks) > _SHOWN:
        st.caption(f"and {thousands(len(leaks) - _SHOWN)} more")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Split again, groups together",
            type="primary",
            icon=":material/call_split:",
            on_click=make,
            args=(split.dataset, split.fractions, split.seed),
            help="Keeps every image; each group goes into one part. Same fractions, same seed.",
        )
        st.button(
            "Drop the surplus copies and split again",
            icon=":material/delete:",
            on_click=_drop_and_split,
            args=(split,),
            help="Drops what the duplicate checks hold for the worse copy, as one step that can be undone. "
            "Copies whose labels conflict stay, each group in one part.",
        )
        link("review", "Look at them first")
    message = st.session_state.pop(_MESSAGE, None)
    if message:
        st.error(plain(message))
    return True
