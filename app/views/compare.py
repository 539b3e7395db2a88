"""Compare: runs of one split side by side, and whether a difference was shown."""

import streamlit as st

from app import results_cache, state
from app.components import (
    compare_charts,
    compare_confusions,
    compare_differences,
    compare_ensemble,
    compare_images,
    compare_published,
    figure_format,
)
from app.components.job_panel import current_job, job_button, job_panel
from app.components.page import begin, empty, link, plain
from app.components.run_choice import choose_runs
from wbc_core.errors import WbcError
from wbc_core.evaluation import reports
from wbc_core.evaluation.compare import apart_in_words
from wbc_core.export.comparison_files import comparison_text

# One section is drawn at a time, so that the page answers at once however many runs there are.
SECTIONS = {
    "differences": ("Differences", compare_differences.draw),
    "cost": ("Cost", compare_charts.draw_cost),
    "classes": ("Classes", compare_charts.draw_classes),
    "curves": ("Learning curves", compare_charts.draw_curves),
    "confusions": ("Confusions", compare_confusions.draw),
    "ensemble": ("Ensemble", compare_ensemble.draw),
    "images": ("Disagreements", compare_images.draw),
    "published": ("Published", compare_published.draw),
}

begin("Compare", "Put runs side by side, and see whether a difference between them was shown.")
chosen = choose_runs("A comparison will test every pair of runs on the same held-out images.")
workspace = state.workspace()

job = current_job()
if job is not None and job.kind == "evaluate" and job.state != "succeeded":
    job_panel(job.id, title="Evaluating a run")
missing = [run for run in chosen if not reports.list_reports(workspace, run.id)]
for run in missing:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(run.backbone)}** {run.id} has no report yet.", width="content")
        if job_button(
            "Evaluate", "evaluate", {"run": run.id}, key=f"evaluate-{run.id}", icon=":material/grading:"
        ):
            st.rerun()
compared = [run for run in chosen if run not in missing]
if len(compared) < 2:
    empty(
        "A comparison needs two runs with reports. Choose them above, or train another backbone on the same "
        "prepared set.",
        label="Launch a training",
        view="launch",
    )
    st.stop()
try:
    comparisons = results_cache.comparisons(tuple(run.id for run in compared))
except WbcError as error:
    st.warning(plain(str(error)), icon=":material/call_split:")
    st.stop()

section = state.choose_view("Section", "section", {key: title for key, (title, _) in SECTIONS.items()})
if len(comparisons) > 1:
    st.markdown(f":material/call_split: {plain(apart_in_words(comparisons))}")
for number, comparison in enumerate(comparisons):
    if len(comparisons) > 1:
        st.subheader(f"Split {comparison['split']}", anchor=False)
    if len(comparison["runs"]) == 1:
        st.markdown(f"{plain(comparison['runs'][0]['name'])} is the only chosen run on this split.")
    else:
        SECTIONS[section][1](comparison, f"-{number}" if number else "")

FILES = {"html": "Download as HTML", "tex": "Download LaTeX tables", "csv": "Download CSV"}
with st.container(horizontal=True):
    for kind, label in FILES.items():
        st.download_button(
            label,
            lambda kind=kind: comparison_text(workspace, comparisons, kind),
            file_name=f"comparison.{kind}",
            icon=":material/download:",
            on_click="ignore",
        )
    figure_format.choose()
link(
    "report",
    "Ask what cleaning or SMOTE bought",
    icon=":material/science:",
    query={"section": "again"},
)
