"""Chart of the Report's section on robustness: accuracy against the strength of every shift."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from app.components import charts
from app.components.charts_compare import run_colours
from app.components.results_text import share_with_interval

_APART = 0.09


def accuracy_by_strength(
    clean: Mapping[str, Any] | None,
    shifts: Mapping[str, Mapping[int, Mapping[str, Any]]],
    *,
    strengths: tuple[int, ...],
    height: int = 400,
) -> go.Figure:
    """Accuracy with its Wilson interval against strength, one line a shift; strength 0 is no shift.

    Args:
        clean: Figures of the images as they are, where there are any.
        shifts: Title of each shift to its figures by strength.
        strengths: All strengths, in order.
        height: In pixels.
    """
    colours = run_colours(list(shifts))
    traces = []
    for place, (title, by_strength) in enumerate(shifts.items()):
        figures = ({0: clean} if clean else {}) | dict(sorted(by_strength.items()))
        # Side by side, since whiskers that lie on each other cannot be told apart.
        aside = _APART * (place - (len(shifts) - 1) / 2)
        accuracies = [own["accuracy"] for own in figures.values()]
        ends = [own["accuracy_ci"] for own in figures.values()]
        bars = charts.whiskers(accuracies, ends, scale=100, thickness=1.2, width=2, colour=colours[title])
        hover = [
            f"strength {strength}: {share_with_interval(own['accuracy'], own['accuracy_ci'])}"
            for strength, own in figures.items()
        ]
        traces.append(
            go.Scatter(
                x=[strength + (aside if strength else 0) for strength in figures],
                y=[100 * value for value in accuracies],
                error_y=bars,
                name=title,
                mode="lines+markers",
                line={"color": colours[title], "width": 2},
                marker={"size": 7},
                text=hover,
                hovertemplate="%{text}",
            )
        )
    return charts.figure(
        *traces,
        height=height,
        xaxis={
            "title": "strength of the shift",
            "tickvals": [0, *strengths],
            "ticktext": ["none", *map(str, strengths)],
            "range": [-0.2, strengths[-1] + 0.3],
        },
        yaxis={"title": "accuracy (%)"},
    )
