"""Groups of images on which a run does worse than on the rest, and the images of the chosen group."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import results_cache, state
from app.components.job_panel import job_button
from app.components.page import plain, thousands
from app.components.report_decisions import decide_on
from app.components.report_images import FILE_NOT_KEPT
from app.components.results_text import share, share_with_interval
from wbc_core.evaluation import browsing
from wbc_core.evaluation.significance import p_value, points
from wbc_core.evaluation.slicing import KINDS
from wbc_core.training.runs import Run
from wbc_core.wording import counted

_SHOWN = 60
_TOLD = 5
_SLICE = "slice"
_VERDICTS = {(True, False): "worse", (False, True): "better", (False, False): "no difference shown"}


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw the slices of a report, significantly worse ones first, and the images of one."""
    if report["part"] == "file":
        st.markdown(FILE_NOT_KEPT)
        return
    kept = results_cache.slices(run.id, name)
    if kept is None:
        st.markdown(
            "Are there kinds of images on which the run does worse? The held-out images are cut by the name "
            "of their file, brightness, size and resemblance, and every slice is compared with the rest."
        )
    label = "Find slices" if kept is None else "Find slices again"
    spec = {"run": run.id, "report": name}
    look = {"type": "primary" if kept is None else "secondary", "icon": ":material/content_cut:"}
    if kept is not None:
        found, membership = kept
        _verdict(found)
        if found["slices"]:
            left, right = st.columns([3, 2], gap="large")
            with left:
                chosen = _choose(run, found)
            with right:
                _images(report, name, chosen, membership)
    if job_button(label, "slices", spec, key="slices-job", **look):
        st.rerun()


def _title(entry: Mapping[str, Any]) -> str:
    return f"{KINDS[entry['kind']]}: {entry['slice']}"


def _verdict(found: Mapping[str, Any]) -> None:
    """Say in words which slices are worse."""
    worse = [entry for entry in found["slices"] if entry["worse"]]
    tested = counted(len(found["slices"]), "slice")
    if not worse:
        st.markdown(f"**No slice is shown to be worse than the rest**, of {tested}.")
    else:
        count = counted(len(worse), "slice is", "slices are")
        more = f" The first {_TOLD}:" if len(worse) > _TOLD else ""
        st.markdown(f"**{count} significantly worse than the rest**, of {tested}.{more}")
    st.markdown("\n".join(f"- {_words(entry)}" for entry in worse[:_TOLD]))
    small, least = sum(found["too_small"].values()), found["minimum_images"]
    left_out = f" {counted(small, 'is', 'are')} left out, with fewer than {least} images." if small else ""
    same = [KINDS[kind].lower() for kind in found["undivided"]]
    undivided = f" All images are alike in {' and '.join(same)}." if same else ""
    st.caption(
        "Fisher's exact test of each slice against all other images; q is p after Benjamini and Hochberg, so "
        f"that of the slices below 0.05 about 5 % are there by chance.{left_out}{undivided}"
    )


def _words(entry: Mapping[str, Any]) -> str:
    """How a slice fares against the rest, and of what it mostly consists."""
    difference = points(entry["difference"], entry["difference_ci"])
    return (
        f"**{plain(_title(entry))}**: {share_with_interval(entry['accuracy'], entry['accuracy_ci'])} of "
        f"{counted(entry['images'], 'image')} right, of the rest {share(entry['rest_accuracy'])}: "
        f"{difference} points. {share(entry['commonest_class_share'])} are {plain(entry['commonest_class'])}."
    )


def _line(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A slice as a line of the table."""
    return {
        "Slice": _title(entry),
        "Verdict": _VERDICTS[entry["worse"], entry["better"]],
        "Images": entry["images"],
        "Accuracy": share_with_interval(entry["accuracy"], entry["accuracy_ci"]),
        "Points to the rest": points(entry["difference"], entry["difference_ci"]),
        "q": p_value(entry["q"]),
        "Commonest class": f"{entry['commonest_class']} ({share(entry['commonest_class_share'])})",
    }


def _key(entry: Mapping[str, Any]) -> str:
    return f"{entry['kind']}:{entry['slice']}"


def _clicked(key: str, keys: Sequence[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        st.query_params[_SLICE] = keys[rows[0]]


def _picked(key: str) -> None:
    st.query_params[_SLICE] = st.session_state[key]


def _choose(run: Run, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Draw the table of slices and the choice of one, by a click, the select box or the URL."""
    entries = {_key(entry): entry for entry in found["slices"]}
    asked = st.query_params.get(_SLICE)
    chosen = asked if asked in entries else next(iter(entries))
    key = f"slices-table-{run.id}"
    st.dataframe(
        pd.DataFrame([_line(entry) for entry in entries.values()]),
        key=key,
        hide_index=True,
        height=420,
        on_select=lambda: _clicked(key, list(entries)),
        selection_mode="single-row",
    )
    st.download_button(
        "Download slices",
        lambda: browsing.flat_table(found["slices"]).to_csv(index=False),
        file_name=f"{run.id}-slices.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    picker = f"slice-{run.id}"
    state.tell_widget(picker, chosen)
    st.selectbox(
        "Slice",
        list(entries),
        format_func=lambda name: f"{_title(entries[name])} ({thousands(entries[name]['images'])})",
        key=picker,
        on_change=_picked,
        args=(picker,),
        help="The same choice as a click on a line of the table.",
    )
    return entries[chosen]


def _images(
    report: Mapping[str, Any], name: str, chosen: Mapping[str, Any], membership: pd.DataFrame
) -> None:
    """Draw the images of a slice, hardest first."""
    rows = membership.loc[membership[chosen["kind"]] == chosen["slice"], "row"]
    images = browsing.images_of(results_cache.report_predictions(report["run"], name), rows)
    st.subheader(plain(_title(chosen)), anchor=False)
    first = f"The first {_SHOWN} of " if len(images) > _SHOWN else ""
    st.caption(f"{first}{counted(len(images), 'image')}, the least probable true class first")
    decide_on(report, name, images.head(_SHOWN), key="slice-images", height=520)
