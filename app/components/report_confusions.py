"""What a run takes for what: the confusion matrix, and the images of the cell that was clicked."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import results_cache, state
from app.components import charts, charts_results
from app.components.page import plain, thousands
from app.components.report_decisions import decide_on
from app.components.report_images import FILE_NOT_KEPT
from wbc_core.evaluation import browsing
from wbc_core.training.runs import Run
from wbc_core.wording import counted

SCALES = {"row": "By row", "column": "By column", "counts": "Counts"}
_SHOWN = 60
_CELL = "cell"


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw the confusion matrix, and the images of its chosen cell."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("What is taken for what", anchor=False)
        cell = _matrix(report)
    with right:
        if report["part"] == "file":
            st.markdown(FILE_NOT_KEPT)
        else:
            _cell_gallery(report, name, cell)


def chosen_cell(classes: int) -> tuple[int, int] | None:
    """The cell (true, predicted) that the URL names, or None."""
    parts = st.query_params.get(_CELL, "").split("-")
    if len(parts) == 2 and all(part.isdecimal() and int(part) < classes for part in parts):
        return int(parts[0]), int(parts[1])
    return None


def _worst_cell(confusion: Sequence[Sequence[int]]) -> tuple[int, int]:
    cells = [(count, i, j) for i, line in enumerate(confusion) for j, count in enumerate(line) if i != j]
    # With one class there is nothing to confuse it with.
    _, true, predicted = max(cells, key=lambda cell: cell[0], default=(0, 0, 0))
    return true, predicted


def _clicked(key: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points:
        st.query_params[_CELL] = "{}-{}".format(*points[-1]["customdata"])


def _picked(key: str) -> None:
    st.query_params[_CELL] = "{}-{}".format(*st.session_state[key])


def _matrix(report: Mapping[str, Any]) -> tuple[int, int]:
    """Draw the confusion matrix and its controls.

    Returns:
        The chosen cell (true, predicted): by click, select box or URL; else the commonest error.
    """
    names, confusion = report["classes"], report["confusion"]
    chosen = chosen_cell(len(names)) or _worst_cell(confusion)
    scale = state.choose_view("Numbers", "confusion", SCALES)
    key = f"matrix-{report['run']}"
    charts.draw(
        charts_results.confusion(
            confusion, names, scale=scale, chosen=chosen, dark=st.context.theme.type == "dark"
        ),
        key=key,
        on_select=lambda: _clicked(key),
        selection_mode="points",
        alt="Confusion matrix; the select box below chooses the same cells.",
    )
    cells = sorted(
        ((i, j) for i in range(len(names)) for j in range(len(names)) if confusion[i][j] or (i, j) == chosen),
        key=lambda cell: (cell[0] == cell[1], -confusion[cell[0]][cell[1]]),
    )
    picker = f"cell-{report['run']}"
    state.tell_widget(picker, chosen)
    st.selectbox(
        "Cell",
        cells,
        format_func=lambda cell: f"{cell_words(names, cell)} ({thousands(confusion[cell[0]][cell[1]])})",
        key=picker,
        on_change=_picked,
        args=(picker,),
        help="The same choice as a click on the matrix; the commonest errors first.",
    )
    return chosen


def cell_words(names: Sequence[str], cell: tuple[int, int]) -> str:
    """A cell of the matrix in words."""
    true, predicted = names[cell[0]], names[cell[1]]
    return f"{true} recognised" if cell[0] == cell[1] else f"{true} taken for {predicted}"


def _cell_gallery(report: Mapping[str, Any], name: str, cell: tuple[int, int]) -> None:
    """Draw the images of a cell of the matrix, hardest first."""
    images = browsing.cell_images(results_cache.report_predictions(report["run"], name), *cell)
    st.subheader(plain(cell_words(report["classes"], cell)).capitalize(), anchor=False)
    if images.empty:
        st.markdown(":gray[No image is in this cell.]")
        return
    shown = images.head(_SHOWN)
    first = f"The first {_SHOWN} of " if len(images) > _SHOWN else ""
    st.caption(f"{first}{counted(len(images), 'image')}, the least probable true class first")
    decide_on(report, name, shown, key="cell-images", height=520)
    st.button(
        "See where the model looked",
        key="open-why",
        icon=":material/center_focus_strong:",
        on_click=_open_why,
        args=(cell, int(shown["row"].iloc[0])),
    )


def _open_why(cell: tuple[int, int], row: int) -> None:
    """Open the section Why at an image of the cell."""
    st.session_state["section"] = "why"
    st.query_params[_CELL] = "{}-{}".format(*cell)
    st.query_params["image"] = str(row)
