"""One sweep on its page: where its trials stand, the best one, and the charts that compare them."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import state
from app.components import charts, charts_sweep
from app.components.job_panel import job_button, job_panel
from app.components.page import link, plain, thousands
from app.components.results_text import CHOSEN_ON_VALIDATION, share
from app.pages import PAGES
from wbc_core.backbones.registry import BACKBONES
from wbc_core.jobs import queue, sweep_importance
from wbc_core.jobs.sweep_results import (
    Sweep,
    SweepRun,
    best_trial,
    flat_table,
    summarise,
    sweep_runs,
)
from wbc_core.records import TERMINAL_STATES, Json
from wbc_core.training.settings import SETTINGS
from wbc_core.wording import counted

VIEW = "sweep_view"
SWEEP = "sweep"
REFRESH_SECONDS = 2.0
_SEARCHES = {"grid": "grid", "random": "random search", "tpe": "TPE with pruning"}


def _described(sweep: Sweep) -> str:
    varied = ", ".join(SETTINGS[name].title.lower() for name in sweep.space if name in SETTINGS)
    return (
        f"{BACKBONES.get(sweep.backbone).title}, {_SEARCHES[sweep.description['search']]} over "
        f"{varied or 'repeats'}, {sweep.created[:16].replace('T', ' ')} ({sweep.id})"
    )


def with_spread(mean: float | None, spread: float | None) -> str:
    """A share in per cent, and its standard deviation over the repeats.

    Example:
        >>> with_spread(0.932, 0.0041), with_spread(0.932, None), with_spread(None, None)
        ('93.2 ± 0.41 %', '93.2 %', '')
    """
    if mean is None:
        return ""
    return share(mean) if spread is None else f"{share(mean).removesuffix(' %')} ± {100 * spread:.2g} %"


def draw(sweeps: Sequence[Sweep]) -> None:
    """Draw the choice of a sweep, and the chosen one.

    Args:
        sweeps: Sweeps on the data set, newest first.
    """
    by_id = {sweep.id: sweep for sweep in sweeps}
    asked = st.session_state.get(SWEEP) or st.query_params.get(SWEEP)
    state.tell_widget(SWEEP, asked if asked in by_id else next(iter(by_id)))
    st.selectbox("Sweep", list(by_id), format_func=lambda name: _described(by_id[name]), key=SWEEP)
    chosen = by_id[st.session_state[SWEEP]]
    st.query_params[SWEEP] = chosen.id
    preparing = chosen.preparing
    if preparing and preparing.state != "succeeded":
        job_panel(preparing.id, title="Preparing the folds")
        if not chosen.jobs:
            return
    runs = sweep_runs(state.workspace(), chosen)
    summary = summarise(runs)
    _head(chosen, runs, summary)
    _trials(chosen, runs)
    ended = [entry for entry in summary if entry["val_accuracy"] is not None and entry["parameters"]]
    if len(ended) > 1 and chosen.space:
        _compared(chosen, ended)
        _importance(chosen, runs)


def _head(sweep: Sweep, runs: Sequence[SweepRun], summary: Sequence[Json]) -> None:
    best = best_trial(summary)
    finished = sum(run.accuracy is not None for run in runs)
    with st.container(horizontal=True, gap="medium"):
        st.metric("Trials", thousands(len(summary)), width="content")
        st.metric("Runs finished", f"{finished} of {len(runs)}", width="content")
        st.metric("Pruned", thousands(sum(run.state == "pruned" for run in runs)), width="content")
        if best:
            spread = with_spread(best["val_accuracy"], best["val_accuracy_sd"])
            st.metric("Best validation accuracy", spread, width="content")
    if best:
        settings = ", ".join(
            f"{SETTINGS[name].title.lower()} {charts_sweep.written(value)}"
            for name, value in best["parameters"].items()
        )
        st.markdown(
            f"Best so far: **trial {best['trial']}**" + (f", {plain(settings)}." if settings else ".")
        )
    with st.container(horizontal=True):
        if best and st.button(
            "Use these settings", type="primary", icon=PAGES["launch"].icon, key="sweep-use"
        ):
            _use(sweep, best)
        waiting = [run.job.id for run in runs if run.job.state == "queued"]
        if waiting and st.button(
            f"Cancel {counted(len(waiting), 'waiting run')}",
            icon=":material/stop_circle:",
            key="sweep-cancel",
        ):
            for job_id in waiting:
                queue.cancel(state.workspace(), job_id)
            st.rerun()
        st.download_button(
            "Download runs",
            lambda: flat_table(runs).to_csv(index=False),
            file_name=f"{sweep.id}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _use(sweep: Sweep, best: Json) -> None:
    """Open the Launch page with the settings of a trial, on the set that the sweep was asked for."""
    spec = next(job.spec for job in sweep.jobs if job.id == best["runs"][0])
    settings = {**spec, **best["parameters"], "prepared": sweep.prepared}
    state.clone(settings, f"trial {best['trial']} of sweep {sweep.id}")
    state.select("prepared", sweep.prepared)
    st.switch_page(PAGES["launch"].script, query_params=state.link_parameters())


def _trials(sweep: Sweep, runs: Sequence[SweepRun]) -> None:
    """The table of trials, which follows the runs; the page is drawn anew when one of them ends."""
    before = [run.state for run in runs]
    active = [run.job for run in runs if run.job.state not in TERMINAL_STATES]

    def poll() -> None:
        moved = {job.id: job for job in queue.get_jobs(state.workspace(), [job.id for job in active])}
        jobs = tuple(moved.get(job.id, job) for job in sweep.jobs)
        now = sweep_runs(state.workspace(), Sweep(**{**vars(sweep), "jobs": jobs}))
        _table(summarise(now))
        if [run.state for run in now] != before:
            st.rerun()

    st.subheader("Trials", anchor=False)
    if queue.nothing_moves(state.workspace(), active):
        st.caption("Waiting, but no worker is running: `make lab` or `wbc worker` starts one.")
    st.fragment(poll, run_every=REFRESH_SECONDS if active else None)()
    with st.container(horizontal=True):
        link("jobs", "Watch the runs on the Jobs page")
    st.caption(
        "Validation accuracy is that of each run's best epoch, and what TPE maximises; accuracy and "
        "macro-F1 are those of the held-out part. ± is the standard deviation over the repeats. "
        + CHOSEN_ON_VALIDATION
    )


def _table(summary: Sequence[Json]) -> None:
    repeated = any(len(entry["runs"]) > 1 for entry in summary)
    rows = [
        {
            "Trial": entry["trial"],
            "State": entry["state"],
            **{
                SETTINGS[name].title: charts_sweep.written(value)
                for name, value in entry["parameters"].items()
            },
            "Validation accuracy": with_spread(entry["val_accuracy"], entry["val_accuracy_sd"]),
            "Accuracy": with_spread(entry["accuracy"], entry["accuracy_sd"]),
            "Macro-F1": with_spread(entry["macro_f1"], entry["macro_f1_sd"]),
            "Epochs": entry["epochs"],
            **({"Runs": len(entry["runs"])} if repeated else {}),
        }
        for entry in summary
    ]
    table = pd.DataFrame(rows)
    last = [
        name for name in ("Validation accuracy", "Accuracy", "Macro-F1", "Epochs", "Runs") if name in table
    ]
    # The first trial may not have drawn its settings yet, which would then stand last.
    table = table[[name for name in table if name not in last] + last].fillna("")
    st.dataframe(table, hide_index=True, height=min(420, 38 + 35 * len(table)), key="sweep-trials-table")


def _compared(sweep: Sweep, ended: Sequence[Json]) -> None:
    names = list(sweep.space)
    varied = [name for name in names if len({entry["parameters"][name] for entry in ended}) > 1]
    if len(varied) > 1:
        st.subheader("Two settings", anchor=False)
        pair = varied[:2]
        if len(varied) > 2:
            chosen = st.pills(
                "Settings",
                varied,
                selection_mode="multi",
                default=pair,
                format_func=lambda name: SETTINGS[name].title,
                key="sweep-pair",
                help="Choose two; over the others the best is shown.",
            )
            pair = list(chosen)[:2] if len(chosen) > 1 else pair
        charts.draw(charts_sweep.two_settings(ended, pair[0], pair[1], sweep.space), key="sweep-heat")
    st.subheader("All settings at once", anchor=False)
    st.caption(
        "A line a trial, to its validation accuracy; drag along an axis to keep those that pass there."
    )
    charts.draw(charts_sweep.parallel(ended, names, sweep.space), key="sweep-parallel")


def _importance(sweep: Sweep, runs: Sequence[SweepRun]) -> None:
    st.subheader("Which settings matter", anchor=False)
    enough = len(sweep_importance.fitted_runs(list(runs))) >= sweep_importance.LEAST_RUNS
    last = sweep_importance.last_importance(state.workspace(), sweep)
    if last and last.result:
        charts.draw(charts_sweep.importance(last.result["importance"]), key="sweep-importance")
        st.caption(
            "Share of the variance of validation accuracy that each setting explains, by functional ANOVA "
            f"on {last.result['runs']} finished runs; pruned ones are left out."
        )
    elif last:
        job_panel(last.id, title="Telling which settings matter")
    elif not enough:
        st.caption(f"This can be told once {sweep_importance.LEAST_RUNS} runs have finished.")
    idle = last is None or last.state in TERMINAL_STATES
    if enough and idle:
        label = "Tell again" if last and last.result else "Tell which settings matter"
        spec = {"sweep": sweep.id}
        if job_button(label, sweep_importance.KIND, spec, key="sweep-tell", icon=":material/insights:"):
            st.rerun()
