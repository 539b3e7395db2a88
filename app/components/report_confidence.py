"""Whether a run knows when it is wrong: calibration, what goes to a person, the errors it was surest of."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import results_cache, state
from app.components import charts, charts_confidence
from app.components.job_panel import job_button
from app.components.page import thousands
from app.components.report_decisions import decide_on
from app.components.report_images import FILE_NOT_KEPT
from app.components.results_text import decimals, number, share, share_with_interval
from wbc_core.evaluation import browsing
from wbc_core.evaluation.calibration import BINNINGS
from wbc_core.training.runs import Run
from wbc_core.wording import counted

BINNING_NAMES = {"equal_width": "Equal width", "equal_mass": "Equal mass"}
_FIGURES = {
    "log_loss": "Log loss (nats)",
    "brier_score": "Brier score (0 to 2)",
    "ece": "Calibration error, equal width",
    "ece_equal_mass": "Calibration error, equal mass",
}
_MOST_SENT = 50


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw the calibration of a report, its reject option and its most confident errors."""
    figures = results_cache.confidence(run.id, name)
    reliability, rejecting = st.columns(2, gap="large")
    with reliability:
        st.subheader("Is it as sure as it is right?", anchor=False)
        _calibration(run, report, figures)
    with rejecting:
        st.subheader("What if a person looks at the least certain?", anchor=False)
        _reject_option(figures)
    st.subheader("Most confident errors", anchor=False)
    if report["part"] == "file":
        st.markdown(FILE_NOT_KEPT)
    else:
        _confident_errors(report, name)


def _calibration(run: Run, report: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """Draw the reliability diagram before and after the temperature, and the figures of both."""
    binning = state.choose_view("Bins", "bins", {name: BINNING_NAMES[name] for name in BINNINGS})
    before, after = figures["before"], figures["after"]
    series = {"As trained": before["reliability"][binning]}
    if after:
        series["With temperature"] = after["reliability"][binning]
    charts.draw(charts_confidence.reliability(series), key="reliability")
    st.caption("On the dashed line a confidence of 80 % is right 80 times in 100. Below it: too sure.")
    st.markdown(temperature_in_words(report, figures))
    if figures["temperature"] is None and figures["temperature_images"] == 0:
        spec = {"run": run.id, "tta": report["tta"]}
        if job_button("Predict the validation images", "evaluate", spec, icon=":material/grading:"):
            st.rerun()
        return
    columns = {"As trained": before} | ({"With temperature": after} if after else {})
    table = {
        title: {
            column: (share if name.startswith("ece") else decimals)(values[name])
            for column, values in columns.items()
        }
        for name, title in _FIGURES.items()
    }
    st.table(pd.DataFrame.from_dict(table, orient="index"), border="horizontal")
    if change := figures["change"]:
        st.caption(
            "Temperature minus as trained, with 95 % intervals of a paired bootstrap: log loss "
            f"{_signed(change['log_loss'], change['log_loss_ci'])}, Brier score "
            f"{_signed(change['brier_score'], change['brier_score_ci'])}. Lower is better."
        )


def _signed(value: float, ends: tuple[float, float]) -> str:
    return f"{value:+.4f} ({ends[0]:+.4f} to {ends[1]:+.4f})"


def temperature_in_words(report: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """What the temperature says of the run, and where it comes from."""
    value = figures["temperature"]
    images = thousands(figures["temperature_images"])
    if value is None:
        if figures["temperature_images"] == 0:
            return (
                "No temperature: this model has not predicted the validation images, which it is fitted on."
            )
        return f"No temperature: {figures['temperature_undefined']}."
    verdict = "too sure" if value > 1 else "not sure enough"
    fitted = f"**Temperature {number(value)}**, fitted on {images} validation images: the run is {verdict}."
    if report.get("shift"):
        return f"{fitted} It is fitted on images as they are, not on shifted ones."
    if report["part"] == "file":
        return f"{fitted} The figures after it are fair as far as the file holds none of these images."
    if report["part"] == "validation":
        return (
            f"{fitted} These are those images, so no honest figure after it can be had here; a test part or "
            "a file has one. Predict uses it."
        )
    return f"{fitted} No image of this report took part in it."


def _reject_option(figures: Mapping[str, Any]) -> None:
    """Draw the risk-coverage curve and what becomes of the accuracy at a chosen share."""
    percent = st.slider(
        "Pictures sent to a person (%)", 0, _MOST_SENT, 5, format="%d %%", key="sent", bind="query-params"
    )
    entry = figures["reject_option"][percent]
    charts.draw(charts_confidence.risk_coverage(figures["risk_coverage"], entry), key="risk-coverage")
    st.markdown(reject_in_words(entry))
    chosen = (
        "The threshold was chosen on the validation images, so the share sent here may differ."
        if figures["threshold_chosen_on"] == "validation"
        else "The threshold was chosen on these very images, so the figures are a little hopeful."
    )
    st.caption(
        f"{chosen} Area under this curve (AURC): {decimals(figures['aurc'], figures['aurc_ci'])}; lower is "
        "better."
    )


def reject_in_words(entry: Mapping[str, Any]) -> str:
    """The reject option at one share, as a sentence.

    Example:
        >>> reject_in_words({"share": 0.05, "sent": 10, "kept": 0, "accuracy": None})
        'Every picture goes to a person.'
    """
    if entry["accuracy"] is None:
        return "Every picture goes to a person."
    errors = entry["errors_sent"] + entry["errors_kept"]
    return (
        f"Send {share(entry['share'])} to a person: accuracy of the rest becomes "
        f"**{share_with_interval(entry['accuracy'], entry['accuracy_ci'])}**. "
        f"Confidence below {share(entry['threshold'])} goes: {counted(entry['sent'], 'picture')} here "
        f"({share(entry['sent_share'])}), with {thousands(entry['errors_sent'])} of the {thousands(errors)} "
        "errors."
    )


def _confident_errors(report: Mapping[str, Any], name: str) -> None:
    """Draw the errors of which the model was surest."""
    images = browsing.confident_errors(results_cache.report_predictions(report["run"], name))
    if images.empty:
        st.markdown(":gray[Every image was named right.]")
        return
    decide_on(report, name, images, key="errors", height=400)
