"""Report: what one run gets right, where it fails, and on which images."""

import json

import streamlit as st

from app import results_cache, state
from app.components import (
    figure_format,
    report_again,
    report_classes,
    report_confidence,
    report_confusions,
    report_export,
    report_headline,
    report_mixups,
    report_origin,
    report_robustness,
    report_slices,
    report_why,
)
from app.components.job_panel import current_job, job_button, job_panel
from app.components.page import begin, link
from app.components.run_choice import choose_run
from wbc_core.evaluation import browsing, reports

# One section is drawn at a time, so that the page answers at once however much there is to show.
SECTIONS = {
    "confusions": ("Confusions", report_confusions.draw),
    "classes": ("Classes", report_classes.draw),
    "confidence": ("Confidence", report_confidence.draw),
    "why": ("Why", report_why.draw),
    "robustness": ("Robustness", report_robustness.draw),
    "slices": ("Slices", report_slices.draw),
    "mixups": ("Cost of mix-ups", report_mixups.draw),
    "origin": ("Cost and origin", report_origin.draw),
    "again": ("Train again", report_again.draw),
    "export": ("Export", report_export.draw),
}

JOBS = {
    "evaluate": "Evaluating the run",
    "robustness": "Evaluating under shifts",
    "slices": "Finding slices",
    "latency": "Timing the model",
    "explain": "Explaining images",
}

begin("Report", "See what a run gets right, where it fails, and on which images.")
run = choose_run("Its report will show the scores of each class and the images behind every error.")
workspace = state.workspace()

job = current_job()
if job is not None and job.kind in JOBS and job.spec["run"] == run.id and job.state != "succeeded":
    job_panel(job.id, title=JOBS[job.kind])

names = reports.list_reports(workspace, run.id)
if not names:
    st.markdown(
        "This run has no report yet. Evaluating it predicts the held-out images and scores every class."
    )
    if job_button("Evaluate", "evaluate", {"run": run.id}, type="primary", icon=":material/grading:"):
        st.rerun()
    st.stop()

# Reports under a shift are opened from Robustness; listed here they would fill lines.
asked = st.session_state.get("part") or st.query_params.get("part")
listed = [name for name in names if name == asked or not reports.is_shifted(name)] or names[:1]
name = listed[0]
if asked not in listed:
    st.session_state.pop("part", None)
if len(listed) > 1:
    name = st.segmented_control(
        "Evaluated on",
        listed,
        default=None if asked in listed else name,
        required=True,
        key="part",
        bind="query-params",
        format_func=lambda part: (
            part.replace("-tta", ", averaged views").replace("-", ", ", 1).replace("-", " ")
        ),
    )
report = results_cache.report(run.id, name)
if reports.is_outdated(workspace, run.id, name):
    st.warning("The model was trained further after this report.", icon=":material/history:")
    again = {key: report[key] for key in ("run", "tta", "shift", "strength") if key in report}
    known = report["part"] != "file"
    if known and job_button("Evaluate again", "evaluate", again, icon=":material/grading:"):
        st.rerun()

report_headline.draw(report)
if report.get("shift"):
    st.caption("The run was shown shifted images; pictures on this page are as they are in the data set.")
section = state.choose_view("Section", "section", {key: title for key, (title, _) in SECTIONS.items()})
SECTIONS[section][1](run, report, name)

with st.container(horizontal=True):
    st.download_button(
        "Download predictions",
        lambda: browsing.named_predictions(
            results_cache.report_predictions(run.id, name), report["classes"]
        ).to_csv(index=False),
        file_name=f"{run.id}-{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    st.download_button(
        "Download report",
        lambda: json.dumps(report, indent=2),
        file_name=f"{run.id}-{name}.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
    )
    link("compare", "Compare with other runs")
    figure_format.choose()
