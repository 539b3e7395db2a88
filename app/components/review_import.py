"""Decisions taken in from a CSV file: what they would change is shown first, then done as one step."""

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import cache, state
from app.components.page import plain, thousands
from app.formatting import file_name
from wbc_core.curation import replay
from wbc_core.curation.decision_csv import LARGEST_BYTES
from wbc_core.errors import WbcError
from wbc_core.records import Dataset
from wbc_core.wording import counted

_UNKNOWN_SHOWN = 200
_COLUMNS = {"drop": "Drop", "relabel": "Relabel", "keep": "Keep"}


@st.cache_resource(show_spinner="Reading the decisions", max_entries=2)
def _plan(
    home: str, dataset_id: str, stamp: tuple[int, int], file_id: str, _upload: Any
) -> replay.Replay | str:
    """What an upload would change, or what is wrong with it; read once a file and state of the log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decisions.csv"
        path.write_bytes(_upload.getbuffer())
        try:
            return replay.plan_replay(state.workspace(), dataset_id, path, name=file_name(_upload.name))
        except WbcError as error:
            return str(error)


def _apply(plan: replay.Replay) -> None:
    decided = replay.apply_replay(state.workspace(), plan, who=state.person())
    st.session_state["imports"] = st.session_state.get("imports", 0) + 1
    st.toast(f"{counted(decided, 'decision was', 'decisions were')} taken over. Undo takes all of it back.")


def effect_table(plan: replay.Replay) -> pd.DataFrame:
    """Images per class that a replay would drop, relabel and keep; only classes that have some."""
    lines = {
        name: [plan.effect[action].get(name, 0) for action in _COLUMNS] for name in plan.dataset.class_names
    }
    shown = {name: numbers for name, numbers in lines.items() if any(numbers)}
    table = pd.DataFrame.from_dict(shown, orient="index", columns=list(_COLUMNS.values()))
    return table.rename_axis("Class now").reset_index()


def _preview(plan: replay.Replay) -> None:
    if plan.verdicts:
        table = effect_table(plan)
        st.dataframe(table, hide_index=True, height=min(38 + 35 * len(table), 388))
    facts = []
    if plan.unchanged:
        held = counted(plan.unchanged, "decision of the file holds", "decisions of the file hold")
        facts.append(f"{held} already.")
    if plan.unknown:
        images = counted(len(plan.unknown), "image of the file is", "images of the file are")
        facts.append(f"{images} not in this data set: what was decided there does not apply.")
    if facts:
        st.markdown(" ".join(facts))
    if plan.unknown:
        with st.expander("Images that are not in this data set"):
            more = len(plan.unknown) - _UNKNOWN_SHOWN
            shown = [*plan.unknown[:_UNKNOWN_SHOWN], *([f"and {thousands(more)} more"] if more > 0 else [])]
            st.code("\n".join(shown), language=None, height=200)
    if plan.verdicts:
        st.button(
            f"Make {counted(len(plan.verdicts), 'decision')}",
            type="primary",
            icon=":material/done_all:",
            key="import-decisions",
            on_click=_apply,
            args=(plan,),
            help="One step: Undo takes it all back.",
        )


def panel(dataset: Dataset) -> None:
    """Draw the upload of decisions and what it would change."""
    upload = st.file_uploader(
        "Take in decisions from a CSV file",
        type=["csv"],
        key=f"decisions-{st.session_state.get('imports', 0)}",
        max_upload_size=LARGEST_BYTES >> 20,
        help="A file exported here, or one with the columns image_id, action (keep, drop, relabel) and label "
        "(the new class). Images are found by the hash of their pixels. Nothing changes before you say so.",
    )
    if upload is None:
        return
    plan = _plan(
        str(state.workspace().home), dataset.id, cache.log_stamp(dataset.id), upload.file_id, _upload=upload
    )
    if isinstance(plan, str):
        st.error(plain(plan), icon=":material/error:")
    else:
        _preview(plan)
