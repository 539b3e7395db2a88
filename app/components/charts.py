"""The lab's charts: one look, one colour a class, classes always in the lab's own order."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app.components import figure_format

# The first eight came first in a search for the largest smallest distance (OKLab; normal, protan, deutan and
# tritan sight) among colours that stand out at least 2.5:1 on the light and on the dark page.
_COLOURS = (
    "#8048b0", "#10b0e0", "#f078a0", "#087060", "#a8a808", "#7878e8", "#a04808", "#908040",
    "#c8404c", "#2f62c8", "#e8892b", "#8a8894",
)  # fmt: skip
ACCENT = "#8a6cc0"
DECISION = "#d0528a"
NEUTRAL = "#8d8797"

VIOLETS = ((0.0, "rgba(138,108,192,0)"), (0.08, "rgba(138,108,192,.18)"), (1.0, "rgba(106,66,172,1)"))

# Text, grid and paper colours are left to Streamlit's theme, which follows light and dark without a rerun.
TEMPLATE = go.layout.Template(
    layout=go.Layout(
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        colorway=_COLOURS,
        hoverlabel={"namelength": -1},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        separators=".,",
        bargap=0.25,
        xaxis={"automargin": True, "zeroline": False},
        yaxis={"automargin": True, "zeroline": False},
    )
)
_LOOK = TEMPLATE.layout.to_plotly_json()
_LONGEST_NAME = 22
_HEIGHT = 340


def class_colours(class_names: Sequence[str]) -> dict[str, str]:
    """The colour of each class, by its place in the lab's order: the same in every chart.

    Args:
        class_names: Every class of the data set, in order. Beyond 12 classes the colours begin again.
    """
    return {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(class_names)}


def written(name: str, longest: int = _LONGEST_NAME) -> str:
    """A name as a chart writes it: short enough to leave room for the data, and never read as HTML."""
    return escape(name if len(name) <= longest else name[: longest - 1] + "…", quote=False)


def name_axis(names: Sequence[str]) -> dict[str, Any]:
    """Settings of an axis of names. Classes may be called 0 to 7: they are names all the same."""
    ticks = [written(name) for name in names]
    return {"type": "category", "tickmode": "array", "tickvals": list(names), "ticktext": ticks}


def figure(*traces: Any, height: int = _HEIGHT, **layout: Any) -> go.Figure:
    """Traces in the lab's look; what `layout` says wins."""
    # Given to the constructor the look costs a tenth of what updating with it does.
    drawn = go.Figure(list(traces), layout=_LOOK)
    drawn.update_layout(height=height, **layout)
    return drawn


def draw(figure: go.Figure, *, key: str, **widget: Any) -> Any:
    """Draw a figure the lab's way: full width, in the page's theme, with a camera that saves it.

    Args:
        figure: From a function of this module.
        key: Unique on the page.
        widget: Passed on to `st.plotly_chart` (`on_select`, `selection_mode`).
    """
    config = {
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": figure_format.options(key),
    }
    return st.plotly_chart(figure, key=key, width="stretch", theme="streamlit", config=config, **widget)


def bar_by_class(
    counts: Mapping[str, Mapping[str, float]] | Mapping[str, float],
    *,
    class_names: Sequence[str],
    unit: str = "images",
    height: int = _HEIGHT,
) -> go.Figure:
    """Horizontal bars of a number per class.

    Args:
        counts: Class name to number; or series name (before, after) to such a mapping, drawn side by side.
        class_names: Every class, in the lab's order.
        unit: What is counted, for the axis.
        height: In pixels.
    """
    colours = class_colours(class_names)
    nested = any(isinstance(value, Mapping) for value in counts.values())
    series: Mapping[str, Any] = counts if nested else {"": counts}
    opacities = np.linspace(0.45, 1, len(series)) if nested else [1.0]
    traces = [
        go.Bar(
            x=[values.get(name, 0) for name in class_names],
            y=list(class_names),
            name=label,
            orientation="h",
            marker={"color": [colours[name] for name in class_names], "opacity": float(opacity)},
            text=[
                f"{values.get(name, 0):,.4g}" if unit != "images" else f"{values.get(name, 0):,.0f}"
                for name in class_names
            ],
            textposition="auto",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:,} " + unit + f"<extra>{label}</extra>",
        )
        for (label, values), opacity in zip(series.items(), opacities, strict=True)
    ]
    return figure(
        *traces,
        height=height,
        barmode="group",
        showlegend=nested,
        xaxis={"title": unit, "tickformat": ","},
        yaxis={"autorange": "reversed", **name_axis(class_names)},
    )


_FEW_POINTS = 6
_DASHES = ("solid", "dash", "dot", "dashdot")


def lines(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x_title: str,
    y_title: str,
    colours: Mapping[str, str] | None = None,
    height: int = _HEIGHT,
) -> go.Figure:
    """Curves over one axis.

    Args:
        series: Name to (x values, y values); drawn in this order.
        x_title: Of the horizontal axis, with its unit.
        y_title: Of the vertical axis, with its unit.
        colours: Name to colour; the palette's by default.
        height: In pixels.
    """
    palette = colours or class_colours(list(series))
    traces = [
        go.Scatter(
            x=list(x),
            y=list(y),
            name=name,
            mode="lines+markers" if len(list(x)) < 3 else "lines",
            line={"color": palette.get(name, NEUTRAL), "width": 2, "dash": _DASHES[place // 4 % 4]},
            hovertemplate="%{x}: %{y:.4g}",
        )
        for place, (name, (x, y)) in enumerate(series.items())
    ]
    points = [value for x, _ in series.values() for value in x]
    # Few epochs would else get ticks at their halves.
    few = {"dtick": 1} if points and max(points) - min(points) <= _FEW_POINTS else {}
    return figure(
        *traces,
        height=height,
        hovermode="x unified",
        xaxis={"title": x_title, **few},
        yaxis={"title": y_title},
    )


def whiskers(
    values: Sequence[float],
    ends: Sequence[Sequence[float] | None],
    *,
    scale: float = 1,
    thickness: float = 1.5,
    width: float = 4,
    colour: str = NEUTRAL,
) -> dict[str, Any]:
    """Intervals as error bars of a trace; a missing one has no length.

    Args:
        values: What the trace shows, before `scale`.
        ends: Lower and upper end of each value.
        scale: What values and ends are multiplied by.
        thickness: Of the bar, in pixels.
        width: Of its ends, in pixels.
        colour: Of the bar.
    """
    pairs = [interval or (value, value) for value, interval in zip(values, ends, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": [scale * (high - value) for value, (_, high) in zip(values, pairs, strict=True)],
        "arrayminus": [scale * (value - low) for value, (low, _) in zip(values, pairs, strict=True)],
        "thickness": thickness,
        "width": width,
        "color": colour,
    }


def interval_bars(
    values: Mapping[str, tuple[float | None, float | None, float | None]],
    *,
    x_title: str,
    colours: Mapping[str, str] | None = None,
    height: int = _HEIGHT,
) -> go.Figure:
    """Points with 95 % intervals as whiskers; an undefined value is left out, never drawn as 0.

    Args:
        values: Name to (value, lower end, upper end).
        x_title: What is measured, with its unit.
        colours: Name to colour; the accent by default.
        height: In pixels.
    """
    known = {name: entry for name, entry in values.items() if entry[0] is not None}
    # An interval that is not known is drawn as none: both its ends are the value itself.
    ends = [
        (value, value if low is None else low, value if high is None else high)
        for value, low, high in known.values()
    ]
    trace = go.Scatter(
        x=[value for value, _, _ in ends],
        y=list(known),
        mode="markers",
        marker={"size": 10, "color": [(colours or {}).get(name, ACCENT) for name in known]},
        error_x=whiskers(
            [value for value, _, _ in ends], [(low, high) for _, low, high in ends], thickness=1.6, width=5
        ),
        hovertemplate="%{y}: %{x:.4g}<extra></extra>",
    )
    return figure(
        trace,
        height=height,
        showlegend=False,
        xaxis={"title": x_title},
        yaxis={
            "autorange": "reversed",
            "categoryorder": "array",
            "categoryarray": list(values),
            **name_axis(list(values)),
            "title": None,
        },
    )
