"""The parts of the Compare page: verdicts, runs with intervals, cost, classes, curves, disagreements."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import cache, results_cache, state
from app.components import charts, charts_results, leaky
from app.components.gallery import Item, gallery
from app.components.page import percent, plain, seconds, thousands
from app.components.results_text import (
    CHOSEN_ON_VALIDATION,
    megabytes,
    p_value,
    points,
    share,
    share_with_interval,
)
from wbc_core.evaluation import browsing
from wbc_core.evaluation.compare import SIGNIFICANCE
from wbc_core.training import runs

COSTS = {"parameters": "Parameters", "training_seconds": "Training time"}
_COST_AXES = {"parameters": "parameters", "training_seconds": "training time (s)"}
_SHOWN = 60


def verdicts(comparison: Mapping[str, Any]) -> None:
    """Say of every pair whether a difference was shown."""
    leaky.mark(comparison["leaky"])
    for pair in comparison["pairs"]:
        shown = pair["holm_p"] < SIGNIFICANCE
        icon = ":material/trending_up:" if shown else ":material/drag_handle:"
        st.markdown(f"{icon} {plain(pair['words'])}")


def runs_table(comparison: Mapping[str, Any]) -> pd.DataFrame:
    """The compared runs as a table: figures with intervals, cost, and only the settings that differ."""
    lines = []
    for run in comparison["runs"]:
        settings = {
            name.replace("_", " ").capitalize(): str(value)
            for name, value in run["settings"].items()
            if name not in ("backbone", "prepared")
        }
        lines.append(
            {
                "Run": run["name"],
                "Accuracy": share_with_interval(run["accuracy"], run["accuracy_ci"]),
                "Macro-F1": share_with_interval(run["macro_f1"], run["macro_f1_ci"]),
                "Calibration error": share(run["ece"]),
                "Parameters": run["parameters"],
                "Training time": seconds(run["training_seconds"]),
                "Model file": megabytes(run["file_size_bytes"]),
                **settings,
                "Id": run["run"],
            }
        )
    return pd.DataFrame(lines)


def draw_runs(comparison: Mapping[str, Any]) -> None:
    """Draw the table of runs."""
    st.dataframe(
        runs_table(comparison),
        hide_index=True,
        height="content",
        column_config={
            "Run": st.column_config.TextColumn(pinned=True),
            "Parameters": st.column_config.NumberColumn(format="localized"),
        },
    )
    settings = ", ".join(
        name.replace("_", " ") for name in comparison["differing"] if name not in ("backbone", "prepared")
    )
    st.caption(
        f"{thousands(comparison['images'])} images of the {comparison['part']} part; 95 % intervals in "
        "brackets. "
        + (f"Settings that differ: {settings}." if settings else "All other settings are the same.")
        + (f" {CHOSEN_ON_VALIDATION}" if comparison["part"] == "validation" else "")
    )


def pairs_table(comparison: Mapping[str, Any]) -> pd.DataFrame:
    """All pairs as a table: differences in points with intervals, discordant images, p-values."""
    names = {run["run"]: run["name"] for run in comparison["runs"]}
    return pd.DataFrame(
        [
            {
                "A": names[pair["a"]],
                "B": names[pair["b"]],
                "Accuracy, B - A (points)": points(
                    pair["accuracy_difference"], pair["accuracy_difference_ci"]
                ),
                "Macro-F1, B - A (points)": points(
                    pair["macro_f1_difference"], pair["macro_f1_difference_ci"]
                ),
                "Only A right": pair["only_a_right"],
                "Only B right": pair["only_b_right"],
                "McNemar p": p_value(pair["mcnemar_p"]),
                "Holm p": p_value(pair["holm_p"]),
                "Test": pair["mcnemar_method"],
            }
            for pair in comparison["pairs"]
        ]
    )


def draw_pairs(comparison: Mapping[str, Any]) -> None:
    """Draw the differences of all pairs, as whiskers and as a table."""
    names = {run["run"]: run["name"] for run in comparison["runs"]}
    charts.draw(charts_results.differences(comparison["pairs"], names), key="differences")
    st.dataframe(pairs_table(comparison), hide_index=True, height="content")
    st.caption(
        "Intervals: paired bootstrap on the same resampled images, 2,000 draws. p: McNemar's test, "
        "Holm-adjusted over all pairs."
    )


def draw_cost(comparison: Mapping[str, Any]) -> None:
    """Draw accuracy against what a run costs."""
    figure = st.segmented_control(
        "Cost",
        list(COSTS),
        format_func=COSTS.get,
        default="parameters",
        required=True,
        key="cost",
        bind="query-params",
        label_visibility="collapsed",
    )
    chart = charts_results.cost(comparison["runs"], figure, x_title=_COST_AXES[figure])
    charts.draw(chart, key="cost-chart")


def draw_classes(comparison: Mapping[str, Any]) -> None:
    """Draw F1 of every class, one bar a run."""
    scores = {
        run["name"]: results_cache.report(run["run"], comparison["part"])["per_class"]
        for run in comparison["runs"]
    }
    charts.draw(charts_results.class_f1(scores, comparison["classes"]), key="class-f1")


def draw_curves(comparison: Mapping[str, Any]) -> None:
    """Draw the validation accuracy of every run over its epochs."""
    series = {}
    for run in comparison["runs"]:
        history = runs.history(state.workspace(), run["run"])
        series[run["name"]] = (history["epoch"].tolist(), history["val_accuracy"].tolist())
    colours = charts_results.run_colours(list(series))
    figure = charts.lines(series, x_title="epoch", y_title="validation accuracy", colours=colours)
    figure.update_yaxes(tickformat=".0%", hoverformat=".1%")
    charts.draw(figure, key="curves")


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


def draw_disagreements(comparison: Mapping[str, Any], dataset: str) -> None:
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
    sources = cache.thumbnails(dataset, tuple(int(row) for row in shown["row"]))
    lines = shown.to_dict("records")
    items = [_item(line, source, names, comparison) for line, source in zip(lines, sources, strict=True)]
    gallery(items, key="disagreements", class_names=names, actions=False, height=420)
