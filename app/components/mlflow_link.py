"""A link to a run's page on the MLflow server, where there is one."""

import streamlit as st

from app import state
from wbc_core.tracking.state import run_url


def mlflow_link(run_id: str) -> None:
    """Draw a link to a run in MLflow; nothing before MLflow has it, or where runs are not mirrored."""
    url = run_url(state.workspace(), run_id)
    if url:
        st.link_button("Open in MLflow", url, icon=":material/open_in_new:")
