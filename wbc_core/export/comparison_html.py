"""A whole comparison as one HTML file that loads nothing: words, tables and figures."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from wbc_core.curation.cleaning_report_html import STYLE, html_document
from wbc_core.evaluation.pareto import costs_compare, pareto_front
from wbc_core.export import svg
from wbc_core.export.card_html import section_html
from wbc_core.export.comparison_tables import comparison_sections
from wbc_core.records import Json
from wbc_core.wording import counted

_COSTS = {
    "parameters": "parameters",
    "latency_ms": "median latency of one image (ms)",
    "training_seconds": "training time (s)",
}
_MATRICES = 12
_STYLE = "body { max-width: 1240px; } td { font-size: .85rem; } header + p { margin-bottom: 1rem; }\n"


def as_html(
    comparisons: Sequence[tuple[Json, Mapping[str, Json], Mapping[str, pd.DataFrame]]], apart: str
) -> str:
    """Write comparisons as one document; every name is escaped.

    Args:
        comparisons: Of each split, the entry of `compare_splits`, the runs' complete reports and their
            histories.
        apart: Why there are several, in words; empty for one.
    """
    style = STYLE + Path(__file__).with_name("card.css").read_text(encoding="utf-8") + _STYLE
    runs = sum(len(comparison["runs"]) for comparison, _, _ in comparisons)
    title = f"Comparison of {runs} runs"
    parts = [f'<header><p class="kind">WBC Lab</p><h1>{escape(title)}</h1></header>']
    parts += [f"<p>{escape(apart)}</p>"] if apart else []
    for comparison, reports, histories in comparisons:
        if len(comparisons) > 1:
            parts.append(f"<h1>Split {escape(comparison['split'])}</h1>")
        parts += _comparison(comparison, reports, histories)
    return html_document(title, style, "\n".join(parts))


def _comparison(
    comparison: Json, reports: Mapping[str, Json], histories: Mapping[str, pd.DataFrame]
) -> list[str]:
    written = {
        name: section_html(section) for name, section in comparison_sections(comparison, reports).items()
    }
    figures = {
        "verdicts": _differences(comparison["group_pairs"]),
        "groups" if "groups" in written else "runs": _costs(comparison["groups"]),
    }
    parts = [html + figures.get(name, "") for name, html in written.items()]
    return [
        *parts,
        _classes(comparison, reports),
        _curves(comparison, histories),
        _matrices(comparison, reports),
    ]


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def _differences(pairs: Sequence[Json]) -> str:
    values = {
        f"{pair['b']} - {pair['a']}": (
            100 * pair["accuracy_difference"],
            100 * pair["accuracy_difference_ci"][0],
            100 * pair["accuracy_difference_ci"][1],
        )
        for pair in pairs
        if pair["accuracy_difference_ci"]
    }
    if not values:
        return ""
    drawing = svg.intervals(values, "difference of accuracy (points)", zero=True)
    return _figure(drawing, "An interval that crosses 0 shows no difference.")


def _costs(groups: Sequence[Json]) -> str:
    parts = []
    for cost, title in _COSTS.items():
        known = [group for group in groups if group[cost] and group["accuracy_ci"]]
        if len(known) < 2 or not costs_compare(known, cost):
            continue
        values = {
            group["name"]: (
                float(group[cost]),
                (100 * group["accuracy"], 100 * group["accuracy_ci"][0], 100 * group["accuracy_ci"][1]),
            )
            for group in known
        }
        front = pareto_front([group[cost] for group in known], [group["accuracy"] for group in known])
        names = [known[place]["name"] for place in front]
        drawing = svg.points(values, names, (title, "accuracy (%)"))
        parts.append(_figure(drawing, f"On the Pareto front: {', '.join(names)}."))
    return "".join(parts)


def _classes(comparison: Json, reports: Mapping[str, Json]) -> str:
    parts = []
    for name in comparison["classes"]:
        values = {}
        for run in comparison["runs"]:
            score = reports[run["run"]]["per_class"][name]
            if score["f1_ci"]:
                values[run["name"]] = (100 * score["f1"], 100 * score["f1_ci"][0], 100 * score["f1_ci"][1])
        if values:
            parts.append(_figure(svg.intervals(values, f"F1 of {name} (%)"), ""))
    return f"<section><h2>Classes, with 95 % intervals</h2>{''.join(parts)}</section>"


def _curves(comparison: Json, histories: Mapping[str, pd.DataFrame]) -> str:
    names = {run["run"]: run["name"] for run in comparison["runs"]}
    series = {
        names[run_id]: (history["epoch"].tolist(), (100 * history["val_accuracy"]).tolist())
        for run_id, history in histories.items()
        if len(history)
    }
    if not series:
        return ""
    drawing = svg.curves(series, ("epoch", "validation accuracy (%)"))
    return f"<section><h2>Learning curves</h2>{_figure(drawing, '')}</section>"


def _matrices(comparison: Json, reports: Mapping[str, Json]) -> str:
    shown = comparison["runs"][:_MATRICES]
    drawings = [
        svg.matrix(reports[run["run"]]["confusion"], comparison["classes"], f"{run['name']} (images)")
        for run in shown
    ]
    if len(comparison["runs"]) == 2:
        one, two = (reports[run["run"]]["confusion"] for run in shown)
        difference = [[b - a for a, b in zip(*lines, strict=True)] for lines in zip(one, two, strict=True)]
        title = f"{shown[1]['name']} - {shown[0]['name']}"
        drawings.append(svg.matrix(difference, comparison["classes"], title, signed=True))
    left_out = len(comparison["runs"]) - len(shown)
    note = (
        f'<p class="note">{counted(left_out, "more run is", "more runs are")} left out here.</p>'
        if left_out
        else ""
    )
    figures = "".join(_figure(drawing, "") for drawing in drawings)
    return f'<section><h2>Confusion matrices</h2><div class="samples">{figures}</div>{note}</section>'
