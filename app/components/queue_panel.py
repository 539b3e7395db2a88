"""The waiting jobs in the order in which they will start: move, pause, start and cancel them."""

from collections.abc import Callable

import streamlit as st

from app import state
from app.components.job_facts import badge
from app.components.job_table import describe
from app.formatting import plain
from wbc_core.errors import WbcError
from wbc_core.jobs import order, queue
from wbc_core.records import PRIORITIES, Job

REFRESH_SECONDS = 2.0
_SHOWN = 20


def _act(act: Callable[..., object], *arguments: object) -> None:
    try:
        act(state.workspace(), *arguments)
    except WbcError as error:  # the job has started in the meantime
        st.toast(plain(str(error)), icon=":material/info:")


def _button(label: str, icon: str, key: str, act: Callable[..., object], *arguments: object) -> None:
    pressed = st.button(label, key=key, icon=f":material/{icon}:", type="tertiary")
    if pressed:
        _act(act, *arguments)
        st.rerun()


def pause_button(waiting: int) -> None:
    """Draw the switch of the whole queue, and say that it stands still where it does."""
    if order.queue_is_paused(state.workspace()):
        st.info(
            "The queue is paused: nothing further starts. What runs goes on.", icon=":material/pause_circle:"
        )
        _button("Start the queue", "play_arrow", "queue-start", order.start_queue)
    elif waiting:
        _button("Pause the queue", "pause", "queue-pause", order.pause_queue)


def _priority(job: Job) -> None:
    key = f"priority-{job.id}"
    state.tell_widget(key, job.priority)  # it may have been changed elsewhere

    def change() -> None:
        _act(order.set_priority, job.id, st.session_state[key])

    st.selectbox(
        "Priority",
        PRIORITIES,
        key=key,
        format_func=str.capitalize,
        on_change=change,
        label_visibility="collapsed",
        width=110,
    )


def _row(place: int, job: Job, first: bool, last: bool) -> None:
    """Draw a waiting job; it is the first or the last of its priority."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", border=True):
        st.markdown(
            f"{place}. **{plain(describe(job))}** {badge(job)} :small[:gray[{job.id}]]", width="stretch"
        )
        if not first:
            _button("First", "vertical_align_top", f"first-{job.id}", order.move, job.id, "first")
            _button("Up", "arrow_upward", f"up-{job.id}", order.move, job.id, "up")
        if not last:
            _button("Down", "arrow_downward", f"down-{job.id}", order.move, job.id, "down")
        if job.paused:
            _button("Start", "play_arrow", f"start-{job.id}", order.start, job.id)
        else:
            _button("Pause", "pause", f"pause-{job.id}", order.pause, job.id)
        _button("Cancel", "stop_circle", f"queue-cancel-{job.id}", queue.cancel, job.id)
        _priority(job)


def queue_panel() -> None:
    """Draw the waiting jobs; when one starts or another comes, the whole page is drawn anew."""
    drawn = order.waiting_jobs(state.workspace())
    if drawn:
        st.subheader("Waiting, in this order", anchor=False)
    pause_button(len(drawn))

    def poll() -> None:
        waiting = order.waiting_jobs(state.workspace())
        if {job.id for job in waiting} != {job.id for job in drawn}:
            st.rerun()
        for place, job in enumerate(waiting[:_SHOWN]):
            before, after = waiting[:place][-1:], waiting[place + 1 :][:1]
            first, last = (
                not any(other.priority == job.priority for other in end) for end in (before, after)
            )
            _row(place + 1, job, first, last)
        if len(waiting) > _SHOWN:
            st.caption(f"and {len(waiting) - _SHOWN} more")

    if drawn:
        st.fragment(poll, run_every=REFRESH_SECONDS)()
