"""Launch: choose what to train on what, see the cost, and queue the runs."""

import streamlit as st

from app import state
from app.components import launch_cost, launch_file, launch_form, leaky
from app.components.chain_bar import current_prepared, current_split
from app.components.page import begin, empty, link, plain, require_dataset, thousands
from app.components.priority_field import priority_field
from wbc_core import splitting
from wbc_core.augment import prepare
from wbc_core.errors import WbcError
from wbc_core.jobs import launching, queue
from wbc_core.records import PreparedSet
from wbc_core.wording import counted

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
    if launch_form.take_clone():
        launch_file.leave()
    specs, problem = [], None
    try:
        specs = from_file = launch_file.runs_of_file(prepared.id)
        if not from_file:
            chosen = launch_form.backbones_and_preset()
            different = launch_form.variants()
            values = launch_form.settings(prepared, chosen)
            specs = launch_form.specs(prepared, chosen, values, different)
        launching.check_all(workspace, specs)
    except WbcError as error:
        specs, problem = [], error
    with st.expander("Queue"):
        priority = priority_field("launch")
    launch_file.file_in()

with cost:
    st.subheader("Cost", anchor=False)
    held_out = sum(split.parts.get("validation", []))
    st.caption(
        f"{thousands(prepared.images)} train images and {thousands(held_out)} validation images an epoch. "
        "Times are for runs that do not stop early; runs go one after another on each device."
    )
    if splitting.is_stale(workspace, split):
        st.warning(
            "This set was made from an older clean set: decisions have changed since. "
            "Split and prepare again to heed them.",
            icon=":material/history:",
        )
    unbalanced = launch_form.validation_warning(split, dataset)
    if unbalanced:
        st.warning(plain(str(unbalanced)), icon=":material/warning:")
    if problem:
        st.error(plain(str(problem)))
    found = launching.known_costs(workspace, specs)
    if specs:
        launch_cost.cost_table(specs, found)
        launch_cost.measure_button(specs, found)
        launch_cost.warnings(specs, found)
    elif not problem:
        st.info("Choose at least one backbone.", icon=":material/arrow_back:")
    runs = counted(len(specs), "run")
    with st.container(horizontal=True, gap="small"):
        pressed = st.button(
            f"Launch {runs}" if specs else "Launch",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not specs or held_out == 0,
            key="launch",
        )
        if pressed and specs:
            asked = [{**spec.to_json(), **launch_form.origin(spec)} for spec in specs]
            try:
                jobs = launching.launch_all(workspace, asked, priority=priority)
            except WbcError as error:  # a worker with a GPU may have left since the form was checked
                st.error(plain(str(error)))
            else:
                launch_form.forget_origin()
                st.session_state[_LAUNCHED] = [job.id for job in jobs]
                state.select("job", jobs[0].id)
                st.rerun()
        launch_file.file_out(specs, prepared.id)
    waiting = {job.id for job in queue.active_jobs(workspace)}
    launched = [job_id for job_id in st.session_state.get(_LAUNCHED, []) if job_id in waiting]
    if launched:
        count = counted(len(launched), "run is", "runs are")
        st.success(f"{count} in the queue.", icon=":material/check:")
        link("jobs", f"Watch {'it' if len(launched) == 1 else 'them'} on the Jobs page")
