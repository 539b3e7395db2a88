"""Whether a run knows when it is wrong: calibration, and the errors of which it was surest."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import results_cache
from app.components import charts, charts_results
from app.components.report_decisions import decide_on
from app.components.report_images import FILE_NOT_KEPT
from wbc_core.evaluation import browsing
from wbc_core.evaluation.calibration import BINNINGS
from wbc_core.training.runs import Run

BINNING_NAMES = {"equal_width": "Equal width", "equal_mass": "Equal mass"}


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw the calibration of a report and its most confident errors."""
    reliability, errors = st.columns(2, gap="large")
    with reliability:
        st.subheader("Does it know when it is wrong?", anchor=False)
        _calibration(report)
    with errors:
        st.subheader("Most confident errors", anchor=False)
        if report["part"] == "file":
            st.markdown(FILE_NOT_KEPT)
        else:
            _confident_errors(report, name)


def _calibration(report: Mapping[str, Any]) -> None:
    """Draw the reliability diagram."""
    binning = st.segmented_control(
        "Bins",
        list(BINNINGS),
        format_func=BINNING_NAMES.get,
        default="equal_width",
        required=True,
        key="bins",
        bind="query-params",
        label_visibility="collapsed",
    )
    charts.draw(charts_results.reliability(report["reliability"][binning]), key="reliability")
    st.caption("On the dashed line a confidence of 80 % is right 80 times in 100. Below it: too sure.")


def _confident_errors(report: Mapping[str, Any], name: str) -> None:
    """Draw the errors of which the model was surest."""
    images = browsing.confident_errors(results_cache.report_predictions(report["run"], name))
    if images.empty:
        st.markdown(":gray[Every image was named right.]")
        return
    decide_on(report, name, images, key="errors", height=400)
