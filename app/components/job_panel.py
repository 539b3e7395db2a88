"""One job on a page: where it stands, and the buttons to stop it, start it again and read its log."""

from typing import Any

import streamlit as st

from app import state
from app.components.job_facts import badge, facts, usage
from app.components.job_log import job_log
from app.components.page import plain
from wbc_core.errors import WbcError
from wbc_core.jobs import launching, order, queue
from wbc_core.records import TERMINAL_STATES, Job

_NO_WORKER = "Waiting, but no worker is running: `make lab` or `wbc worker` starts one."


def job_button(label: str, kind: str, spec: dict[str, Any], **widget: Any) -> str | None:
    """Draw a button that submits a job and remembers its id in the URL.

    Args:
        label: What the button says, a verb first.
        kind: Name of the task.
        spec: What the task is called with.
        widget: Passed on to `st.button` (`key`, `type`, `icon`, `disabled`).

    Returns:
        The job's id in the run in which the button was pressed, else None.
    """
    if not st.button(label, **widget):
        return None
    try:
        job = queue.submit(state.workspace(), kind, spec)
    except WbcError as error:
        st.error(plain(str(error)))
        return None
    state.select("job", job.id)
    return job.id


def current_job() -> Job | None:
    """The job that the URL names, None where it names none; one that is gone is forgotten."""
    asked = state.current("job")
    if not asked:
        return None
    try:
        return queue.get_job(state.workspace(), asked)
    except WbcError:
        state.select("job", None)
        return None


def _buttons(job: Job) -> None:
    if job.state in ("queued", "running"):
        if st.button(
            "Stopping…" if job.cancel_requested else "Cancel",
            key=f"cancel-{job.id}",
            icon=":material/stop_circle:",
            disabled=job.cancel_requested,
            help="What is finished so far is kept; Resume goes on from there.",
        ):
            queue.cancel(state.workspace(), job.id)
            st.rerun(scope="fragment")
    elif job.state in ("failed", "cancelled") and st.button(
        "Resume", key=f"resume-{job.id}", icon=":material/play_arrow:"
    ):
        try:
            state.select("job", launching.resume(state.workspace(), job.id).id)
        except WbcError as error:  # its prepared set may be gone, or the GPU that it needs
            st.error(plain(str(error)))
        else:
            st.rerun()


def standing(job: Job) -> str:
    """Where an active job stands, or what keeps it from starting, as Markdown."""
    if job.state == "queued":
        if not queue.live_workers(state.workspace()):
            return _NO_WORKER
        if job.paused or order.queue_is_paused(state.workspace()):
            return "Paused."
    return plain(job.message) or "Waiting for a worker."


def _body(job_id: str, title: str | None) -> str:
    try:
        job = queue.get_job(state.workspace(), job_id)
    except WbcError as error:
        st.warning(plain(str(error)))
        return "failed"
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{title or job.kind.capitalize()}** {badge(job)}", width="stretch")
            _buttons(job)
        done = 1.0 if job.state == "succeeded" else min(1.0, max(0.0, job.progress))
        st.progress(done, text=standing(job))
        st.caption(facts(job))
        if job.state == "running":
            st.caption(usage(job))
        if job.error:
            st.error(plain(job.error), icon=":material/error:")
        job_log(job.id)
    return job.state


def job_panel(job_id: str, *, title: str | None = None) -> Job | None:
    """Draw a job: state, progress, time left, cancel or resume, log. Polls once a second while it is active.

    When the job ends, the whole page is drawn anew, so that its result shows.

    Args:
        job_id: Id of the job.
        title: What the job does, in words; its kind by default.

    Returns:
        The job as it stood when the page was drawn; None where there is no such job.
    """
    try:
        job = queue.get_job(state.workspace(), job_id)
    except WbcError:
        job = None
    active = job is not None and job.state not in TERMINAL_STATES

    def poll() -> None:
        if _body(job_id, title) in TERMINAL_STATES and active:
            st.rerun()

    st.fragment(poll, run_every=1.0 if active else None)()
    return job
