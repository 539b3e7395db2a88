"""Two runs' confusion matrices side by side, and one subtracted from the other."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import results_cache, state
from app.components import charts, charts_compare, charts_results
from app.components.page import plain
from wbc_core.evaluation import browsing

_SCALES = {"row": "By row", "counts": "Counts"}


def draw(comparison: Mapping[str, Any], key: str) -> None:
    """Draw the section.

    Args:
        comparison: One split's comparison.
        key: What sets its widgets apart from another split's.
    """
    names = {run["run"]: run["name"] for run in comparison["runs"]}
    first, second = _choose_two(list(names), names, key)
    scale = state.choose_view("Scale", f"scale{key}", _SCALES)
    if first == second:
        st.markdown("Choose two different runs.")
        return
    dark = st.context.theme.type == "dark"
    matrices = [results_cache.report(run_id, comparison["part"])["confusion"] for run_id in (first, second)]
    classes = comparison["classes"]
    for column, letter, run_id, matrix in zip(
        st.columns(2, gap="large"), "AB", (first, second), matrices, strict=True
    ):
        with column:
            st.markdown(f"**{letter}**: {plain(names[run_id])}")
            charts.draw(
                charts_results.confusion(matrix, classes, scale=scale, dark=dark),
                key=f"confusion-{letter}{key}",
            )
    subtracted, said = st.columns(2, gap="large")
    with subtracted:
        st.markdown("**B - A**")
        figure = charts_compare.confusion_difference(*matrices, classes, shares=scale == "row", dark=dark)
        charts.draw(figure, key=f"confusion-difference{key}")
    with said:
        st.markdown("**Where they differ most**")
        changes = browsing.largest_changes(*matrices, classes)
        st.dataframe(changes, hide_index=True, height="content", key=f"changes{key}")
        st.caption(
            "Violet: B has more images there; pink: fewer. On the diagonal more is better, elsewhere fewer "
            "is. A single cell is no test: which run is better is said under Differences."
        )


def _choose_two(run_ids: list[str], names: Mapping[str, str], key: str) -> tuple[str, str]:
    chosen = []
    for place, (column, letter) in enumerate(zip(st.columns(2), "AB", strict=True)):
        name = f"matrix-{letter.lower()}{key}"
        asked = st.session_state.get(name) or st.query_params.get(name)
        state.tell_widget(name, asked if asked in run_ids else run_ids[place])
        with column:
            picked = st.selectbox(letter, run_ids, format_func=names.get, key=name)
        st.query_params[name] = picked
        chosen.append(picked)
    return chosen[0], chosen[1]
