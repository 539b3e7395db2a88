"""Choosing runs on the Results pages: one run or several, by the URL and by what is there."""

import streamlit as st

from app import cache_studies, results_cache, state
from app.components.page import empty, plain, require_dataset
from app.components.results_text import share
from wbc_core.training.runs import Run, load_run

_AT_FIRST = 6
_RUNS = "runs"


def run_label(run: Run) -> str:
    """A run in one line: backbone, validation accuracy, id."""
    unfinished = "" if run.finished else " · not finished"
    raw = " · on raw images" if cache_studies.is_raw(run.split) else ""
    return f"{run.backbone} · validation {share(run.val_accuracy)}{unfinished}{raw} · {run.id}"


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
    chosen = load_run(state.workspace(), st.session_state["run_picker"])
    for kind, identifier in (("split", chosen.split), ("prepared", chosen.prepared), ("run", chosen.id)):
        state.select(kind, identifier, keep_below=True)


def choose_run(message: str) -> Run:
    """Draw the choice of one run, the newest where the URL names none.

    Args:
        message: What the page will show once there is a run.
    """
    runs = {run.id: run for run in runs_or_empty(message)}
    wanted = state.current("run")
    if wanted not in runs:
        if wanted:
            told = f"This data set has no finished run {plain(wanted)}: its newest is shown."
            st.toast(told, icon=":material/link_off:", duration="long")
        state.select("run", next(iter(runs)))
    chosen = state.current("run")
    state.tell_widget("run_picker", chosen)
    st.selectbox(
        "Run",
        list(runs),
        format_func=lambda run_id: run_label(runs[run_id]),
        key="run_picker",
        on_change=_choose,
        width=560,
    )
    return runs[chosen]


def _remember_runs() -> None:
    st.query_params[_RUNS] = ",".join(st.session_state["runs_picker"])


def add_run(run_id: str) -> None:
    """Add a run to those that `choose_runs` offers as chosen, from the next run of the page on."""
    chosen = [*st.session_state.get("runs_picker", ()), run_id]
    st.query_params[_RUNS] = ",".join(dict.fromkeys(chosen))


def choose_runs(message: str) -> list[Run]:
    """Draw the choice of several runs; the newest finished runs of one split where the URL names none.

    Args:
        message: What the page will show once there are runs.
    """
    runs = {run.id: run for run in runs_or_empty(message)}
    if _RUNS in st.query_params:
        chosen = [run_id for run_id in st.query_params[_RUNS].split(",") if run_id in runs]
    else:
        newest = runs.get(state.current("run") or "", next(iter(runs.values())))
        split = state.current("split") or newest.split
        chosen = [run.id for run in runs.values() if run.split == split and run.finished][:_AT_FIRST]
    state.tell_widget("runs_picker", list(dict.fromkeys(chosen)))
    st.multiselect(
        "Runs",
        list(runs),
        format_func=lambda run_id: run_label(runs[run_id]),
        key="runs_picker",
        on_change=_remember_runs,
        placeholder="Choose at least two runs, best of one split",
    )
    return [runs[run_id] for run_id in st.session_state["runs_picker"]]
