"""One job on a page: where it stands, and the buttons to stop it, start it again and read its log."""

from datetime import datetime
from typing import Any

import streamlit as st

from app import state
from app.components.page import plain, seconds
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.records import TERMINAL_STATES, Job
from wbc_core.workspace import now

_BADGES = {
    "queued": ("gray", ":material/schedule:"),
    "running": ("violet", ":material/sync:"),
    "succeeded": ("green", ":material/check_circle:"),
    "failed": ("red", ":material/error:"),
    "cancelled": ("gray", ":material/block:"),
}

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


def badge(job_state: str) -> str:
    """The state of a job as a coloured badge, in Markdown."""
    colour, icon = _BADGES[job_state]
    return f":{colour}-badge[{icon} {job_state}]"


def elapsed(job: Job) -> float | None:
    """Seconds since the job started, until it finished; None before it started."""
    if job.started is None:
        return None
    return (
        datetime.fromisoformat(job.finished or now()) - datetime.fromisoformat(job.started)
    ).total_seconds()


def remaining(job: Job) -> float | None:
    """Seconds still to go at the pace so far; None while there is no pace yet."""
    spent = elapsed(job)
    if job.state != "running" or not spent or job.progress < 0.02:
        return None
    return spent * (1 - job.progress) / job.progress


def _facts(job: Job) -> str:
    facts = [
        f"{seconds(elapsed(job))} so far" if job.state == "running" else "",
        f"about {seconds(round(left))} left" if (left := remaining(job)) else "",
        f"took {seconds(elapsed(job))}" if job.state in TERMINAL_STATES and job.started else "",
        f"on {job.device}" if job.device else "",
        f"attempt {job.attempts}" if job.attempts > 1 else "",
        job.id,
    ]
    return " · ".join(fact for fact in facts if fact)


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
        state.select("job", queue.resume(state.workspace(), job.id).id)
        st.rerun()


def _body(job_id: str, title: str | None) -> str:
    try:
        job = queue.get_job(state.workspace(), job_id)
    except WbcError as error:
        st.warning(plain(str(error)))
        return "failed"
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{title or job.kind.capitalize()}** {badge(job.state)}", width="stretch")
            _buttons(job)
        done = 1.0 if job.state == "succeeded" else min(1.0, max(0.0, job.progress))
        idle = job.state == "queued" and not queue.live_workers(state.workspace())
        st.progress(done, text=_NO_WORKER if idle else plain(job.message) or "Waiting for a worker.")
        st.caption(_facts(job))
        if job.error:
            st.error(plain(job.error), icon=":material/error:")
        with st.expander("Log", icon=":material/notes:"):
            st.code(
                queue.read_log(state.workspace(), job.id) or "Nothing written yet.", language=None, height=240
            )
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
