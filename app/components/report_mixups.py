"""What a run's mix-ups cost the lab, and what deciding by least expected cost would save."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import results_cache, state
from app.components.costs_editor import costs_editor
from app.components.page import thousands
from app.components.results_text import number, number_range, share_with_interval
from wbc_core.training.runs import Run

DECISIONS = {
    "most_probable": ("Most probable class", "mixups"),
    "least_cost": ("Least expected cost", "mixups_least_cost"),
}


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw the costs of mix-ups, what they come to, and the dearest mix-ups."""
    st.subheader("How bad is each mix-up?", anchor=False)
    st.caption(
        "One row a true class, one column what it was taken for; 0 where they are the same. The unit is "
        "yours: 10 is ten times as bad as 1. Kept for every data set with these classes."
    )
    support = [report["per_class"][label]["support"] for label in report["classes"]]
    matrix = costs_editor(report["classes"], support)
    if matrix is None:
        return
    figures = results_cache.costs(run.id, name, matrix)
    st.subheader("What they come to", anchor=False)
    with st.container(horizontal=True):
        for key, (title, _) in DECISIONS.items():
            st.metric(
                title,
                number(figures[key]),
                number_range(figures[f"{key}_ci"]) or None,
                delta_color="off",
                delta_arrow="off",
                help="Expected cost per 100 images, decided so, with its 95 % interval (bootstrap of 2,000 "
                "draws within each class).",
                width="content",
            )
    st.markdown(saving_in_words(figures))
    st.caption(
        f"Probabilities with temperature {number(figures['temperature'])}, fitted on validation. Decision by "
        "least expected cost: Elkan 2001."
        if figures["temperature"]
        else "Probabilities as trained: no temperature fitted on other images is to be had here, see "
        "Confidence. Decision by least expected cost: Elkan 2001."
    )
    _dearest(figures)


def saving_in_words(figures: Mapping[str, Any]) -> str:
    """What deciding by least expected cost saves, or that no saving is shown."""
    if not figures["changed"]:
        return "Deciding by least expected cost names every image as before."
    saved = f"{number(figures['saved'])} ({number_range(figures['saved_ci'])}) per 100 images"
    low, high = figures["saved_ci"]
    verdict = (
        f"Deciding by least expected cost saves **{saved}**"
        if low > 0
        else f"Deciding by least expected cost costs **more**: saved {saved}"
        if high < 0
        else f"Deciding by least expected cost: **no saving shown**, {saved}"
    )
    before = share_with_interval(figures["accuracy"], figures["accuracy_ci"])
    after = share_with_interval(figures["accuracy_least_cost"], figures["accuracy_least_cost_ci"])
    return (
        f"{verdict}. It names {thousands(figures['changed'])} of {thousands(figures['images'])} images "
        f"otherwise; accuracy {before} becomes {after}."
    )


def _dearest(figures: Mapping[str, Any]) -> None:
    """Draw the mix-ups by what they cost in all."""
    st.subheader("Dearest mix-ups", anchor=False)
    titles = {name: title for name, (title, _) in DECISIONS.items()}
    decision = state.choose_view("Decided by", "decided", titles)
    mixups = figures[DECISIONS[decision][1]]
    if not mixups:
        st.markdown(":gray[No mix-up costs anything.]")
        return
    st.dataframe(
        pd.DataFrame(
            {
                "True": [entry["true"] for entry in mixups],
                "Taken for": [entry["predicted"] for entry in mixups],
                "Images": [entry["images"] for entry in mixups],
                "Cost each": [number(entry["cost"]) for entry in mixups],
                "Per 100 images": [number(entry["per_100_images"]) for entry in mixups],
                "Share of the cost": [100 * entry["share"] for entry in mixups],
            }
        ),
        hide_index=True,
        column_config={
            "Images": st.column_config.NumberColumn(format="localized"),
            "Share of the cost": st.column_config.ProgressColumn(
                format="%.3g %%", min_value=0, max_value=100
            ),
        },
    )
