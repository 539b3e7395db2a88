"""Charts of a comparison: cost with its front, classes, differences of pairs and of confusion matrices."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.components import charts, charts_results

_LONGEST_NAME = 40
_CELL_NAME = 14
_LETTER = 7.5
"""Width of a letter of a legend, in pixels, where the page's own typeface is not to be had."""
_STRONG = 0.6
_INK = "#28232f"
_FEWER, _NONE, _MORE = "rgba(208,82,138,1)", "rgba(141,135,151,0)", "rgba(106,66,172,1)"


def run_colours(names: Sequence[str]) -> dict[str, str]:
    """One colour a run, the same in every chart of a comparison.

    They begin behind the first eight of the palette, so that few runs never wear the colour of a class.
    """
    palette = list(charts.class_colours([str(place) for place in range(11)]).values())
    return {name: palette[(8 + place) % len(palette)] for place, name in enumerate(names)}


def legend(names: Sequence[str]) -> dict[str, float]:
    """Settings of a legend of names: room for them in the wider letters of a saved picture too."""
    return {
        "entrywidth": _LETTER * max((len(charts.written(name, _LONGEST_NAME)) for name in names), default=0)
    }


def cost(
    groups: Sequence[Mapping[str, Any]],
    figure: str,
    score: str,
    front: Sequence[int],
    *,
    x_title: str,
    y_title: str,
    height: int = 420,
) -> go.Figure:
    """A score with its interval against what it costs, on a logarithmic axis, and the Pareto front as steps.

    Args:
        groups: Groups of a comparison; those without the figure or the score are left out.
        figure: Name of the cost in a group.
        score: `accuracy` or `macro_f1`.
        front: Places of the groups on the Pareto front, cheapest first.
        x_title: Of the horizontal axis, with its unit.
        y_title: Of the vertical axis, in per cent.
        height: In pixels.
    """
    colours = run_colours([group["name"] for group in groups])
    steps = go.Scatter(
        x=[groups[place][figure] for place in front],
        y=[100 * groups[place][score] for place in front],
        name="Pareto front",
        mode="lines",
        line={"shape": "hv", "color": charts.NEUTRAL, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
    points = [
        go.Scatter(
            x=[group[figure]],
            y=[100 * group[score]],
            error_y=charts.whiskers([group[score]], [group[f"{score}_ci"]], scale=100),
            name=charts.written(group["name"], _LONGEST_NAME),
            mode="markers",
            marker={
                "size": 12,
                "color": colours[group["name"]],
                "symbol": "circle" if place in front else "circle-open",
            },
            hovertemplate="%{x:,.4g}, %{y:.3g} %",
        )
        for place, group in enumerate(groups)
        if group[figure] and group[score] is not None
    ]
    return charts.figure(
        steps,
        *points,
        height=height,
        legend=legend(["Pareto front", *colours]),
        xaxis={"title": x_title, "type": "log"},
        yaxis={"title": f"{y_title} (%)"},
    )


def class_bars(
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]],
    class_names: Sequence[str],
    score: str,
    title: str,
    *,
    height: int = 420,
) -> go.Figure:
    """One score of every class, one bar a run with its interval; an undefined one is left out, never 0.

    Args:
        scores: Run name to the `per_class` part of its report.
        class_names: The classes, in the lab's order.
        score: Name of the score in it, a share.
        title: What the axis calls it.
        height: In pixels.
    """
    colours = run_colours(list(scores))
    traces = []
    for name, classes in scores.items():
        known = [label for label in class_names if classes[label][score] is not None]
        values = [classes[label][score] for label in known]
        traces.append(
            go.Bar(
                x=known,
                y=[100 * value for value in values],
                error_y=charts.whiskers(
                    values, [classes[label][f"{score}_ci"] for label in known], scale=100
                ),
                name=charts.written(name, _LONGEST_NAME),
                marker={"color": colours[name]},
                hovertemplate="%{x}: " + title + " %{y:.3g} %",
            )
        )
    axis = {"categoryorder": "array", "categoryarray": list(class_names), **charts.name_axis(class_names)}
    return charts.figure(
        *traces,
        height=height,
        barmode="group",
        legend=legend(list(scores)),
        xaxis=axis,
        yaxis={"title": f"{title} (%)", "range": [0, 103]},
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


def confusion_difference(
    first: Sequence[Sequence[int]],
    second: Sequence[Sequence[int]],
    class_names: Sequence[str],
    *,
    shares: bool,
    dark: bool = False,
) -> go.Figure:
    """One confusion matrix minus another on the same images: violet where the second has more, pink fewer.

    Args:
        first: Counts that are subtracted, [true][predicted].
        second: Counts that they are subtracted from.
        class_names: The classes, in the lab's order.
        shares: Whether to subtract percentages of the true class in place of counts.
        dark: Whether the page is dark, where numbers are white on every cell.
    """
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    difference = two - one
    if shares:
        images = one.sum(axis=1, keepdims=True)
        difference = 100 * np.divide(difference, images, out=np.zeros_like(difference), where=images > 0)
    # The square root, as in the matrices beside it: one image more must be seen where another cell has 50.
    depth = np.sign(difference) * np.sqrt(np.abs(difference) / (np.abs(difference).max(initial=0.0) or 1.0))
    places = list(range(len(class_names)))
    heat = go.Heatmap(
        z=depth,
        x=places,
        y=places,
        zmin=-1,
        zmax=1,
        colorscale=[[0, _FEWER], [0.5, _NONE], [1, _MORE]],
        xgap=2,
        ygap=2,
        showscale=False,
        text=[
            [_difference_hover(one, two, (true, named), class_names) for named in places] for true in places
        ],
        hovertemplate="%{text}<extra></extra>",
    )
    cells = [(true, named) for true in places for named in places if difference[true, named]]
    # One trace, which is drawn ten times faster than as many annotations.
    numbers = go.Scatter(
        x=[named for _, named in cells],
        y=[true for true, _ in cells],
        text=[f"{difference[cell]:+.1f}" if shares else f"{difference[cell]:+,.0f}" for cell in cells],
        mode="text",
        textfont={
            "size": 12,
            "color": ["white" if dark or abs(depth[cell]) > _STRONG else _INK for cell in cells],
        },
        hoverinfo="skip",
    )
    names = [charts.written(name, _CELL_NAME) for name in class_names]
    ticks = {"tickvals": places, "ticktext": names, "showgrid": False, "fixedrange": True}
    edge = [-0.5, len(places) - 0.5]
    unit = "points of the true class" if shares else "images"
    return charts.figure(
        heat,
        numbers,
        height=charts_results.matrix_height(class_names),
        showlegend=False,
        xaxis={**ticks, "title": f"predicted ({unit}, B - A)", "range": edge, "tickangle": -40},
        yaxis={**ticks, "title": "true", "range": edge[::-1]},
    )


def _difference_hover(
    first: np.ndarray, second: np.ndarray, cell: tuple[int, int], class_names: Sequence[str]
) -> str:
    true, named = cell
    verb = "recognised" if true == named else f"taken for {escape(class_names[named], quote=False)}"
    return (
        f"<b>{escape(class_names[true], quote=False)}</b> {verb}: "
        f"A {first[cell]:,.0f}, B {second[cell]:,.0f} images"
    )
