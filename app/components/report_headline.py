"""The head of the Report page: the figures that a reader asks for first, each with its interval."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.components import leaky
from app.components.page import thousands
from app.components.results_text import CHOSEN_ON_VALIDATION, interval, share, share_with_interval
from wbc_core.wording import counted


def draw(report: Mapping[str, Any]) -> None:
    """Draw the figures that a reader asks for first, each with its interval."""
    undefined = report["undefined"]
    leaky.mark(report.get("leaky", False))
    with st.container(horizontal=True, gap="medium"):
        for name, title, note in (
            ("accuracy", "Accuracy", "Share of images whose class was named. Interval: Wilson, 95 %."),
            ("macro_f1", "Macro-F1", "Mean of the classes' F1. Interval: stratified bootstrap, 95 %."),
        ):
            st.metric(
                title,
                share(report[name]),
                interval(report[f"{name}_ci"]) or None,
                delta_color="off",
                delta_arrow="off",
                help=note + (f" Undefined: {undefined[name]}." if name in undefined else ""),
                width="content",
            )
        st.metric(
            "Calibration error",
            share(report["ece"]),
            f"{share(report['ece_equal_mass'])} in bins of equal mass",
            delta_color="off",
            delta_arrow="off",
            help="Expected calibration error, 15 bins of equal width: how far confidence is from accuracy.",
            width="content",
        )
        st.metric(
            "Images",
            thousands(report["images"]),
            f"{report['part']} part" + (", averaged views" if report["tta"] else ""),
            delta_color="off",
            delta_arrow="off",
            width="content",
        )
    if "leaky_held_out" in report:
        order = report["leaky_held_out"]
        st.caption(
            "These figures are of real images only. Held out as the source report did, with "
            f"{counted(order['synthetic'], 'synthetic image')} among {thousands(order['images'])}, "
            f"accuracy is {share_with_interval(order['accuracy'], order['accuracy_ci'])}."
        )
    if report["part"] == "validation":
        st.caption(CHOSEN_ON_VALIDATION)
