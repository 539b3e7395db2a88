"""What on the Predict page needs a person: the least certain pictures, and foreign ones."""

from typing import Any

import pandas as pd
import streamlit as st

from app import results_cache, state
from app.components.page import link, plain, thousands
from app.components.results_text import number, share
from wbc_core.errors import WbcError
from wbc_core.evaluation.marks import (
    FOR_A_PERSON,
    FOREIGN_PICTURE,
    LEAST_COST,
    marked,
    with_least_cost,
    with_marks,
)
from wbc_core.evaluation.mixup_costs import load_costs
from wbc_core.jobs.busy_gpu import training_on_gpu
from wbc_core.records import Job
from wbc_core.training.runs import Run
from wbc_core.wording import counted

MARKS = {FOR_A_PERSON: "for a person", FOREIGN_PICTURE: "unlike the training images"}
WAYS = {"nobody": "No", "share": "A share", "probability": "Below a probability"}
_MANY = 0.2


def device_note() -> None:
    """Say that predictions leave a GPU that trains alone, where one does."""
    job = training_on_gpu(state.workspace())
    if job is not None:
        st.caption(
            f":material/memory: {plain(job.id)} trains on {plain(job.device or 'a GPU')}: predictions run on "
            "the CPU meanwhile."
        )


def for_a_person(job: Job, table: pd.DataFrame) -> pd.DataFrame:
    """Draw the reject option.

    Returns:
        The predictions, with the mark for a person where one is asked for.
    """
    st.subheader("Send the least certain to a person?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        way = state.choose_view("Send to a person", "reject", WAYS)
        if way == "share":
            percent = st.slider(
                "Share (%)", 1, 50, 5, format="%d %%", key="reject_share", bind="query-params", width=320
            )
        elif way == "probability":
            least = st.slider(
                "Least probability (%)",
                1,
                99,
                80,
                format="%d %%",
                key="reject_below",
                bind="query-params",
                width=320,
            )
    if way == "nobody":
        return table
    if way == "probability":
        threshold: float | None = least / 100
    else:
        try:
            # That of the predictions, though the run may have got another one since.
            temperature = (job.result or {}).get("temperature")
            threshold = results_cache.threshold(
                job.spec["run"], percent / 100, temperature, bool(job.spec.get("tta"))
            )
        except WbcError as error:
            st.warning(plain(str(error)), icon=":material/info:")
            link("report", "Open the report")
            return table
    chosen = with_marks(table, threshold)
    sent = marked(chosen)["for_a_person"] or 0
    where = (
        f"The threshold, {share(threshold)}, is that of {percent} % of the validation images: harder "
        "pictures send more."
        if way == "share"
        else f"Those whose class is less probable than {least} %."
    )
    of_all = share(sent / len(chosen))
    st.markdown(
        f"Pictures that go to a person: **{thousands(sent)} of {thousands(len(chosen))}** ({of_all}). {where}"
    )
    return chosen


def by_least_cost(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Draw whether pictures are also named by least expected cost, where the lab has set costs.

    Returns:
        The predictions, with that class of each where it is asked for.
    """
    costs = load_costs(state.workspace(), run.class_names)
    if costs is None or not st.toggle(
        "Also name the class of least expected cost",
        key="least_cost",
        bind="query-params",
        help="By the costs of mix-ups that the report's section of that name keeps (Elkan 2001).",
    ):
        return table
    chosen = with_least_cost(table, costs)
    other = thousands((chosen[LEAST_COST] != chosen["predicted"]).sum())
    st.markdown(
        f"Pictures with another class by least expected cost: **{other} of {thousands(len(chosen))}**. It "
        "stands under them and in a column of the CSV file. The count below is of the most probable classes."
    )
    return chosen


def probabilities_note(result: dict[str, Any]) -> None:
    """Say whether the probabilities are calibrated."""
    temperature = result.get("temperature")
    st.caption(
        f"Probabilities are calibrated with the run's temperature of {number(temperature)} (validation)."
        if temperature
        else "Probabilities are as trained: the run has no temperature; its report says why under Confidence."
    )


def foreign_warning(table: pd.DataFrame) -> None:
    """Warn of pictures that are unlike all that the run learnt from."""
    count = marked(table)["foreign"]
    if not count:
        return
    of_all = count / len(table)
    many = " So many speak for another stain, camera or crop than the run knows." if of_all >= _MANY else ""
    st.warning(
        f"Unlike the images that the run learnt from: {thousands(count)} of {counted(len(table), 'picture')} "
        f"({share(of_all)}). What it names them means little.{many}",
        icon=":material/warning:",
    )
