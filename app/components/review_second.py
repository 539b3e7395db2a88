"""Blind second review: judging the same findings unseen, Cohen's kappa, settling the disagreements."""

from collections.abc import Mapping

import streamlit as st

from app import cache, state
from app.components import review_actions, review_panel
from app.components.page import plain, thousands
from app.components.review_about import about_rows_beside_copies, conflicts_beside
from app.components.review_cuts import Cut
from app.components.review_data import seen_from, seen_in, verdict_words
from wbc_core.curation.agreement import Agreement
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.standing import nothing_decided
from wbc_core.records import Dataset
from wbc_core.wording import counted

_STEPS = {"judge": "Judge", "compare": "Compare and settle"}
_DISAGREEMENTS = {"open": "Open", "all": "All disagreements"}


def judging() -> bool:
    """Whether a second reviewer is judging, who is not to see what the first one decided."""
    return state.view_asked("second", _STEPS) == "judge"


def panel(dataset: Dataset, cuts: Mapping[str, Cut]) -> None:
    """Draw the second review.

    Args:
        dataset: The data set.
        cuts: What is shown of each scanned check.
    """
    step = state.choose_view("Step", "second", _STEPS)
    if step == "judge":
        _judge(dataset, {name: shown for name, shown in cuts.items() if CHECKS.get(name).scope != "set"})
    else:
        _compare(dataset, cuts)


def _judge(dataset: Dataset, cuts: Mapping[str, Cut]) -> None:
    if not state.given_name():
        st.info(
            "Enter **your name** first: by it your review is compared with the first one.",
            icon=":material/badge:",
        )
        state.person_field_here("The name that you judge under")
        return
    who = state.person()
    st.caption(
        f"You judge as {plain(who)} and see nobody else's verdicts. They change nothing: only a settled "
        "disagreement becomes a decision."
    )
    mine = cache.opinions(dataset.id).get(who) or nothing_decided(dataset)
    check = review_panel.choose_check(dataset, cuts, mine)
    shown = cuts[check]
    review_panel.heading(dataset, shown)
    if shown.pages:
        review_panel.progress_line(shown, mine)
        context = review_actions.context(dataset, check, second=True)
        seen = seen_from(mine, shown)
        review_panel.pictures(dataset, shown, seen, context=context, key="second-review")
    else:
        review_panel.nothing_found(check)


def _kappa(found: Agreement, second: str) -> None:
    """Say how far the two agree, and what it was computed on."""
    with st.container(key="review-kappa"):
        kappa, between = st.columns([1, 3], vertical_alignment="center")
    value = "–" if found.kappa is None else f"{found.kappa:.2f}"
    kappa.metric("Cohen's kappa", value)
    if found.interval is None:
        why = (
            "no image was judged by both" if not found.images else "both gave one and the same verdict to all"
        )
        words = f"It is undefined: {why}."
    else:
        words = f"95 % interval {found.interval[0]:.2f} to {found.interval[1]:.2f} (Cohen 1960)."
    between.markdown(
        f"{words} Computed on the **{counted(found.images, 'image')}** that both {plain(second)} and "
        f"somebody else judged; on **{thousands(found.agreed)}** they agree. Verdicts are keep, drop, or "
        "relabel to a class; two relabels agree only on the same class."
    )


def _compare(dataset: Dataset, cuts: Mapping[str, Cut]) -> None:
    people = list(cache.opinions(dataset.id))
    if not people:
        st.info("Nobody has given a second opinion yet.", icon=":material/group:")
        return
    own = people.index(state.person()) if state.person() in people else 0
    second = people[0]
    if len(people) > 1:
        second = st.selectbox("Second reviewer", people, index=own, key="second-person", width=320)
    st.caption("Here both verdicts are shown: a second reviewer comes here once everything is judged.")
    found = cache.agreement_with(dataset.id, second)
    _kappa(found, second)
    if not found.disagreements:
        return
    total, settled = len(found.disagreements), len(found.settled)
    st.progress(
        found.share_settled,
        text=f"**{thousands(settled)}** of {counted(total, 'disagreement')} settled. What you press here "
        "is the decision that holds.",
    )
    shown = state.choose_view("Disagreements", "disagreements-shown", _DISAGREEMENTS)
    rows = found.open if shown == "open" else list(found.disagreements)
    if not rows:
        st.success("Every disagreement is settled.", icon=":material/check_circle:")
        return
    names = dataset.class_names
    notes = {
        row: f"First: {verdict_words(one, names)} · {second}: {verdict_words(other, names)}"
        for row, (one, other) in found.disagreements.items()
    }
    judged = {row: said.check for row, said in cache.opinions(dataset.id)[second].effective.items()}
    about = about_rows_beside_copies(dataset, rows, cuts, judged)
    standing, open_ = cache.standing(dataset), set(found.open)
    held = {row: held for row, held in standing.effective.items() if row not in open_}
    review_panel.pictures(
        dataset,
        about,
        seen_in(held)._replace(conflicts=conflicts_beside(about, cuts, standing), asked=frozenset(rows)),
        context=review_actions.context(dataset, settles=second),
        notes=notes,
        key="disagreements",
    )
