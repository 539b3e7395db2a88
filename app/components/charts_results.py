"""Charts of the Results pages: a confusion matrix to click, cost, differences."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from app.components import charts

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
        height=max(500, 160 + 32 * len(class_names)),
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
    lines = [f"<b>{label}</b> {verb}: {number:,.0f} images"]
    if of_true:
        lines.append(f"{100 * number / of_true:.3g} % of all {label}")
    if of_predicted:
        lines.append(f"{100 * number / of_predicted:.3g} % of what was predicted as {named}")
    return "<br>".join(lines)


def _whiskers(
    values: Sequence[float], ends: Sequence[Sequence[float] | None], scale: float
) -> dict[str, Any]:
    pairs = [interval or (value, value) for value, interval in zip(values, ends, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": [scale * (high - value) for value, (_, high) in zip(values, pairs, strict=True)],
        "arrayminus": [scale * (value - low) for value, (low, _) in zip(values, pairs, strict=True)],
        "thickness": 1.5,
        "width": 4,
        "color": charts.NEUTRAL,
    }


def run_colours(names: Sequence[str]) -> dict[str, str]:
    """One colour a run, the same in every chart of a comparison.

    They begin behind the first eight of the palette, so that few runs never wear the colour of a class.
    """
    palette = list(charts.class_colours([str(place) for place in range(11)]).values())
    return {name: palette[(8 + place) % len(palette)] for place, name in enumerate(names)}


def cost(runs: Sequence[Mapping[str, Any]], figure: str, *, x_title: str, height: int = 340) -> go.Figure:
    """Accuracy with its interval against what a run costs, on a logarithmic axis.

    Args:
        runs: Entries of a comparison; those without the figure are left out.
        figure: `parameters` or `training_seconds`.
        x_title: Of the horizontal axis, with its unit.
        height: In pixels.
    """
    colours = run_colours([run["name"] for run in runs])
    traces = [
        go.Scatter(
            x=[run[figure]],
            y=[100 * run["accuracy"]],
            error_y=_whiskers([run["accuracy"]], [run["accuracy_ci"]], 100),
            name=run["name"],
            mode="markers",
            marker={"size": 12, "color": colours[run["name"]]},
            hovertemplate="%{x:,.4g}, accuracy %{y:.3g} %",
        )
        for run in runs
        if run[figure] and run["accuracy"] is not None
    ]
    return charts.figure(
        *traces,
        height=height,
        xaxis={"title": x_title, "type": "log"},
        yaxis={"title": "accuracy (%)"},
    )


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


def class_f1(
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]], class_names: Sequence[str], *, height: int = 380
) -> go.Figure:
    """F1 of every class, one bar a run with its interval; an undefined F1 is left out, never drawn as 0.

    Args:
        scores: Run name to the `per_class` part of its report.
        class_names: The classes, in the lab's order.
        height: In pixels.
    """
    colours = run_colours(list(scores))
    traces = []
    for name, classes in scores.items():
        known = [label for label in class_names if classes[label]["f1"] is not None]
        values = [classes[label]["f1"] for label in known]
        traces.append(
            go.Bar(
                x=known,
                y=[100 * value for value in values],
                error_y=_whiskers(values, [classes[label]["f1_ci"] for label in known], 100),
                name=name,
                marker={"color": colours[name]},
                hovertemplate="%{x}: F1 %{y:.3g} %",
            )
        )
    return charts.figure(
        *traces,
        height=height,
        barmode="group",
        xaxis={
            "categoryorder": "array",
            "categoryarray": list(class_names),
            **charts.name_axis(class_names),
        },
        yaxis={"title": "F1 (%)", "range": [0, 103]},
    )


def differences(pairs: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> go.Figure:
    """Accuracy differences of all pairs with their intervals; one that crosses 0 shows no difference.

    Args:
        pairs: Pairs of a comparison.
        names: Run id to its name.
    """
    values = {
        f"{names[pair['b']]}<br>- {names[pair['a']]}": (
            100 * pair["accuracy_difference"],
            100 * pair["accuracy_difference_ci"][0],
            100 * pair["accuracy_difference_ci"][1],
        )
        for pair in pairs
        if pair["accuracy_difference"] is not None
    }
    figure = charts.interval_bars(
        values, x_title="difference of accuracy (points)", height=110 + 48 * len(values)
    )
    figure.update_yaxes(ticktext=list(values))
    figure.add_vline(x=0, line={"color": charts.NEUTRAL, "dash": "dash", "width": 1.5})
    return figure


def differential(
    counts: Sequence[Mapping[str, Any]], class_names: Sequence[str], *, height: int = 320
) -> go.Figure:
    """Share of each class among predicted pictures, with its interval.

    Args:
        counts: Lines of a differential count.
        class_names: The classes, in the lab's order.
        height: In pixels.
    """
    colours = charts.class_colours(class_names)
    values = {line["class"]: tuple(100 * line[end] for end in ("share", "low", "high")) for line in counts}
    return charts.interval_bars(values, x_title="share of pictures (%)", colours=colours, height=height)
