"""The differences of a comparison: verdicts in words, ways of training with seeds pooled, every pair."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components import charts, charts_compare, leaky
from app.components.page import plain, seconds, thousands
from app.components.results_text import (
    CHOSEN_ON_VALIDATION,
    megabytes,
    share,
    share_with_interval,
    spread,
)
from wbc_core.evaluation.compare import FITTED_HERE
from wbc_core.evaluation.pairs import SIGNIFICANCE
from wbc_core.evaluation.significance import p_value, points
from wbc_core.wording import counted

_VERDICTS = 8
_CHARTED = 16
_IN_NAMES = ("backbone", "prepared")
_COST = "Cost of mix-ups, per 100 images"


def draw(comparison: Mapping[str, Any], key: str) -> None:
    """Draw the section.

    Args:
        comparison: One split's comparison.
        key: What sets its widgets apart from another split's.
    """
    leaky.mark(comparison["leaky"])
    _draw_verdicts(comparison)
    for run in comparison["runs"]:
        if run["weights_fitted_here"]:
            st.caption(f"{plain(run['name'])}: {FITTED_HERE}")
    pooled = any(len(group["runs"]) > 1 for group in comparison["groups"])
    if pooled:
        _draw_table(groups_table(comparison["groups"]))
        _caption(comparison, comparison["groups"])
        if comparison["group_pairs"]:
            _draw_pairs(comparison["group_pairs"], f"group-differences{key}")
            st.caption(
                "Means over the seeds. Intervals: images resampled with the predictions of all seeds, 2,000 "
                "draws. p: McNemar's test between single runs, else signs of the images' mean differences "
                "flipped 10,000 times; Holm-adjusted over all pairs of this table. They speak of these "
                "models on other images; the spread over the seeds says how far another seed would move them."
            )
    with st.expander("Every run by itself", expanded=not pooled):
        _draw_table(runs_table(comparison["runs"]))
        if not pooled:
            _caption(comparison, comparison["runs"])
        _draw_run_pairs(comparison, key)


def _draw_verdicts(comparison: Mapping[str, Any]) -> None:
    pairs = comparison["group_pairs"]
    if not pairs:
        st.markdown("All runs are one way of training: their spread over the seeds is below.")
    # What was shown comes first; the rest would bury it.
    ordered = sorted(pairs, key=lambda pair: pair["holm_p"] >= SIGNIFICANCE)
    for pair in ordered[:_VERDICTS]:
        _draw_verdict(pair)
    if len(ordered) > _VERDICTS:
        with st.expander(f"{len(ordered) - _VERDICTS} more pairs"):
            for pair in ordered[_VERDICTS:]:
                _draw_verdict(pair)


def _draw_verdict(pair: Mapping[str, Any]) -> None:
    shown = pair["holm_p"] < SIGNIFICANCE
    icon = ":material/trending_up:" if shown else ":material/drag_handle:"
    st.markdown(f"{icon} {plain(pair['words'])}")


def _settings(entry: Mapping[str, Any]) -> dict[str, str]:
    return {
        name.replace("_", " ").capitalize(): "–" if value is None else str(value)
        for name, value in entry["settings"].items()
        if name not in _IN_NAMES
    }


def groups_table(groups: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Ways of training as a table: means with intervals, spread over seeds, and only settings that differ."""
    return pd.DataFrame(
        [
            {
                "Trained": group["name"],
                "Seeds": group["pooled"],
                "Accuracy": share_with_interval(group["accuracy"], group["accuracy_ci"]),
                "Over the seeds": spread(group["accuracy_sd"], group["accuracy_range"]),
                "Macro-F1": share_with_interval(group["macro_f1"], group["macro_f1_ci"]),
                "Macro-F1 over the seeds": spread(group["macro_f1_sd"], group["macro_f1_range"]),
                "Parameters": group["parameters"],
                "Training time": seconds(group["training_seconds"]),
                **_settings(group),
            }
            for group in groups
        ]
    )


def _mixup_cost(run: Mapping[str, Any]) -> dict[str, float]:
    """What the run's mix-ups cost, where the lab has said how bad each is; a number, to sort by."""
    return {} if run["mixup_cost"] is None else {_COST: run["mixup_cost"]}


def runs_table(runs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Runs as a table: figures with intervals, cost, and only the settings that differ."""
    return pd.DataFrame(
        [
            {
                "Run": run["name"],
                "Accuracy": share_with_interval(run["accuracy"], run["accuracy_ci"]),
                "Macro-F1": share_with_interval(run["macro_f1"], run["macro_f1_ci"]),
                "Calibration error": share(run["ece"]),
                **_mixup_cost(run),
                "Parameters": run["parameters"],
                "Training time": seconds(run["training_seconds"]),
                "Model file": megabytes(run["file_size_bytes"]),
                **_settings(run),
                "Id": run["run"],
            }
            for run in runs
        ]
    )


def pairs_table(pairs: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> pd.DataFrame:
    """Pairs as a table: differences in points with intervals, discordant images, p-values.

    Args:
        pairs: `pairs` or `group_pairs` of a comparison.
        names: What each of a pair is called.
    """
    lines = []
    for pair in pairs:
        single = "mcnemar_p" in pair
        alone = {"Only A right": pair["only_a_right"], "Only B right": pair["only_b_right"]} if single else {}
        lines.append(
            {
                "A": names[pair["a"]],
                "B": names[pair["b"]],
                "Accuracy, B - A (points)": points(
                    pair["accuracy_difference"], pair["accuracy_difference_ci"]
                ),
                "Macro-F1, B - A (points)": points(
                    pair["macro_f1_difference"], pair["macro_f1_difference_ci"]
                ),
                **alone,
                "p": p_value(pair["mcnemar_p" if single else "p"]),
                "Holm p": p_value(pair["holm_p"]),
                "Test": pair["mcnemar_method" if single else "method"],
            }
        )
    return pd.DataFrame(lines)


def _draw_table(table: pd.DataFrame) -> None:
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        column_config={
            table.columns[0]: st.column_config.TextColumn(pinned=True),
            "Parameters": st.column_config.NumberColumn(format="localized"),
            _COST: st.column_config.NumberColumn(format="%.3g"),
        },
    )


def _caption(comparison: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
    settings = ", ".join(name.replace("_", " ") for name in entries[0]["settings"] if name not in _IN_NAMES)
    one_seed = all(len(group["runs"]) == 1 for group in comparison["groups"])
    st.caption(
        f"{thousands(comparison['images'])} images of the {comparison['part']} part; 95 % intervals in "
        "brackets. "
        + (f"Settings that differ: {settings}." if settings else "All other settings are the same.")
        + (" One seed each: how far another seed would move these figures is not known." if one_seed else "")
        + (f" {CHOSEN_ON_VALIDATION}" if comparison["part"] == "validation" else "")
    )


def _draw_pairs(pairs: Sequence[Mapping[str, Any]], key: str, names: Mapping[str, str] | None = None) -> None:
    names = names or {pair[end]: pair[end] for pair in pairs for end in ("a", "b")}
    clearest = sorted(pairs, key=lambda pair: (pair["holm_p"], -abs(pair["accuracy_difference"] or 0.0)))
    charts.draw(charts_compare.differences(clearest[:_CHARTED], names), key=key)
    if len(pairs) > _CHARTED:
        st.caption(f"The {_CHARTED} clearest of {len(pairs)} pairs are drawn; the table has all.")
    st.dataframe(pairs_table(pairs, names), hide_index=True, height="content", key=f"table-{key}")


def _draw_run_pairs(comparison: Mapping[str, Any], key: str) -> None:
    names = {run["run"]: run["name"] for run in comparison["runs"]}
    _draw_pairs(comparison["pairs"], f"differences{key}", names)
    st.caption(
        "Intervals: paired bootstrap on the same resampled images, 2,000 draws. p: McNemar's test, "
        f"Holm-adjusted over {counted(len(comparison['pairs']), 'pair')} of runs."
    )
