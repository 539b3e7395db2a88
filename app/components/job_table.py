"""The list of jobs: what each does in words, and the one that is chosen."""

from pathlib import PurePath

import pandas as pd
import streamlit as st

from app import cache, state
from app.formatting import percent, seconds
from wbc_core.jobs.cost import elapsed
from wbc_core.jobs.listing import accuracy_of, what_tells
from wbc_core.records import Job

_VERBS = {
    "import": "Import",
    "scan": "Scan",
    "export_clean": "Export the clean set of",
    "prepare": "Prepare",
    "balance_study": "Compare balance plans",
    "cleaning_study": "Compare raw with clean",
    "relaunch": "Prepare the relaunch of",
    "cross_validation": "Prepare the folds of a cross-validation",
    "sweep_importance": "Tell which settings matter",
    "train": "Train",
    "dry_run": "Measure the cost of",
    "evaluate": "Evaluate",
    "robustness": "Evaluate under shifts",
    "slices": "Find slices of",
    "latency": "Time the model of",
    "predict": "Predict",
    "export": "Export",
    "demo": "Build the demo",
}


def _dataset_name(job: Job) -> str:
    dataset = cache.open_dataset(job.spec["dataset"])
    return dataset.name if dataset else ""


def describe(job: Job) -> str:
    """What a job does, in a few words ("Train mobilenet_v3_small")."""
    subject = {
        "import": lambda: PurePath(job.spec["source"]).name,
        "scan": lambda: _dataset_name(job),
        "export_clean": lambda: _dataset_name(job),
        "prepare": lambda: f"{job.spec['recipe'].get('name', '')} recipe",
        "balance_study": lambda: f"with {job.spec['backbone']}",
        "cleaning_study": lambda: f"by {job.spec['backbone']}",
        "relaunch": lambda: job.spec["run"],
        "cross_validation": lambda: f"of {job.spec['specs'][0]['backbone']}",
        "train": lambda: job.spec["backbone"],
        "dry_run": lambda: job.spec["backbone"],
        "evaluate": lambda: job.spec["run"],
        "robustness": lambda: job.spec["run"],
        "slices": lambda: job.spec["run"],
        "latency": lambda: job.spec["run"],
        "predict": lambda: f"by {job.spec['run']}",
        "export": lambda: f"{job.spec['run']} as {job.spec['to']}",
    }
    verb = _VERBS.get(job.kind, job.kind.capitalize())
    return f"{verb} {subject[job.kind]()}".strip() if job.kind in subject else verb


def _accuracy(job: Job) -> str:
    found = accuracy_of(job)
    return "" if found is None else percent(found)


def job_table(jobs: list[Job]) -> None:
    """Draw jobs as rows; a click on one chooses it and puts its id into the URL.

    Args:
        jobs: The jobs, in the order of the rows.
    """
    rows = pd.DataFrame(
        {
            "What": [describe(job) for job in jobs],
            "State": [job.state for job in jobs],
            "Took": [seconds(elapsed(job)) for job in jobs],
            "Accuracy": [_accuracy(job) for job in jobs],
            "About": list(what_tells(state.workspace(), jobs).values()),
            "Submitted": pd.to_datetime([job.created for job in jobs]),
            "Device": [job.device or "" for job in jobs],
            "Id": [job.id for job in jobs],
        }
    )

    def choose() -> None:
        # Only when a row is clicked: new jobs move the rows, and a row's number with them.
        if chosen := st.session_state["job-table"].selection.rows:
            state.select("job", jobs[chosen[0]].id)

    st.dataframe(
        rows,
        key="job-table",
        hide_index=True,
        on_select=choose,
        selection_mode="single-row",
        column_config={
            "What": st.column_config.TextColumn(width="medium"),
            "Accuracy": st.column_config.TextColumn(help="Of a training, on the held-out images."),
            "About": st.column_config.TextColumn(
                width="medium",
                help="Why it failed; of a training, what others of its backbone do not share comes first.",
            ),
            "Submitted": st.column_config.DatetimeColumn(format="distance"),
        },
    )
