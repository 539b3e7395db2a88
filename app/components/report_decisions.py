"""Deciding on the images of a report: the model is wrong, the label is wrong, or the image is not usable."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import cache, results_cache, state
from app.components.gallery import Press, gallery
from app.components.page import link, thousands
from app.components.report_images import image_items
from wbc_core import splitting
from wbc_core.curation import review
from wbc_core.evaluation.verdicts import decided_since, verdicts
from wbc_core.wording import counted

_DONE = {"keep": "kept", "drop": "dropped", "relabel": "relabelled"}


def write(press: Press) -> None:
    """Enter a press into the decision log with the run as its reason, or take the person's last step back.

    Raises:
        WbcError: The core refuses it.
    """
    about, who = json.loads(press["context"]), state.person()
    workspace, dataset = state.workspace(), about["dataset"]
    if press["action"] == "undo":
        review.undo(workspace, dataset, who=who, only_by=who)
        return
    run, name = about["run"], about["report"]
    predictions = results_cache.report_predictions(run, name)
    names = results_cache.report(run, name)["classes"]
    imported = cache.labels(dataset)
    found = verdicts(predictions, run, names, imported, press["rows"], press["action"], press["label"])
    review.decide_each(workspace, dataset, found.items(), who=who)


@st.fragment
def decide_on(report: Mapping[str, Any], name: str, images: pd.DataFrame, *, key: str, height: int) -> None:
    """Draw images of a report in a grid to decide on, and how much was decided since its clean set.

    Args:
        report: The report; not one of a file, whose images are not kept.
        name: The report's name.
        images: As `browsing.with_confidence` gives them, in the order to draw.
        key: Unique on the page.
        height: Of the grid, in pixels.
    """
    dataset = cache.open_dataset(report["dataset"])
    if dataset is None:
        return
    st.caption(
        "**k** the label is right, the model is wrong · **d** drop, no usable cell · **r** relabel, the "
        "predicted class first · **u** undo"
    )
    about = {"dataset": dataset.id, "run": report["run"], "report": name}
    gallery(
        image_items(report, images, cache.standing(dataset).effective),
        key=key,
        class_names=report["classes"],
        height=height,
        context=json.dumps(about),
        on_press=write,
    )
    _decided(report, cache.standing(dataset).effective)


def _decided(report: Mapping[str, Any], effective: Mapping[int, Any]) -> None:
    split = splitting.load_split(state.workspace(), report["split"])
    counts = decided_since(effective, split.decisions_head)
    total = sum(counts.values())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if not total:
            st.caption("Nothing was decided since this run's clean set.", width="content")
            return
        parts = ", ".join(f"{thousands(count)} {_DONE[action]}" for action, count in counts.items() if count)
        st.caption(
            f"**{counted(total, 'image')}** decided since this run's clean set: {parts}.",
            width="content",
        )
        link("review", "See the log", query={"log": "open"})
        changed = cache.clean_set(split.dataset).id != split.clean
        if changed and st.button("Train again…", icon=":material/replay:", on_click=_to_relaunch):
            st.rerun()


def _to_relaunch() -> None:
    st.session_state["section"] = "again"
