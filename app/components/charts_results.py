"""Charts of the Results pages: a confusion matrix to click, scores of classes."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from app.components import charts
from wbc_core.wording import counted

Scale = Literal["counts", "row", "column"]
_AXIS = {
    "counts": "predicted (images)",
    "row": "predicted (% of the true class)",
    "column": "predicted (% of the predicted class)",
}
_CLICK_AREA = 44
_INK = "#28232f"
_DARK = 0.75
_LONGEST_NAME = 14


def _shares(counts: np.ndarray, scale: Scale) -> np.ndarray:
    if scale == "counts":
        return counts
    totals = counts.sum(axis=1 if scale == "row" else 0, keepdims=True)
    return np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0) * 100


def _cell_text(count: float, share: float, scale: Scale) -> str:
    if scale == "counts":
        return f"{count:,.0f}"
    # Two digits are what a cell holds on a narrow screen; three are told on hover.
    return f"{share:.0f}" if share >= 9.95 else f"{share:.1f}"


def matrix_height(class_names: Sequence[str]) -> int:
    """Height of a confusion matrix, in pixels."""
    return max(500, 160 + 32 * len(class_names))


def confusion(
    matrix: Sequence[Sequence[int]],
    class_names: Sequence[str],
    *,
    scale: Scale = "row",
    chosen: tuple[int, int] | None = None,
    dark: bool = False,
) -> go.Figure:
    """A confusion matrix whose cells can be clicked.

    A heatmap gives Streamlit no selection, so invisible square markers lie over its cells; each carries
    (true, predicted) as custom data.

    Args:
        matrix: Counts, [true][predicted].
        class_names: The classes, in the lab's order.
        scale: Counts, or per cent of the true class (`row`) or of the predicted class (`column`).
        chosen: The cell to outline.
        dark: Whether the page is dark, where numbers are white on every cell.
    """
    counts = np.asarray(matrix, dtype=float)
    shown = _shares(counts, scale)
    places = range(len(class_names))
    cells = [(true, predicted) for true in places for predicted in places]
    # The diagonal would drown the errors: colour follows the square root, text and hover say the numbers.
    depth = np.sqrt(np.nan_to_num(shown) / (np.nanmax(shown, initial=0.0) or 1.0))
    heat = go.Heatmap(
        z=depth,
        x=list(places),
        y=list(places),
        zmin=0,
        zmax=1,
        colorscale=[list(stop) for stop in charts.VIOLETS],
        xgap=2,
        ygap=2,
        showscale=False,
        hoverinfo="skip",
    )
    squares = go.Scatter(
        x=[predicted for _, predicted in cells],
        y=[true for true, _ in cells],
        customdata=[list(cell) for cell in cells],
        mode="markers",
        marker={"symbol": "square", "size": _CLICK_AREA, "color": charts.ACCENT, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        text=[_cell_hover(counts, cell, class_names) for cell in cells],
        hovertemplate="%{text}<extra></extra>",
    )
    names = [charts.written(name, _LONGEST_NAME) for name in class_names]
    ticks = {"tickvals": list(places), "ticktext": names, "showgrid": False}
    edge = [-0.5, len(class_names) - 0.5]
    # Annotations, since a heatmap's own text has no colour that reads in both themes. All at once: adding
    # them one by one checks those that are there again each time, 0.7 s for eight classes.
    texts = [
        {
            "x": predicted,
            "y": true,
            "text": _cell_text(counts[true, predicted], shown[true, predicted], scale),
            "showarrow": False,
            "font": {"size": 12, "color": "white" if dark or depth[true, predicted] > _DARK else _INK},
        }
        for true, predicted in cells
        if counts[true, predicted]
    ]
    figure = charts.figure(
        heat,
        squares,
        annotations=texts,
        height=matrix_height(class_names),
        showlegend=False,
        hovermode="closest",
        clickmode="event+select",
        dragmode=False,
        xaxis={**ticks, "title": _AXIS[scale], "range": edge, "fixedrange": True, "tickangle": -40},
        yaxis={**ticks, "title": "true", "range": edge[::-1], "fixedrange": True},
    )
    if chosen is not None:
        true, predicted = chosen
        figure.add_shape(
            type="rect",
            x0=predicted - 0.48,
            x1=predicted + 0.48,
            y0=true - 0.48,
            y1=true + 0.48,
            line={"color": charts.DECISION, "width": 3},
        )
    return figure


def _cell_hover(counts: np.ndarray, cell: tuple[int, int], class_names: Sequence[str]) -> str:
    true, predicted = cell
    number, of_true, of_predicted = counts[cell], counts[true].sum(), counts[:, predicted].sum()
    label, named = escape(class_names[true], quote=False), escape(class_names[predicted], quote=False)
    verb = "recognised" if true == predicted else f"taken for {named}"
    lines = [f"<b>{label}</b> {verb}: {counted(number, 'image')}"]
    if of_true:
        lines.append(f"{100 * number / of_true:.3g} % of all {label}")
    if of_predicted:
        lines.append(f"{100 * number / of_predicted:.3g} % of what was predicted as {named}")
    return "<br>".join(lines)


def class_score(report: Mapping[str, Any], score: str, title: str, *, in_percent: bool) -> go.Figure:
    """One score of every class with its interval; where it is undefined the class's line stays empty.

    Args:
        report: A complete report.
        score: Name of the score in it.
        title: What the axis calls it.
        in_percent: Whether it is written in per cent.
    """
    names, factor = report["classes"], 100 if in_percent else 1
    values: dict[str, tuple[float | None, float | None, float | None]] = {}
    for name in names:
        entry = report["per_class"][name]
        ends = entry[f"{score}_ci"] or (None, None)
        values[name] = tuple(None if end is None else factor * end for end in (entry[score], *ends))
    return charts.interval_bars(
        values,
        x_title=f"{title} (%)" if in_percent else title,
        colours=charts.class_colours(names),
        height=90 + 34 * len(names),
    )


def differential(
    lines: Sequence[Mapping[str, Any]],
    class_names: Sequence[str],
    *,
    counted: Sequence[Mapping[str, Any]] = (),
    height: int = 320,
) -> go.Figure:
    """Share of each class among predicted pictures, with its interval.

    Args:
        lines: Lines of a differential count: class, share, low, high.
        class_names: The classes, in the lab's order.
        counted: Lines as they were counted, drawn as diamonds beside corrected ones.
        height: In pixels.
    """
    colours = charts.class_colours(class_names)
    values = {line["class"]: tuple(100 * line[end] for end in ("share", "low", "high")) for line in lines}
    figure = charts.interval_bars(values, x_title="share of pictures (%)", colours=colours, height=height)
    if counted:
        figure.add_trace(
            go.Scatter(
                x=[100 * line["share"] for line in counted],
                y=[line["class"] for line in counted],
                mode="markers",
                marker={"symbol": "diamond-open", "size": 9, "color": charts.NEUTRAL},
                hovertemplate="%{y}: counted %{x:.3g} %<extra></extra>",
            )
        )
    return figure
