"""Does balancing help? Launching the study on a split, and those there are."""

import streamlit as st

from app import state
from app.components import paired_study
from app.components.page import plain, thousands
from wbc_core.augment.prepare import check_room
from wbc_core.augment.recipe import PRESETS
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.jobs import balance_study
from wbc_core.jobs.paired_study import BALANCE, MOST_SEEDS
from wbc_core.records import Dataset, Split
from wbc_core.training.estimate import about

_RECIPE = "plain"


def draw_form(dataset: Dataset, split: Split) -> None:
    """Draw what a new study asks for, what it costs, and the button that starts it.

    Args:
        dataset: The data set.
        split: The split.
    """
    backbone = st.selectbox(
        "Backbone",
        BACKBONES.names(),
        format_func=lambda name: BACKBONES.get(name).title,
        key="study_backbone",
        bind="query-params",
    )
    with st.container(horizontal=True):
        epochs = st.number_input("Epochs", 1, 1000, 10, key="study_epochs", bind="query-params", width=140)
        seeds = st.number_input(
            "Seeds",
            1,
            MOST_SEEDS,
            1,
            key="study_seeds",
            bind="query-params",
            width=140,
            help="Runs of each plan. A single run can be lucky; three say more.",
        )
    asked = {"settings": {"epochs": str(epochs)}, "seeds": tuple(range(seeds))}
    recipe, workspace = PRESETS.get(_RECIPE), state.workspace()
    try:
        needed = balance_study.bytes_needed(workspace, split, recipe)
        check_room(workspace, needed)
        duration = balance_study.seconds_needed(workspace, split, backbone, recipe, **asked)
    except WbcError as error:
        st.error(plain(str(error)))
        return
    plans = len(balance_study.PLANS_ASKED)
    runs = plans * seeds
    st.markdown(
        f"**{about(duration).capitalize()}** on 2 CPU cores at 96 x 96 pixels, if no run stops early: {runs} "
        f"runs, one after another. **{thousands(needed / 1e6)} MB** for {plans} prepared sets."
    )
    if st.button(f"Train {runs} networks", type="primary", icon=":material/science:", key="study_start"):
        try:
            job = balance_study.start_balance_study(workspace, split.id, backbone, recipe, **asked)
        except WbcError as error:
            st.error(plain(str(error)))
            return
        st.session_state[paired_study.chosen_key(BALANCE)] = job.id
        st.rerun()


def draw_studies(split: Split) -> None:
    """Draw the studies of a split that there are, or what one would do.

    Args:
        split: The split.
    """
    if not paired_study.draw_studies(BALANCE, split.id):
        st.markdown(
            "The same network is trained on the train part as it is, with class weights, over-sampled and "
            "with SMOTE, and asked about the same held-out images. Nothing but the balance differs."
        )
