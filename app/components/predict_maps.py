"""Why a run named a new picture as it did: its maps and the train images that it resembles, by a job."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from app import explanation_cache, state
from app.components import explanation_view
from app.components.job_panel import job_panel
from app.components.page import percent, plain
from wbc_core.errors import WbcError
from wbc_core.evaluation import predictions as core
from wbc_core.jobs import queue
from wbc_core.records import Job
from wbc_core.training import runs
from wbc_core.training.runs import Run
from wbc_core.wording import counted

_LISTED = 60
_TOGETHER = 12
_PICTURE = "picture"
_MAPS = "maps"
"""Query parameter with the job that explains; `job` stays the one that predicted."""


def draw(job: Job, table: pd.DataFrame) -> None:
    """Draw the explanation of a chosen picture of a prediction, or offer to make it.

    Args:
        job: The finished prediction.
        table: Its predictions.
    """
    try:
        run = runs.load_run(state.workspace(), job.spec["run"])
    except WbcError:
        return
    ranked = core.least_certain(table).head(_LISTED)
    source = Path(job.spec["source"])
    ids = explanation_cache.picture_ids(str(source), tuple(ranked["file"]), run.image_shape)
    if not ids:
        return
    st.subheader("Why", anchor=False)
    if obstacle := explanation_cache.obstacle(run):
        st.markdown(f":gray[{obstacle}]")
        return
    _follow(run)
    chosen = _choose(ranked[ranked["file"].isin(ids)])
    explained = explanation_cache.explanation(run, ids[chosen])
    _missing(run, source, [chosen, *ids], ids)
    if explained is None:
        st.markdown(":gray[This picture was not explained yet.]")
        return
    explanation_view.maps(run, explained)
    with st.expander("How to read the maps", icon=":material/help:"):
        st.markdown(explanation_view.HOW_TO_READ)
    explanation_view.neighbours(run, explained)


def _follow(run: Run) -> None:
    """Draw the job that explains, until it has succeeded."""
    asked = st.query_params.get(_MAPS)
    if not asked:
        return
    try:
        job = queue.get_job(state.workspace(), asked)
    except WbcError:
        st.query_params.pop(_MAPS, None)
        return
    if job.kind == "explain" and job.spec["run"] == run.id and job.state != "succeeded":
        job_panel(job.id, title="Explaining pictures")


def _choose(ranked: pd.DataFrame) -> str:
    """Draw the choice of a picture, kept in the URL; the least certain one at first."""
    told = {
        line.file: f"{line.file}: {line.predicted}, {percent(line.confidence)}"
        for line in ranked.itertuples()
    }
    asked = st.query_params.get(_PICTURE)
    return explanation_view.choose("Picture", told, asked, _PICTURE, "The least certain first.")


def _missing(run: Run, source: Path, names: Sequence[str], ids: dict[str, str]) -> None:
    """Offer to explain the chosen picture, or the least certain ones together with it."""
    known = {name: explanation_cache.is_known(run, ids[name]) for name in names[: 1 + _TOGETHER]}
    unknown = [name for name, is_known in known.items() if not is_known][:_TOGETHER]
    if not unknown:
        return
    alone = unknown[0] == names[0]
    with st.container(horizontal=True):
        if alone and st.button(
            "Explain this picture", key="explain-one", type="primary", icon=":material/center_focus_strong:"
        ):
            _submit(run, source, unknown[:1])
        if len(unknown) > alone and st.button(
            f"Explain {counted(len(unknown), 'picture')}",
            key="explain-all",
            icon=":material/select_all:",
        ):
            _submit(run, source, unknown)


def _submit(run: Run, source: Path, names: Sequence[str]) -> None:
    spec = {"run": run.id, "source": str(source), "names": list(names)}
    try:
        st.query_params[_MAPS] = queue.submit(state.workspace(), "explain", spec).id
    except WbcError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.rerun()
