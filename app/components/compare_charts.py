"""Charts of the Compare page: score against cost with its Pareto front, scores of classes, curves."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import results_cache, state
from app.components import charts, charts_compare
from app.components.page import plain
from app.components.results_text import RATES
from wbc_core.evaluation.pareto import costs_compare, pareto_front
from wbc_core.training import runs

SCORES = {"accuracy": "Accuracy", "macro_f1": "Macro-F1"}
COSTS = {
    "parameters": ("Parameters", "parameters"),
    "latency_ms": ("Latency", "median latency of one image (ms)"),
    "training_seconds": ("Training time", "training time (s)"),
}
_CURVES = {
    "val_accuracy": ("Validation accuracy", "validation accuracy"),
    "val_loss": ("Validation loss", "validation loss (nats)"),
    "loss": ("Training loss", "training loss (nats)"),
}


def draw_cost(comparison: Mapping[str, Any], key: str) -> None:
    """Draw a score of every way of training against what it costs, and name the Pareto front."""
    groups = comparison["groups"]
    known = [cost for cost in COSTS if any(group[cost] for group in groups)]
    with st.container(horizontal=True):
        score = state.choose_view("Score", f"score{key}", SCORES)
        figure = state.choose_view("Cost", f"cost{key}", {cost: COSTS[cost][0] for cost in known})
    fair = costs_compare(groups, figure)
    front = (
        pareto_front([group[figure] or None for group in groups], [group[score] for group in groups])
        if fair
        else []
    )
    chart = charts_compare.cost(
        groups, figure, score, front, x_title=COSTS[figure][1], y_title=SCORES[score].lower()
    )
    charts.draw(chart, key=f"cost-chart{key}")
    named = ", ".join(plain(groups[place]["name"]) for place in front)
    if fair:
        st.markdown(
            f"On the Pareto front, where nothing cheaper is as good: {named}. Whether a step along it was "
            "shown to be one is said under Differences."
        )
    _latency_words(groups)


def _latency_words(groups: list[Mapping[str, Any]]) -> None:
    missing = [plain(group["name"]) for group in groups if group["latency_ms"] is None]
    machines = sorted({group["latency_on"] for group in groups if group["latency_on"]})
    said = []
    if missing:
        said.append(f"No latency measured of {', '.join(missing)}: the Report page measures it.")
    if machines:
        said.append(f"Latency of one image, measured on {plain(', '.join(machines))}.")
    if len(machines) > 1:
        said.append("Times of different machines do not compare.")
    st.caption(" ".join(said))


def draw_classes(comparison: Mapping[str, Any], key: str) -> None:
    """Draw a score of every class with its interval, one bar a run."""
    score = state.choose_view("Score", f"class-score{key}", {"f1": RATES["f1"], **RATES})
    scores = {
        run["name"]: results_cache.report(run["run"], comparison["part"])["per_class"]
        for run in comparison["runs"]
    }
    chart = charts_compare.class_bars(scores, comparison["classes"], score, RATES[score])
    charts.draw(chart, key=f"class-bars{key}")
    st.caption("Whiskers: 95 % intervals. Overlapping ones do not say that there is no difference.")


def draw_curves(comparison: Mapping[str, Any], key: str) -> None:
    """Draw what every run measured over its epochs."""
    column = state.choose_view("Curve", f"curve{key}", {name: title for name, (title, _) in _CURVES.items()})
    series = {}
    for run in comparison["runs"]:
        history = runs.history(state.workspace(), run["run"])
        if len(history):
            series[run["name"]] = (history["epoch"].tolist(), history[column].tolist())
    colours = charts_compare.run_colours([run["name"] for run in comparison["runs"]])
    figure = charts.lines(series, x_title="epoch", y_title=_CURVES[column][1], colours=colours, height=420)
    figure.update_layout(legend=charts_compare.legend(list(series)))
    if column == "val_accuracy":
        figure.update_yaxes(tickformat=".0%", hoverformat=".1%")
    charts.draw(figure, key=f"curves{key}")
