"""Charts of the Split & balance page: parts, plans, SMOTE's images on a map, and what balancing changed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.cache_balance import Points
from app.components import charts
from app.components.charts import bar_by_class
from wbc_core.balance.realism import GHOST
from wbc_core.evaluation.intervals import wilson

_PARTS = {"train": (1.0, ""), "validation": (0.55, ""), "test": (0.3, "")}
_SHARES = {"kept": (1.0, ""), "added": (0.6, "/"), "left out": (0.18, "")}


def _stacked(
    series: Mapping[str, Sequence[int]],
    class_names: Sequence[str],
    looks: Mapping[str, tuple[float, str]],
    ends: Sequence[str],
) -> go.Figure:
    """Stack the series; `ends` is written at the end of each bar, where it is readable on any colour."""
    named = {
        name: dict(zip(class_names, counts, strict=True)) for name, counts in series.items() if any(counts)
    }
    figure = bar_by_class(named, class_names=class_names, height=90 + 34 * len(class_names))
    for trace in figure.data:
        trace.opacity, trace.marker.pattern.shape = looks[trace.name]
        trace.marker.opacity = 1
        trace.text = None
    totals = [sum(column) for column in zip(*series.values(), strict=True)]
    figure.add_scatter(
        x=totals,
        y=list(class_names),
        text=[f"  {end}" for end in ends],
        mode="text",
        textposition="middle right",
        showlegend=False,
        hoverinfo="skip",
        cliponaxis=False,
    )
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    figure.update_xaxes(range=[0, 1.4 * max(totals, default=1)])
    return figure


def parts_by_class(parts: Mapping[str, Sequence[int]], class_names: Sequence[str]) -> go.Figure:
    """Images of each class in each part of a split, stacked.

    Args:
        parts: Part name to images per class, in class order.
        class_names: Every class, in the lab's order.
    """
    ends = [" / ".join(f"{count:,}" for count in column) for column in zip(*parts.values(), strict=True)]
    return _stacked(parts, class_names, _PARTS, ends)


def balance_by_class(before: Sequence[int], after: Sequence[int], class_names: Sequence[str]) -> go.Figure:
    """What a balance plan does to the train images of each class: kept, added (hatched), left out (pale).

    Args:
        before: Train images per class, in class order.
        after: The same after the plan.
        class_names: Every class, in the lab's order.
    """
    pairs = list(zip(before, after, strict=True))
    series = {
        "kept": [min(pair) for pair in pairs],
        "added": [max(0, new - old) for old, new in pairs],
        "left out": [max(0, old - new) for old, new in pairs],
    }
    ends = [f"{new:,}" if new == old else f"{old:,} → {new:,}" for old, new in pairs]
    return _stacked(series, class_names, _SHARES, ends)


def ghost_shares(counts: Mapping[str, tuple[int, int]], class_names: Sequence[str]) -> go.Figure:
    """Share of ghosts among the SMOTE images of each class, with its 95 % interval.

    Args:
        counts: Class name to (ghosts, images looked at).
        class_names: Every class, in the lab's order.
    """
    values: dict[str, tuple[float | None, float | None, float | None]] = {}
    for name in class_names:
        ghosts, images = counts.get(name, (0, 0))
        low, high = wilson(ghosts, images) or (0.0, 0.0)
        values[name] = (100 * ghosts / images, 100 * low, 100 * high) if images else (None, None, None)
    figure = charts.interval_bars(
        values,
        x_title="ghosts among the SMOTE images (%)",
        colours=charts.class_colours(class_names),
        height=100 + 34 * len(class_names),
    )
    figure.update_xaxes(rangemode="tozero")
    return figure


def smote_map(points: Points, class_names: Sequence[str], chosen: str | None = None) -> go.Figure:
    """Real images as pale dots, synthetic ones as diamonds, ghosts as crosses.

    Args:
        points: Where they lie.
        class_names: Every class, in the lab's order.
        chosen: Draw this class alone.
    """
    colours, traces = charts.class_colours(class_names), []
    for label, name in enumerate(class_names):
        if chosen in (None, name):
            real, drawn = points.labels == label, points.drawn_labels == label
            look = {"legendgroup": name, "name": charts.written(name), "mode": "markers"}
            # The strong colour stands in the legend.
            traces += [
                _dots(points, real, colours[name], {**look, "showlegend": not drawn.any()}),
                _diamonds(points, drawn, colours[name], {**look, "showlegend": bool(drawn.any())}),
            ]
    first, second = (
        f"principal component {place + 1} ({100 * share:.0f} % of the variance)"
        for place, share in enumerate(points.map.explained)
    )
    across, up = window(points)
    return charts.figure(
        *traces,
        height=460,
        hovermode="closest",
        xaxis={"title": first, "showticklabels": False, "range": across},
        yaxis={"title": second, "showticklabels": False, "range": up},
    )


def window(points: Points) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where all but the farthest 1 % lie in either direction: a few odd images shall not crowd the others."""
    everything = np.concatenate([points.map.real, points.map.synthetic])
    ends = np.percentile(everything, (0.5, 99.5), axis=0)
    margin = 0.06 * (ends[1] - ends[0])
    (left, low), (right, high) = ends[0] - margin, ends[1] + margin
    return (float(left), float(right)), (float(low), float(high))


def outside(points: Points) -> int:
    """Number of images that the map's first view leaves out; a double click shows them."""
    everything = np.concatenate([points.map.real, points.map.synthetic])
    (left, right), (low, high) = window(points)
    inside = (everything >= (left, low)) & (everything <= (right, high))
    return int((~inside.all(axis=1)).sum())


def _dots(points: Points, own: np.ndarray, colour: str, look: Mapping[str, Any]) -> go.Scattergl:
    return go.Scattergl(
        x=points.map.real[own, 0],
        y=points.map.real[own, 1],
        text=[f"row {row}" for row in points.rows[own]],
        marker={"size": 6, "color": colour, "opacity": 0.35},
        hovertemplate="real, %{text}<extra>" + look["name"] + "</extra>",
        **look,
    )


def _diamonds(points: Points, own: np.ndarray, colour: str, look: Mapping[str, Any]) -> go.Scattergl:
    places = np.flatnonzero(own)
    return go.Scattergl(
        x=points.map.synthetic[own, 0],
        y=points.map.synthetic[own, 1],
        text=[
            f"between rows {points.drawn.base[place]} and {points.drawn.neighbour[place]}<br>"
            f"factor {points.drawn.factor[place]:.2f}, ghost score {points.scores[place]:.2f}"
            for place in places
        ],
        marker={
            "size": 8,
            "color": colour,
            "opacity": 0.9,
            "symbol": ["x" if score >= GHOST else "diamond" for score in points.scores[own]],
        },
        hovertemplate="synthetic, %{text}<extra>" + look["name"] + "</extra>",
        **look,
    )


def study_differences(
    differences: Sequence[Mapping[str, Any]], titles: Mapping[str, str], score: str
) -> go.Figure:
    """Each way of training minus the first, in points with its interval; across 0: no difference shown.

    Of accuracy each seed's difference stands there too, as an open circle.

    Args:
        differences: Of a study's comparison.
        titles: Way to its title.
        score: `accuracy` or `macro_f1`.
    """
    values = {}
    for entry in differences:
        low, high = entry[f"{score}_ci"] or (None, None)
        ends = (entry[score], low, high)
        values[titles[entry["way"]]] = tuple(None if end is None else 100 * end for end in ends)
    name = {"accuracy": "accuracy", "macro_f1": "macro-F1"}[score]
    figure = charts.interval_bars(
        values, x_title=f"difference of {name} (points)", height=110 + 52 * len(values)
    )
    figure.add_vline(x=0, line={"color": charts.NEUTRAL, "dash": "dash", "width": 1.5})
    seeds = [
        (100 * value, titles[entry["way"]])
        for entry in differences
        for value in entry["by_seed"]
        if score == "accuracy" and len(entry["by_seed"]) > 1
    ]
    figure.add_scatter(
        x=[value for value, _ in seeds],
        y=[title for _, title in seeds],
        mode="markers",
        marker={"size": 9, "symbol": "circle-open", "color": charts.NEUTRAL},
        hovertemplate="one seed: %{x:.3g}<extra></extra>",
    )
    return figure
