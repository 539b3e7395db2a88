"""Charts and pictures of the Compare page: cost, classes, curves, disagreements."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import cache, results_cache, state
from app.components import charts, charts_results
from app.components.gallery import Item, gallery
from app.components.page import percent, thousands
from wbc_core.evaluation import browsing
from wbc_core.training import runs

COSTS = {"parameters": "Parameters", "training_seconds": "Training time"}
_COST_AXES = {"parameters": "parameters", "training_seconds": "training time (s)"}
_SHOWN = 60


def draw_cost(comparison: Mapping[str, Any], key: str) -> None:
    """Draw accuracy against what a run costs."""
    figure = st.segmented_control(
        "Cost",
        list(COSTS),
        format_func=COSTS.get,
        default="parameters",
        required=True,
        key=f"cost{key}",
        bind="query-params",
        label_visibility="collapsed",
    )
    chart = charts_results.cost(comparison["runs"], figure, x_title=_COST_AXES[figure])
    charts.draw(chart, key=f"cost-chart{key}")


def draw_classes(comparison: Mapping[str, Any], key: str) -> None:
    """Draw F1 of every class, one bar a run."""
    scores = {
        run["name"]: results_cache.report(run["run"], comparison["part"])["per_class"]
        for run in comparison["runs"]
    }
    charts.draw(charts_results.class_f1(scores, comparison["classes"]), key=f"class-f1{key}")


def draw_curves(comparison: Mapping[str, Any], key: str) -> None:
    """Draw the validation accuracy of every run over its epochs."""
    series = {}
    for run in comparison["runs"]:
        history = runs.history(state.workspace(), run["run"])
        series[run["name"]] = (history["epoch"].tolist(), history["val_accuracy"].tolist())
    colours = charts_results.run_colours(list(series))
    figure = charts.lines(series, x_title="epoch", y_title="validation accuracy", colours=colours)
    figure.update_yaxes(tickformat=".0%", hoverformat=".1%")
    charts.draw(figure, key=f"curves{key}")


def _item(line: Mapping[str, Any], source: str, names: Sequence[str], comparison: Mapping[str, Any]) -> Item:
    said = []
    for run in comparison["runs"]:
        predicted, confidence = line[f"predicted {run['run']}"], line[f"confidence {run['run']}"]
        said.append(f"{run['name']}: {names[predicted]} {percent(confidence, 0)}")
    right = f"{line['right']} of {len(comparison['runs'])} right"
    return Item(
        row=int(line["row"]),
        src=source,
        label=names[line["label"]],
        badge=right,
        mark=None,
        title=f"Labelled {names[line['label']]}. " + "; ".join(said),
        group=None,
    )


def draw_disagreements(comparison: Mapping[str, Any], key: str) -> None:
    """Draw the images on which the runs predict different classes."""
    tables = {
        run["run"]: results_cache.report_predictions(run["run"], comparison["part"])
        for run in comparison["runs"]
    }
    images = browsing.disagreements(tables)
    if images.empty:
        st.markdown(":gray[The runs agree on every image.]")
        return
    shown = images.head(_SHOWN)
    st.caption(
        f"{thousands(len(images))} of {thousands(comparison['images'])} images"
        + (f", the first {_SHOWN} shown" if len(images) > _SHOWN else "")
        + "; those that fewest runs got right come first."
    )
    names = comparison["classes"]
    sources = cache.thumbnails(comparison["dataset"], tuple(int(row) for row in shown["row"]))
    lines = shown.to_dict("records")
    items = [_item(line, source, names, comparison) for line, source in zip(lines, sources, strict=True)]
    gallery(items, key=f"disagreements{key}", class_names=names, actions=False, height=420)
