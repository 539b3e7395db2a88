"""The choice of check: every check under its heading, with what it flagged and what is left to review."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

import streamlit as st

_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "wbc_check_filter",
    html='<nav class="filter" aria-label="Checks"></nav>',
    css=(_HERE / "check_filter.css").read_text(encoding="utf-8"),
    js=(_HERE / "check_filter.js").read_text(encoding="utf-8"),
)


class Entry(TypedDict):
    """One check.

    Attributes:
        name: Its name in the registry.
        title: What the page calls it.
        flagged: Number of images, or of statements about the whole set.
        left: How many of them wait for a verdict.
        statements: Whether it speaks about the whole set.
    """

    name: str
    title: str
    flagged: int
    left: int
    statements: bool


class Family(TypedDict):
    """Checks that belong together, under a heading."""

    title: str
    checks: list[Entry]


def check_filter(
    families: Sequence[Family], chosen: str, *, key: str, on_choose: Callable[[str], None]
) -> None:
    """Draw the choice of check. A click shows at once; `on_choose` is called before the next draw.

    Args:
        families: The checks under their headings; one that found nothing is quiet, but there.
        chosen: Name of the check that is shown.
        key: Unique on the page.
        on_choose: Called with the name of a check that is among those offered.
    """
    names = {entry["name"] for family in families for entry in family["checks"]}

    def choose() -> None:
        name = (st.session_state.get(key) or {}).get("chosen")
        if name in names:
            on_choose(name)

    _mount(key=key, data={"families": list(families), "chosen": chosen}, on_chosen_change=choose)
