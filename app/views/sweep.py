"""Sweep: train many runs that differ in a few settings, and see which settings matter."""

import streamlit as st

from app import state
from app.components import sweep_form, sweep_panel
from app.components.chain_bar import current_split
from app.components.page import begin, empty, require_dataset
from wbc_core.augment import prepare
from wbc_core.jobs.sweep_results import list_sweeps
from wbc_core.wording import counted

begin("Sweep", "Train many runs that differ in a few settings, and see which settings matter.")
dataset = require_dataset()
sets = [entry for entry in prepare.list_prepared(state.workspace()) if entry.dataset == dataset.id]
if not sets:
    has_split = current_split(dataset.id) is not None
    empty(
        "There is no prepared set yet. Every run of a sweep learns from the same one: the train part of a "
        "split, balanced and augmented by a recipe.",
        label="Prepare a set" if has_split else "Split the data set",
        view="augment" if has_split else "split_balance",
    )
    st.stop()

names = {entry.id for entry in sets}
sweeps = [sweep for sweep in list_sweeps(state.workspace()) if sweep.prepared in names]
view = "new"
if sweeps:
    count = counted(len(sweeps), "sweep")
    view = state.choose_view("View", sweep_panel.VIEW, {"results": count, "new": "New sweep"})
if view == "new":
    if not sweeps:
        st.markdown(
            "No sweep has been started on this data set. Choose the settings to vary below: the source "
            "report varied the learning rate and the weight decay."
        )
    sweep_form.draw(dataset, sets)
else:
    sweep_panel.draw(sweeps)
