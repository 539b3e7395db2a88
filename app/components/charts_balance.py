"""Bars of the Prepare pages: the parts of a split, and what a balance plan keeps, adds and leaves out."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from app.components.charts import bar_by_class

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
