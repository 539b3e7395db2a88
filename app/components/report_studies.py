"""What did cleaning buy? What did SMOTE buy? Paired studies that begin from the spec of a run."""

from collections.abc import Callable, Sequence

import streamlit as st

from app import cache, cache_studies, state
from app.components import paired_study
from app.components.page import link, plain, thousands
from wbc_core.curation.scan import DUPLICATE_CHECKS
from wbc_core.errors import WbcError
from wbc_core.jobs import balance_study, cleaning_study
from wbc_core.jobs.paired_study import BALANCE, CLEANING, MOST_SEEDS
from wbc_core.records import Job
from wbc_core.training.estimate import about
from wbc_core.training.runs import Run

_SEEDS = 3


def draw(run: Run) -> None:
    """Draw both studies: what each would launch, the button, and what came of those there are."""
    seeds = st.number_input(
        "Seeds of a study",
        1,
        MOST_SEEDS,
        _SEEDS,
        key="again_seeds",
        bind="query-params",
        width=180,
        help="Runs of everything that is compared. A single run can be lucky; three say more.",
    )
    for title, draw_one, kind in (
        ("What did cleaning buy?", _cleaning, CLEANING),
        ("What did SMOTE buy?", _balance, BALANCE),
    ):
        st.subheader(title, anchor=False)
        try:
            draw_one(run, range(seeds))
        except WbcError as error:
            st.markdown(f":gray[{plain(str(error))}]")
        paired_study.draw_studies(kind, run.split)


def needs_scan(dataset_id: str) -> bool:
    """Whether the search for duplicates is out of date, so that to ask for them would scan all images."""
    return not set(DUPLICATE_CHECKS).isdisjoint(cache.outdated_checks(dataset_id))


def _cleaning(run: Run, seeds: Sequence[int]) -> None:
    """Say what a study of cleaning launches, and offer it."""
    if needs_scan(run.dataset):
        st.markdown("Look for duplicates again first: none of a held-out image may be learnt.")
        link("split_balance", "Open Split & balance")
        return
    plan = cache_studies.cleaning_plan(run.id, run.dataset, len(seeds))
    st.markdown(
        f"This run's spec on the raw and on the clean train part, {thousands(plan.images['raw'])} against "
        f"{thousands(plan.images['clean'])} images after the recipe. {plan.words()} Both are judged on the "
        f"same {thousands(plan.held_out)} clean held-out images."
    )
    runs = len(cleaning_study.WAYS) * len(seeds)
    _offer(
        CLEANING,
        runs,
        plan.seconds,
        plan.bytes,
        lambda: cleaning_study.start_cleaning_study(state.workspace(), run.id, seeds),
    )


def _balance(run: Run, seeds: Sequence[int]) -> None:
    """Say what a study of balance plans launches, and offer it."""
    workspace = state.workspace()
    split, backbone, recipe, settings = balance_study.asked_by_run(workspace, run.id)
    asked = {"settings": settings, "seeds": seeds}
    duration = balance_study.seconds_needed(workspace, split, backbone, recipe, **asked)
    needed = balance_study.bytes_needed(workspace, split, recipe)
    st.markdown(
        "This run's spec and operations on its train part as it is, with class weights, over-sampled and "
        "with SMOTE. Nothing but the balance differs."
    )
    _offer(
        BALANCE,
        len(balance_study.PLANS_ASKED) * len(seeds),
        duration,
        needed,
        lambda: balance_study.start_balance_study(workspace, split.id, backbone, recipe, **asked),
    )


def _offer(kind: str, runs: int, seconds: float, needed: int, start: Callable[[], Job]) -> None:
    """Draw what a study costs and the button that queues it."""
    st.caption(
        f"{about(seconds).capitalize()} on 2 CPU cores at 96 x 96 pixels, if no run stops early: {runs} "
        f"runs, one after another. {thousands(needed / 1e6)} MB of prepared sets."
    )
    if st.button(f"Train {runs} networks", icon=":material/science:", key=f"start_{kind}"):
        # Refused, it says so in the place of the study.
        st.session_state[paired_study.chosen_key(kind)] = start().id
        st.rerun()
