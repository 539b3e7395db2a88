"""How a run fares on shifted images: a curve, a table, the mean corruption error, a baseline run."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import results_cache, state
from app.components import charts, charts_robustness
from app.components.job_panel import job_button
from app.components.page import plain
from app.components.results_text import share_with_interval
from app.components.run_choice import run_label
from wbc_core.augment.shifts import SHIFTS, STRENGTHS
from wbc_core.evaluation import robustness
from wbc_core.evaluation.reports import is_shifted, list_reports, report_name
from wbc_core.evaluation.significance import points
from wbc_core.training.runs import Run

_VIEWS = {"single": "One view an image", "averaged": "Averaged views"}
_OPEN = "robustness-open"


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw accuracy against strength for every shift, and what is still to be evaluated."""
    summed = results_cache.robustness(run.id)
    view = state.choose_view(
        "Views",
        "views",
        _VIEWS,
        help="Averaged: over the flips and quarter turns of an image (test-time augmentation).",
    )
    found = summed["views"][view]
    _waiting(run, found, tta=robustness.VIEWS[view])
    if not found["shifts"]:
        return
    _headline(summed, view)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Accuracy against strength", anchor=False)
        shifts = {
            SHIFTS.get(shift).title: {int(strength): own for strength, own in figures.items()}
            for shift, figures in found["shifts"].items()
        }
        chart = charts_robustness.accuracy_by_strength(found["clean"], shifts, strengths=STRENGTHS)
        charts.draw(chart, key="robustness", alt="Accuracy against strength; the table below tells the same.")
    with right:
        _baseline(run, tta=robustness.VIEWS[view])
    _table(found)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "Download table",
            lambda: robustness.long_table(summed).to_csv(index=False),
            file_name=f"{run.id}-robustness.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        _open(run, summed["part"])


def _names(cells: list[dict[str, Any]]) -> str:
    """Cells in words, one shift after the other."""
    by_shift: dict[str, list[str]] = {}
    for cell in cells:
        by_shift.setdefault(SHIFTS.get(cell["shift"]).title, []).append(str(cell["strength"]))
    return "; ".join(f"{title} {', '.join(strengths)}" for title, strengths in by_shift.items())


def _waiting(run: Run, found: Mapping[str, Any], *, tta: bool) -> None:
    """Say which evaluations are missing or outdated, and offer to make them."""
    missing, outdated = found["missing"], found["outdated"]
    if outdated:
        st.warning(
            f"The model was trained further after these reports, which are left out: {_names(outdated)}.",
            icon=":material/history:",
        )
    number = len(missing) + len(outdated)
    if not number:
        return
    if not found["shifts"]:
        st.markdown(
            "This run has not been judged on shifted images yet: what another lamp, stain, focus or slide "
            f"does to it. That evaluates it {number} times" + (", each on 8 views." if tta else ".")
        )
    elif missing:
        st.caption(f"Not evaluated yet: {_names(missing)}.")
    kind = "primary" if not found["shifts"] else "secondary"
    label = f"Evaluate under {number} shifts and strengths"
    spec = {"run": run.id, "tta": tta}
    if job_button(label, "robustness", spec, key="robustness-job", type=kind, icon=":material/tune:"):
        st.rerun()


def _headline(summed: Mapping[str, Any], view: str) -> None:
    """Draw the mean corruption error, the accuracy without a shift and what averaging views changes."""
    found = summed["views"][view]
    evaluated = sum(map(len, found["shifts"].values()))
    every = evaluated + len(found["missing"]) + len(found["outdated"])
    error = share_with_interval(found["mean_corruption_error"], found["mean_corruption_error_ci"])
    lines = [f"**Mean corruption error:** {error}"]
    if clean := found["clean"]:
        told = share_with_interval(clean["accuracy"], clean["accuracy_ci"])
        lines.insert(0, f"**Accuracy without a shift:** {told}")
    if averaging := summed["averaging"]:
        change = points(averaging["difference"], averaging["difference_ci"])
        lines.append(
            f"**Averaging the views** changes the error by {change} points where both were evaluated "
            f"({len(averaging['cells'])} shifts and strengths)."
        )
    st.markdown("  \n".join(lines))
    st.caption(
        "Error: 1 - balanced accuracy, averaged over strengths and then over shifts as MedMNIST-C does, "
        f"from {evaluated} of {every} evaluations of the {summed['part']} part; in brackets 95 % intervals."
    )


def _baseline(run: Run, *, tta: bool) -> None:
    """Let a person choose a baseline run, and tell the errors relative to its own."""
    st.subheader("Against a baseline", anchor=False)
    others = {other.id: other for other in results_cache.runs_with_shifts(run)}
    st.caption(
        "MedMNIST-C divides by AlexNet's errors. Those are for other corruptions than these shifts, so the "
        "baseline here is a run of yours on the same images."
    )
    if not others:
        st.markdown(":gray[No other run of this split has been evaluated under a shift yet.]")
        return
    chosen = st.selectbox(
        "Baseline",
        list(others),
        format_func=lambda run_id: run_label(others[run_id]),
        key="baseline",
        bind="query-params",
    )
    compared = results_cache.robustness_against(run.id, chosen, tta)
    if compared is None:
        st.markdown(":gray[The two have no shift and strength in common with these views.]")
        return
    low, high = compared["difference_ci"] or (None, None)
    if low is None or low <= 0 <= high:
        verdict = "No difference shown"
    else:
        verdict = "This run withstands shifts better" if high < 0 else "The baseline withstands shifts better"
    st.markdown(
        f"**{verdict}.** Mean corruption error {share_with_interval(compared['mean_error'], None)}, of the "
        f"baseline {share_with_interval(compared['baseline_mean_error'], None)}; difference "
        f"{points(compared['difference'], compared['difference_ci'])} points, paired by image, over "
        f"{len(compared['cells'])} shifts and strengths."
    )
    ratios = {"ratio": "Relative error (BE)", "degradation_ratio": "Relative loss against clean (rBE)"}
    for figure, title in ratios.items():
        value = compared[figure]
        told = f"undefined: {plain(compared['undefined'][figure])}" if value is None else f"{value:.3f}"
        st.markdown(f"{title}: {told}")
    st.caption("Below 1 this run is better: its error divided by the baseline's, mean over shifts.")


def _table(found: Mapping[str, Any]) -> None:
    """Draw accuracy by shift and strength with intervals, and the error of each shift."""
    lines = []
    for shift, figures in found["shifts"].items():
        line = {"Shift": SHIFTS.get(shift).title}
        for strength in map(str, STRENGTHS):
            own = figures.get(strength)
            line[f"Strength {strength}"] = (
                share_with_interval(own["accuracy"], own["accuracy_ci"]) if own else "not evaluated"
            )
        line["Mean error"] = share_with_interval(found["shift_errors"][shift], None)
        lines.append(line)
    st.dataframe(pd.DataFrame(lines), hide_index=True)
    shown = [SHIFTS.get(shift) for shift in found["shifts"]]
    st.caption("  \n".join(f"{shift.title}: {shift.effect}" for shift in shown))


def _opened() -> None:
    st.session_state["part"] = st.session_state[_OPEN]
    st.session_state["section"] = "confusions"


def _open(run: Run, part: str) -> None:
    """Let a person open the report of one shift and strength in the other sections."""
    there = [name for name in list_reports(state.workspace(), run.id) if is_shifted(name)]
    titles = {
        report_name(part, tta=tta, shift=shift, strength=strength): (
            f"{SHIFTS.get(shift).title}, strength {strength}" + (", averaged views" if tta else "")
        )
        for tta in robustness.VIEWS.values()
        for shift, strength in robustness.chosen_cells(None, None)
    }
    st.selectbox(
        "Open its confusions and errors",
        [name for name in titles if name in there],
        index=None,
        format_func=titles.get,
        placeholder="Choose a shift and a strength",
        key=_OPEN,
        on_change=_opened,
        width=360,
    )
