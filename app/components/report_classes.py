"""The scores of every class, each with its interval."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.components import charts, charts_results
from app.components.page import plain
from app.components.results_text import RANKING, RATES, class_scores, undefined_scores
from wbc_core.evaluation import browsing
from wbc_core.training.runs import Run

KINDS = {"rates": ("Rates", RATES), "ranking": ("Ranking", RANKING)}
_NOTES = {
    "rates": "Of the class that is most probable. 95 % intervals in brackets: Wilson; for F1 a bootstrap of "
    "2,000 draws within each class, which has no width at exactly 100 %.",
    "ranking": "Of all images sorted by the probability of a class, that class against the rest. 95 % "
    "intervals in brackets: a bootstrap of 2,000 draws within each class, which has no width at exactly 1.",
}


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw the scores of every class with their intervals, as a table and one of them as a chart."""
    kind = state.choose_view("Scores", "scores", {name: KINDS[name][0] for name in KINDS})
    scores = KINDS[kind][1]
    st.dataframe(
        pd.DataFrame(class_scores(report, scores)),
        hide_index=True,
        height="content",
        column_config={
            "Class": st.column_config.TextColumn(pinned=True),
            "Images": st.column_config.NumberColumn(format="localized"),
        },
    )
    st.caption(_NOTES[kind])
    for reason in undefined_scores(report, scores):
        st.caption(f":material/info: {plain(reason)}")
    score = state.choose_view(
        "Chart", f"chart_{kind}", scores, default="recall" if kind == "rates" else "auc"
    )
    charts.draw(
        charts_results.class_score(report, score, scores[score], in_percent=kind == "rates"),
        key="class-scores",
    )
    st.download_button(
        "Download class scores",
        lambda: browsing.class_table(report).to_csv(index=False),
        file_name=f"{run.id}-{name}-classes.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
