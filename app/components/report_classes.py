"""The scores of every class, each with its interval."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.components.page import plain
from app.components.results_text import class_scores, undefined_scores
from wbc_core.training.runs import Run


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw the scores of every class with their intervals."""
    st.dataframe(
        pd.DataFrame(class_scores(report)),
        hide_index=True,
        height="content",
        column_config={
            "Class": st.column_config.TextColumn(pinned=True),
            "Images": st.column_config.NumberColumn(format="localized"),
        },
    )
    st.caption("95 % intervals in brackets: Wilson for rates, stratified bootstrap for F1.")
    for reason in undefined_scores(report):
        st.caption(f":material/info: {plain(reason)}")
