"""Charts of a sweep: two settings as a heat map, all as parallel coordinates, the importance of each."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from app.components import charts
from wbc_core.jobs.sweep_space import Range, Space
from wbc_core.records import Json
from wbc_core.training.setting import Value
from wbc_core.training.settings import SETTINGS

_VIOLETS = [[0.0, "#d9cdec"], [1.0, "#5b2f9e"]]
_SCORE = "accuracy (%)"


def written(value: Value) -> str:
    """The value of a setting, with three significant digits.

    Example:
        >>> written(0.000316), written(64), written("recipe")
        ('0.000316', '64', 'recipe')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _percent(entry: Json) -> float:
    return 100 * float(entry["val_accuracy"])


def _logarithmic(name: str, space: Space, entries: Sequence[Json]) -> bool:
    values = space[name]
    if isinstance(values, Range):
        return values.log
    numbers = [entry["parameters"][name] for entry in entries]
    return all(isinstance(x, (int, float)) and x > 0 for x in numbers) and max(numbers) > 10 * min(numbers)


def two_settings(entries: Sequence[Json], first: str, second: str, space: Space) -> go.Figure:
    """The best validation accuracy by two settings: cells where both are lists of values, else points.

    Args:
        entries: Trials of `summarise` that have a validation accuracy.
        first: Setting on the horizontal axis.
        second: Setting on the vertical axis.
        space: What varies in the sweep.
    """
    titles = {"xaxis": {"title": SETTINGS[first].title}, "yaxis": {"title": SETTINGS[second].title}}
    if isinstance(space[first], Range) or isinstance(space[second], Range):
        return _points(entries, first, second, space, titles)
    columns, rows = list(space[first]), list(space[second])
    best: dict[tuple[Value, Value], float] = {}
    for entry in entries:
        cell = (entry["parameters"][first], entry["parameters"][second])
        best[cell] = max(best.get(cell, 0.0), _percent(entry))
    heat = go.Heatmap(
        x=[written(value) for value in columns],
        y=[written(value) for value in rows],
        z=[[best.get((x, y)) for x in columns] for y in rows],
        colorscale=_VIOLETS,
        xgap=3,
        ygap=3,
        texttemplate="%{z:.1f}",
        hoverongaps=False,
        hovertemplate="%{x}, %{y}: %{z:.2f} %<extra></extra>",
        colorbar={"title": {"text": "%"}, "thickness": 12},
    )
    for axis in titles.values():
        axis["type"] = "category"
    return charts.figure(heat, height=150 + 46 * len(rows), **titles)


def _points(
    entries: Sequence[Json], first: str, second: str, space: Space, titles: dict[str, dict[str, Any]]
) -> go.Figure:
    for axis, name in (("xaxis", first), ("yaxis", second)):
        if _logarithmic(name, space, entries):
            titles[axis] |= {"type": "log", "exponentformat": "power", "dtick": 1}
    points = go.Scatter(
        x=[entry["parameters"][first] for entry in entries],
        y=[entry["parameters"][second] for entry in entries],
        mode="markers",
        marker={
            "size": 13,
            "color": [_percent(entry) for entry in entries],
            "colorscale": _VIOLETS,
            "colorbar": {"title": {"text": "%"}, "thickness": 12},
        },
        text=[f"trial {entry['trial']}: {_percent(entry):.2f} %" for entry in entries],
        hovertemplate="%{text}<br>%{x:.3g}, %{y:.3g}<extra></extra>",
    )
    return charts.figure(points, height=360, **titles)


def parallel(entries: Sequence[Json], names: Sequence[str], space: Space) -> go.Figure:
    """Parallel coordinates: a line a trial through its settings to its validation accuracy, last.

    Args:
        entries: Trials of `summarise` that have a validation accuracy.
        names: Settings, one axis each.
        space: What varies in the sweep.
    """
    scores = [_percent(entry) for entry in entries]
    axes = [_axis(entries, name, space) for name in names]
    trace = go.Parcoords(
        dimensions=[*axes, {"label": _SCORE, "values": scores, "tickformat": ".3g"}],
        line={"color": scores, "colorscale": _VIOLETS},
        labelfont={"size": 12},
    )
    return charts.figure(trace, height=340, margin={"l": 70, "r": 70, "t": 56, "b": 24})


def _axis(entries: Sequence[Json], name: str, space: Space) -> dict[str, Any]:
    values = [entry["parameters"][name] for entry in entries]
    label = {"label": SETTINGS[name].title}
    listed = space[name]
    if not isinstance(listed, Range):
        ticks = [charts.written(written(value)) for value in listed]
        return {
            **label,
            "values": [listed.index(value) for value in values],
            "tickvals": list(range(len(ticks))),
            "ticktext": ticks,
        }
    if not listed.log:
        return {**label, "values": values, "range": [listed.low, listed.high]}
    low, high = math.log10(listed.low), math.log10(listed.high)
    decades = sorted({low, *range(math.ceil(low), math.floor(high) + 1), high})
    return {
        **label,
        "values": [math.log10(value) for value in values],
        "range": [low, high],
        "tickvals": decades,
        "ticktext": [f"{10**decade:.3g}" for decade in decades],
    }


def importance(shares: Mapping[str, float]) -> go.Figure:
    """The share of the variance that each setting explains, as bars.

    Args:
        shares: Setting to share, 0..1, largest first.
    """
    names = [SETTINGS[name].title for name in shares]
    bars = go.Bar(
        x=[100 * share for share in shares.values()],
        y=names,
        orientation="h",
        marker={"color": charts.ACCENT},
        hovertemplate="%{y}: %{x:.3g} %<extra></extra>",
    )
    return charts.figure(
        bars,
        height=90 + 40 * len(names),
        xaxis={"title": "share of the variance explained (%)", "range": [0, 100]},
        yaxis={"autorange": "reversed", **charts.name_axis(names)},
    )
