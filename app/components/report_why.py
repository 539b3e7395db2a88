"""Why: where a run looked on an image, what it thinks the image is like, and what its mix-ups share."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import explanation_cache, results_cache
from app.components import explanation_view
from app.components.job_panel import job_button
from app.components.page import percent, plain
from app.components.report_confusions import cell_words, chosen_cell
from app.components.report_images import FILE_NOT_KEPT
from wbc_core.evaluation import browsing
from wbc_core.training.runs import Run
from wbc_core.wording import counted

_ERRORS = 12
_OF_CELL = 24
_MIX_UPS = 3
_IMAGE = "image"


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw the explanation of a chosen image and the averaged maps of the most frequent mix-ups."""
    if report["part"] == "file" or report.get("shift"):
        st.markdown(FILE_NOT_KEPT)
        return
    if obstacle := explanation_cache.obstacle(run):
        st.markdown(f":gray[{obstacle}]")
        return
    predictions = results_cache.report_predictions(run.id, name)
    ids = dict(zip(predictions["row"], predictions["image_id"], strict=True))
    listed = _listed(predictions, len(report["classes"]))
    mix_ups = _shown_mix_ups(predictions, len(report["classes"]))
    row = _choose(listed, report["classes"])
    explained = explanation_cache.explanation(run, ids[row])
    _missing(run, name, [row, *listed["row"]], ids, mix_ups)
    if explained is None:
        st.markdown(":gray[This image was not explained yet.]")
    else:
        explanation_view.maps(run, explained)
        with st.expander("How to read the maps", icon=":material/help:"):
            st.markdown(explanation_view.HOW_TO_READ)
        st.subheader("What it thinks this is like", anchor=False)
        explanation_view.neighbours(run, explained)
    st.subheader("What mix-ups share", anchor=False)
    _mix_ups(run, report, mix_ups)


def _asked() -> int:
    """The row that the URL names; -1 where it names none."""
    asked = st.query_params.get(_IMAGE, "")
    return int(asked) if asked.isdecimal() and len(asked) < 12 else -1


def _listed(predictions: pd.DataFrame, classes: int) -> pd.DataFrame:
    """The images to choose from: the one of the URL, the most confident errors, and the chosen cell's."""
    parts = [browsing.confident_errors(predictions, _ERRORS)]
    cell = chosen_cell(classes)
    if cell is not None:
        parts.append(browsing.cell_images(predictions, *cell).head(_OF_CELL))
    every = browsing.with_confidence(predictions)
    parts.append(every[every["row"] == _asked()])
    listed = pd.concat(parts).drop_duplicates("row", ignore_index=True)
    return listed if len(listed) else every.sort_values("confidence", ignore_index=True).head(_ERRORS)


def _shown_mix_ups(predictions: pd.DataFrame, classes: int) -> list[browsing.Cell]:
    """The most frequent mix-ups; before them the one that is chosen in Confusions."""
    every = browsing.commonest_mix_ups(predictions, classes * classes)
    chosen = chosen_cell(classes)
    return sorted(every, key=lambda cell: (cell.true, cell.predicted) != chosen)[:_MIX_UPS]


def _choose(listed: pd.DataFrame, names: Sequence[str]) -> int:
    """Draw the choice of an image, kept in the URL; the most confident error at first.

    Returns:
        Its row in the data set.
    """
    told = {
        int(line.row): f"{cell_words(names, (line.label, line.predicted))}, {percent(line.confidence)} · row "
        f"{line.row:,}"
        for line in listed.itertuples()
    }
    order = "The most confident errors, then the images of the cell that is chosen in Confusions."
    return explanation_view.choose("Image", told, _asked(), _IMAGE, order)


def _missing(
    run: Run, name: str, rows: Sequence[int], ids: Mapping[int, str], mix_ups: Sequence[browsing.Cell]
) -> None:
    """Offer to explain what was not explained yet: the chosen image alone, or all that the page shows."""
    unknown = [row for row in dict.fromkeys(rows) if not explanation_cache.is_known(run, ids[row])]
    open_mix_ups = [cell for cell in mix_ups if explanation_cache.mix_up(run, cell) is None]
    if not unknown and not open_mix_ups:
        return
    spec = {"run": run.id, "report": name}
    alone = unknown[:1] == [rows[0]]
    with st.container(horizontal=True):
        if alone and job_button(
            "Explain this image",
            "explain",
            {**spec, "rows": unknown[:1]},
            key="explain-one",
            type="primary",
            icon=":material/center_focus_strong:",
        ):
            st.rerun()
        parts = [counted(len(unknown), "image")] if unknown else []
        parts += [counted(len(open_mix_ups), "mix-up")] if open_mix_ups else []
        if (len(unknown) > alone or open_mix_ups) and job_button(
            f"Explain {' and '.join(parts)}",
            "explain",
            {**spec, "rows": unknown, "mix_ups": [[cell.true, cell.predicted] for cell in open_mix_ups]},
            key="explain-all",
            icon=":material/select_all:",
        ):
            st.rerun()


def _mix_ups(run: Run, report: Mapping[str, Any], mix_ups: Sequence[browsing.Cell]) -> None:
    if not mix_ups:
        st.markdown(":gray[Every image was named right.]")
    for cell in mix_ups:
        words = plain(cell_words(report["classes"], (cell.true, cell.predicted)))
        st.markdown(f"**{words[:1].upper()}{words[1:]}**")
        averaged = explanation_cache.mix_up(run, cell)
        if averaged is None:
            images = counted(len(cell.image_ids), "image")
            st.markdown(f":gray[{images}, whose maps were not averaged yet.]")
        else:
            explanation_view.averaged(run, averaged)
