"""The person's name in the browser tab, where it outlives a reload on whichever page."""

from pathlib import Path

import streamlit as st

from app import state

_KEY = "kept-name"
_SCRIPT = Path(__file__).parent / "kept_name.js"
_mount = st.components.v2.component(
    "wbc_kept_name", html="<span></span>", js=_SCRIPT.read_text(encoding="utf-8")
)


def _named() -> None:
    name = (st.session_state.get(_KEY) or {}).get("name")
    if name:
        state.take_name(str(name))


def kept_name() -> None:
    """Have the browser tab keep the person's name, and give it back after a reload."""
    data = {"person": state.given_name(), "given": state.has_given_name()}
    _mount(key=_KEY, data=data, on_name_change=_named)
