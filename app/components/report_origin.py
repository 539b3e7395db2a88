"""What a run costs, the figures that a specialist asks for, and where everything comes from."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.components.job_panel import job_button
from app.components.page import plain, seconds, thousands
from app.components.results_text import decimals, megabytes, millions, milliseconds, share_with_interval
from wbc_core.evaluation.latency import foreseen_macs, load_latency
from wbc_core.training.runs import Run

FIGURES = {
    "balanced_accuracy": ("Balanced accuracy (macro recall)", share_with_interval),
    "macro_precision": ("Macro precision", share_with_interval),
    "weighted_precision": ("Weighted precision", share_with_interval),
    "weighted_f1": ("Weighted F1", share_with_interval),
    "macro_auc": ("Macro AUC", decimals),
    "macro_average_precision": ("Macro average precision", decimals),
    "matthews_correlation": ("Matthews correlation", decimals),
    "cohen_kappa": ("Cohen's kappa", decimals),
    "log_loss": ("Log loss (nats)", decimals),
    "brier_score": ("Brier score (0 to 2)", decimals),
}


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw what the run costs, further figures and their origin."""
    figures = {title: write(report[name], report[f"{name}_ci"]) for name, (title, write) in FIGURES.items()}
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Figures", anchor=False)
        st.table(pd.Series(figures, name="value (95 % interval)"), border="horizontal")
        st.caption(
            "Macro: each class counts once, but for classes without the score. Weighted: each class counts "
            "as often as it has images. Brier score: squared errors summed over the classes. Intervals: a "
            "bootstrap of 2,000 draws within each class."
        )
        for figure, why in report["undefined"].items():
            if figure in FIGURES:
                st.caption(f":material/info: {plain(FIGURES[figure][0])} is undefined: {why}.")
    with right:
        _costs(run, report)
        _origin(report)


def _costs(run: Run, report: Mapping[str, Any]) -> None:
    """Draw what training, the model file and a prediction cost; latency by a job where nobody measured."""
    latency = load_latency(state.workspace(), run.id)
    macs = latency["macs"] if latency else foreseen_macs(run)
    costs = {
        "Parameters": thousands(report["parameters"]),
        "Multiply-accumulates an image": millions(macs),
        "Model file": megabytes(report["file_size_bytes"]),
        "Training time": seconds(report["training_seconds"]),
        "Evaluation time": seconds(report["seconds"]),
    }
    for size, timed in (latency["batches"] if latency else {}).items():
        title = "Time of one image" if size == "1" else f"Time of a batch of {size}"
        costs[title] = milliseconds(timed)
    st.subheader("What it costs", anchor=False)
    st.table(pd.Series(costs, name="value"), border="horizontal")
    if latency:
        machine, day = plain(latency["processor"]), plain(latency["created"][:10])
        st.caption(
            "Times: median of 100 calls, or of 5 seconds of them, and 95th percentile; from pixels in memory "
            f"to probabilities, on {machine} ({day}). Other work on the machine slows them down."
        )
    else:
        st.caption("How long a prediction takes on this machine has not been measured yet.")
    label = "Measure latency again" if latency else "Measure latency"
    if job_button(label, "latency", {"run": run.id}, icon=":material/timer:", key="latency"):
        st.rerun()


def _origin(report: Mapping[str, Any]) -> None:
    """Draw the records that the figures come from, checksums in full."""
    sources = ("run", "dataset", "split", "prepared", "file", "created")
    origin = {name.replace("_", " "): report[name] for name in sources if name in report}
    st.subheader("Where they come from", anchor=False)
    st.table(pd.Series(origin, name="record"), border="horizontal")
    for name, title in {"model_sha256": "SHA-256 of the model", "file_sha256": "SHA-256 of the file"}.items():
        if name in report:
            st.caption(title)
            st.code(report[name], language=None, wrap_lines=True)
