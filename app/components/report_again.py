"""What to do with what a report has shown: train again on the new clean set, and see what that changed."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import cache, cache_studies, state
from app.components import report_studies
from app.components.job_panel import job_button, job_panel
from app.components.page import link, plain, thousands
from app.components.results_text import share
from wbc_core.errors import WbcError
from wbc_core.jobs import queue, relaunch
from wbc_core.records import TERMINAL_STATES, Job
from wbc_core.training.runs import Run
from wbc_core.wording import counted


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw what changed since the run's clean set, the button that trains it again, and what came of it."""
    st.subheader("Train again after decisions", anchor=False)
    _compared(run.id)
    _launch(run)
    for job in relaunch.relaunches_of(state.workspace(), run.id):
        _relaunched(job)
    report_studies.draw(run)


def _launch(run: Run) -> None:
    """Say what a relaunch would change, and offer it."""
    if report_studies.needs_scan(run.dataset):
        st.markdown("Look for duplicates again first: an image may have copies in another part.")
        link("split_balance", "Open Split & balance")
        return
    stamp = cache.log_stamp(run.dataset)
    try:
        changes = cache_studies.relaunch_changes(run, stamp)
    except WbcError as error:
        st.markdown(f":gray[{plain(str(error))}]")
        return
    preparing = _preparing(run.id)
    if preparing is not None:
        job_panel(preparing.id, title="Preparing the relaunch")
        if preparing.state not in TERMINAL_STATES:
            return
    st.markdown(changes.words())
    if not changes.images:
        st.markdown(
            ":gray[A relaunch would be the same run. Keep, drop or relabel images first: under Confusions, "
            "under Confidence, or on the Review page.]"
        )
        link("review", "Open Review")
        return
    st.markdown(
        "Every image stays in its part, and recipe, settings and seed stay the same. "
        + relaunch.what_it_means(changes)
    )
    if changes.held_out:
        st.caption("For a fair comparison, keep a test part that nobody cleans by a report.")
    if relaunch.relaunched_with(state.workspace(), run.id, cache.clean_set(run.dataset).id):
        st.markdown(":gray[It was trained again with these decisions; see below.]")
        return
    label = f"Train again with {counted(changes.images, 'change')}"
    spec = {"run": run.id, "head": stamp[0]}
    weight = "primary" if changes.learnt else "secondary"
    if job_button(label, relaunch.KIND, spec, type=weight, icon=":material/replay:", key="relaunch"):
        st.rerun()


def _preparing(run_id: str) -> Job | None:
    """The job that makes a relaunch ready, while it is not done or when it failed last."""
    jobs = queue.list_jobs(state.workspace(), kind=relaunch.KIND)
    newest = next((job for job in jobs if job.spec["run"] == run_id), None)
    return newest if newest is not None and newest.state != "succeeded" else None


def _relaunched(job: Job) -> None:
    """Draw a relaunch: how far it is, or the link to its report."""
    if job.state != "succeeded":
        job_panel(job.id, title="Relaunch")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        accuracy = (job.result or {}).get("accuracy")
        st.markdown(
            f"Relaunched {job.created[:16].replace('T', ' ')}, accuracy {share(accuracy)}.", width="content"
        )
        _open(job.id, "Open its report")


def _compared(run_id: str) -> None:
    """Draw how a relaunch compares with the run before, where this run is one."""
    earlier = relaunch.relaunched_run(state.workspace(), run_id)
    if earlier is None:
        return
    try:
        found = cache_studies.relaunch_comparison(earlier, run_id)
    except WbcError as error:
        st.warning(plain(str(error)))
        return
    with st.container(border=True):
        st.markdown(f"**This run relaunches {plain(earlier)}.** {plain(found['words'])}.")
        st.caption(
            f"On the {thousands(found['images'])} images of the {found['part']} part that both hold out, "
            f"under the new labels: {share(found['accuracy_before'])} before, "
            f"{share(found['accuracy_after'])} after. One seed each: another can move an accuracy as much."
        )
        _open(earlier, "Open the report before")


def _open(run_id: str, label: str) -> None:
    """Draw the button that opens another run's report on this page."""
    st.button(
        label, key=f"open-{run_id}", icon=":material/grid_on:", on_click=state.select, args=("run", run_id)
    )
