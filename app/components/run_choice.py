"""Choosing runs on the Results pages: one run or several, by the URL and by what is there."""

import streamlit as st

from app import results_cache, state
from app.components.page import empty, require_dataset
from app.components.results_text import share
from wbc_core.training.runs import Run

_AT_FIRST = 6


def run_label(run: Run) -> str:
    """A run in one line: backbone, validation accuracy, id."""
    unfinished = "" if run.finished else " · not finished"
    return f"{run.backbone} · validation {share(run.val_accuracy)}{unfinished} · {run.id}"


def runs_or_empty(message: str) -> list[Run]:
    """The runs of the current data set; without any the empty state is drawn and the page ends.

    Args:
        message: What the page will show once there is a run.
    """
    dataset = require_dataset()
    runs = results_cache.runs_of(dataset, state.current("run"))
    if not runs:
        empty(f"No run has finished an epoch yet. {message}", label="Launch a training", view="launch")
        st.stop()
    return runs


def _choose() -> None:
    state.select("run", st.session_state["run_picker"])


def choose_run(message: str) -> Run:
    """Draw the choice of one run, the newest where the URL names none.

    Args:
        message: What the page will show once there is a run.
    """
    runs = {run.id: run for run in runs_or_empty(message)}
    if state.current("run") not in runs:
        state.select("run", next(iter(runs)))
    chosen = state.current("run")
    st.session_state["run_picker"] = chosen
    st.selectbox(
        "Run",
        list(runs),
        format_func=lambda run_id: run_label(runs[run_id]),
        key="run_picker",
        on_change=_choose,
        width=560,
    )
    return runs[chosen]


def choose_runs(message: str) -> list[Run]:
    """Draw the choice of several runs; the newest runs of one split where the URL names none.

    Args:
        message: What the page will show once there are runs.
    """
    runs = {run_label(run): run for run in runs_or_empty(message)}
    newest = next((run for run in runs.values() if run.id == state.current("run")), next(iter(runs.values())))
    split = state.current("split") or newest.split
    here = [label for label, run in runs.items() if run.split == split]
    chosen = st.multiselect(
        "Runs",
        list(runs),
        default=here[:_AT_FIRST],
        key="runs",
        bind="query-params",
        placeholder="Choose at least two runs of one split",
    )
    return [runs[label] for label in chosen]
