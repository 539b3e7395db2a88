"""The prepared sets of a split: which there are, and which one to go on with."""

import streamlit as st

from app import state
from app.components import leaky
from app.components.page import link, plain, seconds, thousands
from wbc_core.augment.prepare import list_prepared
from wbc_core.balance import PLANS
from wbc_core.records import PreparedSet


def _choose() -> None:
    state.select("prepared", st.session_state["prepared_picker"])


def _label(prepared: PreparedSet) -> str:
    return f"{prepared.recipe.name} · {prepared.images:,} images · {prepared.id}"


def draw(split_id: str) -> None:
    """Draw the prepared sets of a split, and the link to train on the chosen one.

    Args:
        split_id: Id of the split.
    """
    sets = {entry.id: entry for entry in list_prepared(state.workspace(), split_id)}
    if not sets:
        st.markdown(":gray[None yet. Prepare one above; training reads it from disk as it is.]")
        return
    if state.current("prepared") not in sets:
        state.select("prepared", next(iter(sets)))
    state.tell_widget("prepared_picker", state.current("prepared"))
    st.selectbox(
        "Work with",
        list(sets),
        format_func=lambda identifier: _label(sets[identifier]),
        key="prepared_picker",
        on_change=_choose,
    )
    chosen = sets[st.session_state["prepared_picker"]]
    operations = ", ".join(entry.name for entry in chosen.recipe.operations) or "no operations"
    st.caption(
        f"{PLANS.get(chosen.recipe.balance).title}, {plain(operations)}, seed {chosen.recipe.seed} · "
        f"{thousands(chosen.images)} images in {seconds(chosen.seconds)}, "
        f"peak {thousands(chosen.peak_mb)} MB · {chosen.created}"
    )
    leaky.mark(chosen.leaky)
    link("launch", f"Train on {chosen.recipe.name}")
