"""The matrix of how bad each mix-up is: edited, filled from presets or a CSV file, kept for its classes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from app.components.page import plain
from wbc_core.errors import WbcError
from wbc_core.evaluation.mixup_costs import (
    MOST,
    checked_costs,
    costs_as_csv,
    costs_from_csv,
    costs_id,
    equal_costs,
    keep_costs,
    load_costs,
    missing_costs,
    rarity_costs,
)

Matrix = tuple[tuple[float, ...], ...]


def _as_matrix(costs: np.ndarray) -> Matrix:
    return tuple(tuple(float(value) for value in row) for row in costs)


def _fill(key: str, costs: np.ndarray) -> None:
    """Begin the table anew with other costs."""
    st.session_state[key] = (_as_matrix(costs), st.session_state[key][1] + 1)


def _fill_missing(key: str, classes: Sequence[str]) -> None:
    missed, factor = st.session_state[f"{key}-missed"], st.session_state[f"{key}-factor"]
    _fill(key, missing_costs(len(classes), list(classes).index(missed), factor))


def _uploaded(key: str, upload: str, classes: Sequence[str]) -> None:
    file = st.session_state[upload]
    if file is None:
        return
    try:
        _fill(key, costs_from_csv(file.getvalue().decode("utf-8-sig"), classes))
    except (WbcError, UnicodeDecodeError) as error:
        st.session_state[f"{key}-refused"] = plain(str(error))


def _presets(key: str, classes: Sequence[str], support: Sequence[int]) -> None:
    with st.popover("Presets", icon=":material/tune:"):
        st.button(
            "Every mix-up costs 1",
            on_click=lambda: _fill(key, equal_costs(len(classes))),
            width="stretch",
        )
        st.button(
            "Rare classes cost more",
            on_click=lambda: _fill(key, rarity_costs(support)),
            width="stretch",
            help="Missing an image costs as many times more as its class has fewer images here than the "
            "commonest: every class weighs the same.",
        )
        st.selectbox("Class not to miss", classes, key=f"{key}-missed")
        st.number_input("Missing it costs", 1.0, MOST, 10.0, key=f"{key}-factor")
        st.button("Set for this class", on_click=_fill_missing, args=(key, classes), width="stretch")


def _file(key: str, classes: Sequence[str], edited: pd.DataFrame) -> None:
    with st.popover("CSV file", icon=":material/csv:"):
        st.download_button(
            "Download CSV",
            lambda: costs_as_csv(edited.to_numpy(), classes),
            file_name="costs-of-mix-ups.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
        )
        upload = f"{key}-upload"
        st.file_uploader(
            "Fill from a CSV file", type="csv", key=upload, on_change=_uploaded, args=(key, upload, classes)
        )


def costs_editor(classes: Sequence[str], support: Sequence[int]) -> Matrix | None:
    """Draw the table of costs with its presets, its file and the button that keeps it.

    Args:
        classes: Names, in class order.
        support: Images of each class in the report.

    Returns:
        The costs as the table has them, [true][predicted]; None where they make no sense, which is then told.
    """
    workspace, key = state.workspace(), f"costs-{costs_id(classes)}"
    kept = load_costs(workspace, classes)
    before = _as_matrix(equal_costs(len(classes)) if kept is None else kept)
    filled, version = st.session_state.setdefault(key, (before, 0))
    edited = st.data_editor(
        pd.DataFrame(filled, index=pd.Index(classes, name="true \\ predicted"), columns=list(classes)),
        key=f"{key}-table-{version}",
        column_config={
            name: st.column_config.NumberColumn(min_value=0.0, max_value=MOST, required=True)
            for name in classes
        },
    )
    with st.container(horizontal=True):
        _presets(key, classes, support)
        _file(key, classes, edited)
        keep = st.container()
    if refused := st.session_state.pop(f"{key}-refused", None):
        st.error(refused, icon=":material/error:")
    try:
        costs = _as_matrix(checked_costs(edited.to_numpy(), classes))
    except WbcError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    same = costs == before
    if keep.button("Keep these costs", type="primary", icon=":material/save:", disabled=same):
        keep_costs(workspace, costs, classes)
        st.rerun()
    return costs
