"""What a run costs, the figures that a specialist asks for, and where everything comes from."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.components.page import seconds, thousands
from app.components.results_text import megabytes, share
from wbc_core.training.runs import Run


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw what the run costs, further figures and their origin."""
    figures = {
        "Balanced accuracy": share(report["balanced_accuracy"]),
        "Matthews correlation": _number(report["matthews_correlation"]),
        "Cohen's kappa": _number(report["cohen_kappa"]),
        "Log loss": f"{_number(report['log_loss'])} nats",
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
        st.table(pd.Series(figures, name="value"), border="horizontal")
    with right:
        st.subheader("Where they come from", anchor=False)
        st.table(pd.Series(origin, name="record"), border="horizontal")


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:#.3g}"
