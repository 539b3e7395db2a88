"""Charts of the report's section Confidence: reliability before and after, risk against coverage."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.components import charts
from wbc_core.wording import counted

_COLOURS = {"As trained": charts.NEUTRAL, "With temperature": charts.ACCENT}


def reliability(series: Mapping[str, Sequence[Mapping[str, Any]]], *, height: int = 380) -> go.Figure:
    """Accuracy against confidence with intervals; on the diagonal it is honest.

    Args:
        series: `As trained`, and `With temperature` where there is one, to the reliability bins.
        height: In pixels.
    """
    diagonal = go.Scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        line={"color": charts.NEUTRAL, "dash": "dash", "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    most = max((entry["images"] for bins in series.values() for entry in bins), default=1)
    traces = [
        go.Scatter(
            x=[100 * entry["confidence"] for entry in bins],
            y=[100 * entry["accuracy"] for entry in bins],
            error_y=charts.whiskers(
                [entry["accuracy"] for entry in bins],
                [entry["accuracy_ci"] for entry in bins],
                scale=100,
                thickness=1.2,
                width=3,
                colour=_COLOURS[name],
            ),
            name=name,
            mode="markers",
            # Area tells the number of images; never so small that it cannot be hovered.
            marker={
                "size": [6 + 20 * np.sqrt(entry["images"] / most) for entry in bins],
                "color": _COLOURS[name],
                "symbol": "diamond" if name == "As trained" else "circle",
                "opacity": 0.8,
                "line": {"width": 0},
            },
            customdata=[counted(entry["images"], "image") for entry in bins],
            cliponaxis=False,
            hovertemplate="confidence %{x:.3g} %, right %{y:.3g} %, %{customdata}",
        )
        for name, bins in series.items()
    ]
    return charts.figure(
        diagonal,
        *traces,
        height=height,
        showlegend=len(series) > 1,
        legend={"itemsizing": "constant"},
        xaxis={"title": "mean confidence (%)", "range": [-2, 103]},
        yaxis={"title": "predictions that are right (%)", "range": [-2, 103]},
    )


def risk_coverage(
    curve: Mapping[str, Sequence[float]], chosen: Mapping[str, Any], *, height: int = 380
) -> go.Figure:
    """Errors among what the model names itself against how much that is, with the chosen share marked.

    Args:
        curve: `coverage` and `risk`, each in 0..1.
        chosen: Entry of a reject option.
        height: In pixels.
    """
    line = go.Scatter(
        x=[100 * value for value in curve["coverage"]],
        y=[100 * value for value in curve["risk"]],
        mode="lines",
        line={"color": charts.ACCENT, "width": 2},
        hovertemplate="names %{x:.3g} %, of which %{y:.3g} % wrong<extra></extra>",
    )
    traces = [line]
    if chosen["accuracy"] is not None:
        low, high = (1 - end for end in reversed(chosen["accuracy_ci"]))
        risk = 1 - chosen["accuracy"]
        traces.append(
            go.Scatter(
                x=[100 * (1 - chosen["sent_share"])],
                y=[100 * risk],
                error_y=charts.whiskers([risk], [(low, high)], scale=100, width=5, colour=charts.DECISION),
                mode="markers",
                marker={"size": 12, "color": charts.DECISION},
                hovertemplate="names %{x:.3g} %, of which %{y:.3g} % wrong<extra></extra>",
            )
        )
    return charts.figure(
        *traces,
        height=height,
        showlegend=False,
        xaxis={"title": "pictures that the model names (%)", "range": [0, 103]},
        yaxis={"title": "wrong among them (%)", "rangemode": "tozero"},
    )
