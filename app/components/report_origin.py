"""What a run costs, the figures that a specialist asks for, and where everything comes from."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.components.page import plain, seconds, thousands
from app.components.results_text import decimals, megabytes, share_with_interval
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
    costs = {
        "Parameters": thousands(report["parameters"]),
        "Model file": megabytes(report["file_size_bytes"]),
        "Training time": seconds(report["training_seconds"]),
        "Evaluation time": seconds(report["seconds"]),
    }
    sources = ("run", "dataset", "split", "prepared", "model_sha256", "file", "file_sha256", "created")
    origin = {name.replace("_", " "): report[name] for name in sources if name in report}
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
        st.subheader("What it costs", anchor=False)
        st.table(pd.Series(costs, name="value"), border="horizontal")
        st.subheader("Where they come from", anchor=False)
        st.table(pd.Series(origin, name="record"), border="horizontal")
