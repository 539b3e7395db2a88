"""Jobs: what runs, what waits and in which order, what is done; live curves, log, what can follow."""

import streamlit as st

from app import state
from app.components.job_panel import current_job, job_panel
from app.components.job_table import describe, job_table
from app.components.mlflow_link import mlflow_link
from app.components.page import begin, empty, link, plain, thousands
from app.components.queue_panel import queue_panel
from app.components.training_actions import training_actions, training_differences
from app.components.training_curves import training_curves
from wbc_core.jobs import queue

begin("Jobs", "Watch imports, scans and trainings; they go on when this page is closed.")
workspace = state.workspace()
jobs = queue.recent_jobs(workspace)
if not jobs:
    empty(
        "No job has been submitted yet. Trainings, scans and imports show here while they run and after.",
        label="Launch a training",
        view="launch",
    )
    st.stop()

active = queue.active_jobs(workspace)
running = [job for job in active if job.state == "running"]
if queue.nothing_moves(workspace, active):
    st.warning(
        "No worker is running, so what waits does not start. `make lab` starts one, as does `wbc worker`.",
        icon=":material/power_off:",
    )

job_table(jobs)
every = sum(queue.count_jobs(workspace).values())
if every > len(jobs):
    st.caption(f"What runs and the newest others, {thousands(len(jobs))} of {thousands(every)} jobs.")
asked = state.current("job")
job = current_job() or [*active, *jobs][0]
if asked and asked != job.id:
    st.toast(f"There is no {plain(asked)} here.", icon=":material/link_off:", duration="long")
state.select("job", job.id)  # so that a reload shows the same one

st.subheader(describe(job), anchor=False)
job_panel(job.id, title="This job")
if job.kind == "train":
    training_differences(job)
    training_actions(job)
    training_curves(job.id)
    mlflow_link(job.id)
    if job.state == "succeeded":
        state.select("run", job.id)
        link("report", "Open the report")
if job.kind == "demo" and job.result:
    link("review", "Review what the scan found")
with st.expander("What it was called with", icon=":material/data_object:"):
    st.json(job.spec)

others = [entry for entry in running if entry.id != job.id]
if others:
    st.subheader("Running too", anchor=False)
for entry in others:
    job_panel(entry.id, title=describe(entry))

queue_panel()
