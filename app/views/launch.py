"""Launch: choose what to train on what, see the cost, and queue the runs."""

import json

import pandas as pd
import streamlit as st

from app import state
from app.components import launch_form, leaky
from app.components.chain_bar import current_prepared, current_split
from app.components.page import begin, empty, link, plain, require_dataset, thousands
from wbc_core import splitting
from wbc_core.augment import prepare
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.records import PreparedSet
from wbc_core.training.estimate import about, estimate, estimate_run

_LAUNCHED = "launched_jobs"

begin("Launch", "Train one or several networks on a prepared set, and know the cost before it starts.")
workspace = state.workspace()
dataset = require_dataset()
sets = [entry for entry in prepare.list_prepared(workspace) if entry.dataset == dataset.id]
if not sets:
    has_split = current_split(dataset.id) is not None
    empty(
        "There is no prepared set yet. A run learns from the train part of a split, balanced and augmented "
        "by a recipe; the plain recipe leaves it as it is.",
        label="Prepare a set" if has_split else "Split the data set",
        view="augment" if has_split else "split_balance",
    )
    st.stop()

split = current_split(dataset.id)
preferred = current_prepared(split.id) if split else None


def described(entry: PreparedSet) -> str:
    made = entry.created.replace("T", " ")[:16]
    return f"{entry.recipe.name}, {thousands(entry.images)} images, made {made} ({entry.id})"


form, cost = st.columns([0.58, 0.42], gap="large")
with form:
    position = next((place for place, entry in enumerate(sets) if preferred and entry.id == preferred.id), 0)
    prepared = st.selectbox("Prepared set", sets, index=position, format_func=described)
    state.select("split", prepared.split)
    state.select("prepared", prepared.id)
    split = splitting.load_split(workspace, prepared.split)
    leaky.mark(prepared.leaky)
    chosen = launch_form.backbones_and_preset()
    values = launch_form.settings(chosen, prepared)

with cost:
    st.subheader("Cost", anchor=False)
    held_out = sum(split.parts.get("validation", []))
    st.caption(
        f"{thousands(prepared.images)} train images and {thousands(held_out)} validation images an epoch. "
        "Times are for 2 CPU cores at 96 x 96 pixels, if no run stops early; runs go one after another."
    )
    if splitting.is_stale(workspace, split):
        st.warning(
            "This set was made from an older clean set: decisions have changed since. "
            "Split and prepare again to heed them.",
            icon=":material/history:",
        )
    problem = launch_form.validation_warning(split, dataset)
    if problem:
        st.warning(plain(str(problem)), icon=":material/warning:")
    try:
        specs = launch_form.specs(prepared, chosen, values, dataset)
    except WbcError as error:
        st.error(plain(str(error)))
        specs = []
    if specs:
        seconds = [estimate_run(spec, prepared.images, held_out) for spec in specs]
        rows = [
            {
                "Run": BACKBONES.get(spec.backbone).title,
                "An epoch": about(estimate(spec, prepared.images, held_out)),
                "At most": about(total),
            }
            for spec, total in zip(specs, seconds, strict=True)
        ]
        st.table(pd.DataFrame(rows).set_index("Run"))
        st.metric("All together, at most", f"{about(sum(seconds))} on 2 CPU cores")
    else:
        st.info("Choose at least one backbone.", icon=":material/arrow_back:")
    runs = "1 run" if len(specs) == 1 else f"{len(specs)} runs"
    with st.container(horizontal=True, gap="small"):
        if st.button(
            f"Launch {runs}" if specs else "Launch",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not specs or held_out == 0,
            key="launch",
        ):
            jobs = [queue.submit(workspace, "train", spec.to_json()) for spec in specs]
            st.session_state[_LAUNCHED] = [job.id for job in jobs]
            state.select("job", jobs[0].id)
            st.rerun()
        st.download_button(
            "Spec as JSON",
            json.dumps([spec.to_json() for spec in specs], indent=2),
            file_name=f"runs-{prepared.id}.json",
            mime="application/json",
            icon=":material/download:",
            disabled=not specs,
            on_click="ignore",
        )
    waiting = {job.id for job in queue.active_jobs(workspace)}
    launched = [job_id for job_id in st.session_state.get(_LAUNCHED, []) if job_id in waiting]
    if launched:
        count = "1 run is" if len(launched) == 1 else f"{len(launched)} runs are"
        st.success(f"{count} in the queue.", icon=":material/check:")
        link("jobs", "Watch them on the Jobs page")
