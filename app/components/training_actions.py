"""What can follow a training: a clone with changes, half the batch, more epochs; and what differs in it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import streamlit as st

from app import state
from app.formatting import plain
from app.pages import PAGES
from wbc_core.augment.prepare import load_prepared
from wbc_core.errors import WbcError
from wbc_core.jobs import clones
from wbc_core.records import Job
from wbc_core.wording import counted


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def training_differences(job: Job) -> None:
    """Say how a training's settings differ from those of the job that it was made from."""
    earlier = clones.origin(job)
    if earlier is None:
        return
    changed = [
        f"{name} {_written(before)} → {_written(after)}"
        for name, (before, after) in clones.differences(state.workspace(), job).items()
    ]
    told = f"Differs from {earlier}: {', '.join(changed)}" if changed else f"Settings as in {earlier}"
    st.caption(f":material/difference: {plain(told)}")


def _clone(job: Job) -> None:
    with suppress(WbcError):  # the Launch page says what is missing
        prepared = load_prepared(state.workspace(), job.spec["prepared"])
        for kind, identifier in (
            ("dataset", prepared.dataset),
            ("split", prepared.split),
            ("prepared", prepared.id),
        ):
            state.select(kind, identifier)
    state.clone({**clones.launched_spec(state.workspace(), job), "clones": job.id}, f"run {job.id}")
    st.switch_page(PAGES["launch"].script, query_params=state.link_parameters())


def _queue(make: Callable[..., Job], *arguments: object) -> None:
    try:
        state.select("job", make(state.workspace(), *arguments).id)
    except WbcError as error:  # its prepared set may be gone
        st.error(plain(str(error)))
        return
    st.rerun()


def _learning_rate_ahead(job: Job, epochs: int) -> None:
    """Say what the schedule does to the learning rate of the longer run."""
    try:
        st.caption(plain(clones.foresee_continuation(state.workspace(), job.id, epochs)))
    except WbcError as error:  # its files may be damaged
        st.error(plain(str(error)))


def _continue(job: Job, further: clones.Continuation) -> None:
    with st.popover("Continue with more epochs", icon=":material/add_circle:"):
        epochs = st.number_input(
            "Epochs in all",
            min_value=further.had + 1,
            max_value=clones.MOST_EPOCHS,
            value=min(max(further.had + 10, further.planned), clones.MOST_EPOCHS),
            key=f"epochs-{job.id}",
        )
        if further.waited:
            st.caption(
                f"Nothing of its patience was left after {counted(further.had, 'epoch')}; it gets as much "
                f"again, {further.patience} in all."
            )
        _learning_rate_ahead(job, int(epochs))
        if st.button("Queue the longer run", type="primary", key=f"continue-{job.id}"):
            _queue(clones.continue_run, job.id, int(epochs))


def training_actions(job: Job) -> None:
    """Draw the buttons that make a new training of this one.

    Args:
        job: The training, as it stood when the page was drawn.
    """
    with st.container(horizontal=True, gap="small"):
        if st.button("Clone with changes", icon=":material/content_copy:", key=f"clone-{job.id}"):
            _clone(job)
        if clones.ran_out_of_memory(state.workspace(), job) and st.button(
            "Retry with half the batch",
            icon=":material/memory:",
            key=f"half-{job.id}",
            type="primary",
            help="With twice the accumulation, so the same steps; it goes on after its last finished epoch.",
        ):
            _queue(clones.retry_with_half_batch, job.id)
        further = clones.continuation(state.workspace(), job)
        if further is not None:
            _continue(job, further)
