"""The watermark of the leaky order, wherever a figure that comes of it shows."""

import streamlit as st

from wbc_core.balance.leaky import WARNING

BADGE = f":red-badge[:material/water_damage: {WARNING}]"


def mark(leaky: bool) -> None:
    """Draw the watermark above what follows, where it is due.

    Args:
        leaky: Whether held-out images helped make what the figures come from.
    """
    if leaky:
        st.markdown(BADGE)
