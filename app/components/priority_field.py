"""Which waiting jobs start first, chosen before runs are queued."""

import streamlit as st

from wbc_core.records import PRIORITIES

_DEFAULT = "normal"


def priority_field(page: str, *, width: int | str = "stretch") -> str:
    """Draw the choice of a priority.

    Args:
        page: What the session keeps it under.
        width: As of `st.selectbox`.

    Returns:
        One of `PRIORITIES`.
    """
    return st.selectbox(
        "Priority",
        PRIORITIES,
        index=PRIORITIES.index(_DEFAULT),
        key=f"{page}-priority",
        persist_state="session",
        format_func=str.capitalize,
        width=width,
        help="Of the jobs that wait, those of a higher priority start first. It can be changed on the Jobs "
        "page while they wait.",
    )
