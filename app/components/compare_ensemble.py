"""An ensemble of the compared runs: built by a job, then a run like any other."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.components.job_panel import current_job, job_button, job_panel
from app.components.page import plain
from app.components.results_text import share
from app.components.run_choice import add_run

_WEIGHTS = {"mean": "All alike", "validation": "Fitted on validation"}


def draw(comparison: Mapping[str, Any], key: str) -> None:
    """Draw what builds an ensemble of the compared runs, and the members of those among them.

    Args:
        comparison: One split's comparison.
        key: What sets its widgets apart from another split's.
    """
    singles = {run["run"]: run["name"] for run in comparison["runs"] if not run["members"]}
    st.markdown(
        "The chosen runs answer together: their probabilities are averaged. The ensemble is a run of its "
        "own, with a report, and a model to predict with and to export. It costs what all members cost."
    )
    weights = state.choose_view("Weights", f"weights{key}", _WEIGHTS)
    if weights == "validation":
        st.caption(
            "Weights are fitted on the members' validation predictions, so that their log loss is smallest."
            + (
                " They are the images of this comparison too, so that its figures will be a little hopeful."
                if comparison["part"].startswith("validation")
                else ""
            )
        )
    if job_button(
        f"Build the ensemble of {len(singles)} runs",
        "ensemble",
        {"runs": list(singles), "weights": weights},
        disabled=len(singles) < 2,
        icon=":material/group_work:",
        key=f"build-ensemble{key}",
    ):
        st.rerun()
    _draw_job()
    for run in comparison["runs"]:
        if run["members"]:
            _draw_members(run, singles)


def _draw_job() -> None:
    job = current_job()
    if job is None or job.kind != "ensemble":
        return
    if job.state != "succeeded":
        job_panel(job.id, title="Building the ensemble")
    elif job.result and state.first_time(f"ensemble {job.id}"):
        add_run(job.result["run"])
        st.rerun()


def _draw_members(run: Mapping[str, Any], names: Mapping[str, str]) -> None:
    st.markdown(f"**{plain(run['name'])}** {run['run']}: accuracy {share(run['accuracy'])}")
    lines = [
        {
            "Member": names.get(member["run"], member["run"]),
            "Weight": share(member["weight"]),
            "Id": member["run"],
        }
        for member in run["members"]
    ]
    st.dataframe(pd.DataFrame(lines), hide_index=True, height="content", key=f"members-of-{run['run']}")
