"""The images on which compared runs disagree, in the grid."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import cache, results_cache
from app.components.gallery import Item, gallery
from app.components.page import percent, thousands
from wbc_core.evaluation import browsing

_SHOWN = 60


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


def draw(comparison: Mapping[str, Any], key: str) -> None:
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
