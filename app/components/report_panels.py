"""The parts of the Report page: headline, matrix with the images of a cell, tables, calibration, errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import cache, results_cache
from app.components import charts, charts_results, leaky
from app.components.gallery import Item, gallery
from app.components.page import percent, plain, seconds, thousands
from app.components.results_text import (
    CHOSEN_ON_VALIDATION,
    class_scores,
    interval,
    megabytes,
    share,
    share_with_interval,
    undefined_scores,
)
from wbc_core.evaluation import browsing
from wbc_core.evaluation.calibration import BINNINGS

SCALES = {"row": "By row", "column": "By column", "counts": "Counts"}
BINNING_NAMES = {"equal_width": "Equal width", "equal_mass": "Equal mass"}
_SHOWN = 60
_CELL = "cell"


def headline(report: Mapping[str, Any]) -> None:
    """Draw the figures that a reader asks for first, each with its interval."""
    undefined = report["undefined"]
    leaky.mark(report.get("leaky", False))
    with st.container(horizontal=True, gap="medium"):
        for name, title, note in (
            ("accuracy", "Accuracy", "Share of images whose class was named. Interval: Wilson, 95 %."),
            ("macro_f1", "Macro-F1", "Mean of the classes' F1. Interval: stratified bootstrap, 95 %."),
        ):
            st.metric(
                title,
                share(report[name]),
                interval(report[f"{name}_ci"]) or None,
                delta_color="off",
                delta_arrow="off",
                help=note + (f" Undefined: {undefined[name]}." if name in undefined else ""),
                width="content",
            )
        st.metric(
            "Calibration error",
            share(report["ece"]),
            f"{share(report['ece_equal_mass'])} in bins of equal mass",
            delta_color="off",
            delta_arrow="off",
            help="Expected calibration error, 15 bins of equal width: how far confidence is from accuracy.",
            width="content",
        )
        st.metric(
            "Images",
            thousands(report["images"]),
            f"{report['part']} part" + (", averaged views" if report["tta"] else ""),
            delta_color="off",
            delta_arrow="off",
            width="content",
        )
    if "leaky_held_out" in report:
        order = report["leaky_held_out"]
        st.caption(
            "These figures are of real images only. Held out as the source report did, with "
            f"{thousands(order['synthetic'])} synthetic images among {thousands(order['images'])}, "
            f"accuracy is {share_with_interval(order['accuracy'], order['accuracy_ci'])}."
        )
    if report["part"] == "validation":
        st.caption(CHOSEN_ON_VALIDATION)


def further_figures(report: Mapping[str, Any]) -> None:
    """Draw the figures that a specialist asks for, and where everything comes from."""
    figures = {
        "Balanced accuracy": share(report["balanced_accuracy"]),
        "Matthews correlation": _number(report["matthews_correlation"]),
        "Cohen's kappa": _number(report["cohen_kappa"]),
        "Log loss": f"{_number(report['log_loss'])} nats",
        "Parameters": thousands(report["parameters"]),
        "Model file": megabytes(report["file_size_bytes"]),
        "Training time": seconds(report["training_seconds"]),
        "Evaluation time": seconds(report["seconds"]),
    }
    sources = ("run", "dataset", "split", "prepared", "model_sha256", "file", "file_sha256", "created")
    origin = {name.replace("_", " "): report[name] for name in sources if name in report}
    with st.expander("More figures, and where they come from", icon=":material/fact_check:"):
        left, right = st.columns(2)
        left.table(pd.Series(figures, name="value"), border="horizontal")
        right.table(pd.Series(origin, name="record"), border="horizontal")


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:#.3g}"


def _cell_of_url(classes: int) -> tuple[int, int] | None:
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


def matrix(report: Mapping[str, Any]) -> tuple[int, int]:
    """Draw the confusion matrix and its controls.

    Returns:
        The chosen cell (true, predicted): by click, select box or URL; else the commonest error.
    """
    names, confusion = report["classes"], report["confusion"]
    chosen = _cell_of_url(len(names)) or _worst_cell(confusion)
    scale = st.segmented_control(
        "Numbers",
        list(SCALES),
        format_func=SCALES.get,
        default="row",
        required=True,
        key="confusion",
        bind="query-params",
        label_visibility="collapsed",
    )
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
    st.session_state[picker] = chosen
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


def image_items(report: Mapping[str, Any], images: pd.DataFrame) -> list[Item]:
    """Gallery items of images with their predictions, in order."""
    names = report["classes"]
    rows = tuple(int(row) for row in images["row"])
    return [
        Item(
            row=line.row,
            src=source,
            label=names[line.label],
            badge=f"{names[line.predicted]} {percent(line.confidence, 0)}",
            mark=None,
            title=(
                f"Labelled {names[line.label]} ({percent(line.true_probability)}), predicted "
                f"{names[line.predicted]} ({percent(line.confidence)}), row {line.row:,}"
            ),
            group=None,
        )
        for line, source in zip(images.itertuples(), cache.thumbnails(report["dataset"], rows), strict=True)
    ]


def cell_gallery(report: Mapping[str, Any], name: str, cell: tuple[int, int]) -> None:
    """Draw the images of a cell of the matrix, hardest first."""
    images = browsing.cell_images(results_cache.report_predictions(report["run"], name), *cell)
    st.subheader(plain(cell_words(report["classes"], cell)).capitalize(), anchor=False)
    if images.empty:
        st.markdown(":gray[No image is in this cell.]")
        return
    shown = images.head(_SHOWN)
    number = thousands(len(images))
    told = f"The first {_SHOWN} of {number}" if len(images) > _SHOWN else number
    st.caption(f"{told} image{'s' * (len(images) != 1)}, the least probable true class first")
    gallery(
        image_items(report, shown),
        key="cell-images",
        class_names=report["classes"],
        actions=False,
        height=520,
    )


def class_table(report: Mapping[str, Any]) -> None:
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


def calibration(report: Mapping[str, Any]) -> None:
    """Draw the reliability diagram."""
    binning = st.segmented_control(
        "Bins",
        list(BINNINGS),
        format_func=BINNING_NAMES.get,
        default="equal_width",
        required=True,
        key="bins",
        bind="query-params",
        label_visibility="collapsed",
    )
    charts.draw(charts_results.reliability(report["reliability"][binning]), key="reliability")
    st.caption("On the dashed line a confidence of 80 % is right 80 times in 100. Below it: too sure.")


def confident_errors(report: Mapping[str, Any], name: str) -> None:
    """Draw the errors of which the model was surest."""
    images = browsing.confident_errors(results_cache.report_predictions(report["run"], name))
    if images.empty:
        st.markdown(":gray[Every image was named right.]")
        return
    gallery(
        image_items(report, images),
        key="errors",
        class_names=report["classes"],
        actions=False,
        height=400,
    )
