"""Compare: runs of one split side by side, and whether a difference was shown."""

import streamlit as st

from app import results_cache, state
from app.components import compare_panels
from app.components.job_panel import job_button, job_panel
from app.components.page import begin, empty, plain
from app.components.run_choice import choose_runs
from wbc_core.errors import WbcError
from wbc_core.evaluation import browsing, reports
from wbc_core.jobs import queue

begin("Compare", "Put runs side by side, and see whether a difference between them was shown.")
chosen = choose_runs("A comparison will test every pair of runs on the same held-out images.")
workspace = state.workspace()

if state.current("job"):
    try:
        job = queue.get_job(workspace, state.current("job"))
        if job.kind == "evaluate" and job.state != "succeeded":
            job_panel(job.id, title="Evaluating a run")
    except WbcError:
        state.select("job", None)
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
    comparison = results_cache.comparison(tuple(run.id for run in compared))
except WbcError as error:
    st.warning(plain(str(error)), icon=":material/call_split:")
    st.stop()

compare_panels.verdicts(comparison)
compare_panels.draw_runs(comparison)

cost, curves = st.columns(2, gap="large")
with cost:
    st.subheader("Accuracy against cost", anchor=False)
    compare_panels.draw_cost(comparison)
with curves:
    st.subheader("Learning curves", anchor=False)
    compare_panels.draw_curves(comparison)
st.subheader("F1 of each class", anchor=False)
compare_panels.draw_classes(comparison)
st.subheader("Every pair", anchor=False)
compare_panels.draw_pairs(comparison)
st.subheader("Images on which they disagree", anchor=False)
compare_panels.draw_disagreements(comparison, compared[0].dataset)

with st.container(horizontal=True):
    st.download_button(
        "Download runs",
        lambda: browsing.flat_table(comparison["runs"]).to_csv(index=False),
        file_name="runs.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    st.download_button(
        "Download pairs",
        lambda: browsing.flat_table(comparison["pairs"]).to_csv(index=False),
        file_name="pairs.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
