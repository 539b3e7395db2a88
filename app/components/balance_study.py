"""Does balancing help? Launching the study, how far its runs are, and what came of it."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import cache_balance, state
from app.components import charts, charts_balance
from app.components.job_panel import job_panel
from app.components.page import link, plain, thousands
from app.components.results_text import CHOSEN_ON_VALIDATION, p_value, points, share
from wbc_core.augment.prepare import check_room
from wbc_core.augment.recipe import PRESETS
from wbc_core.backbones.registry import BACKBONES
from wbc_core.balance import PLANS
from wbc_core.errors import WbcError
from wbc_core.evaluation.pairs import SIGNIFICANCE
from wbc_core.jobs import balance_study
from wbc_core.records import TERMINAL_STATES, Dataset, Job, Json, Split
from wbc_core.training.estimate import about

_CHOSEN = "study"
_TITLES = {name: PLANS.get(name).title for name in PLANS.names()}
_SCORES = {"accuracy": "Accuracy", "macro_f1": "Macro-F1"}
_RECIPE = "plain"


def draw_form(dataset: Dataset, split: Split) -> None:
    """Draw what a new study asks for, what it costs, and the button that starts it.

    Args:
        dataset: The data set.
        split: The split.
    """
    backbone = st.selectbox(
        "Backbone",
        BACKBONES.names(),
        format_func=lambda name: BACKBONES.get(name).title,
        key="study_backbone",
        bind="query-params",
    )
    with st.container(horizontal=True):
        epochs = st.number_input("Epochs", 1, 1000, 10, key="study_epochs", bind="query-params", width=140)
        seeds = st.number_input(
            "Seeds",
            1,
            balance_study.MOST_SEEDS,
            1,
            key="study_seeds",
            bind="query-params",
            width=140,
            help="Runs of each plan. A single run can be lucky; three say more.",
        )
    asked = {"settings": {"epochs": str(epochs)}, "seeds": tuple(range(seeds))}
    recipe, workspace = PRESETS.get(_RECIPE), state.workspace()
    try:
        BACKBONES.get(backbone).check_size(dataset.image_shape)
        needed = balance_study.bytes_needed(workspace, split, recipe)
        check_room(workspace, needed)
        duration = balance_study.seconds_needed(workspace, split, backbone, recipe, **asked)
    except WbcError as error:
        st.error(plain(str(error)))
        return
    plans = len(balance_study.PLANS_ASKED)
    runs = plans * seeds
    st.markdown(
        f"**{about(duration).capitalize()}** on 2 CPU cores at 96 x 96 pixels, if no run stops early: {runs} "
        f"runs, one after another. **{thousands(needed / 1e6)} MB** for {plans} prepared sets."
    )
    if st.button(f"Train {runs} networks", type="primary", icon=":material/science:", key="study_start"):
        try:
            job = balance_study.start_balance_study(workspace, split.id, backbone, recipe, **asked)
        except WbcError as error:
            st.error(plain(str(error)))
            return
        st.session_state[_CHOSEN] = job.id
        st.rerun()


def _described(job: Job) -> str:
    seeds = len(job.spec["seeds"])
    return (
        f"{BACKBONES.get(job.spec['backbone']).title}, {job.spec['settings'].get('epochs', '')} epochs, "
        f"{seeds} {'seed' if seeds == 1 else 'seeds'}, {job.created[:16].replace('T', ' ')} · {job.id}"
    )


def draw_studies(split: Split) -> None:
    """Draw the studies of a split that there are: the chosen one's progress, or what came of it.

    Args:
        split: The split.
    """
    studies = {job.id: job for job in balance_study.list_studies(state.workspace(), split.id)}
    if not studies:
        st.markdown(
            "The same network is trained on the train part as it is, with class weights, over-sampled and "
            "with SMOTE, and asked about the same held-out images. Nothing but the balance differs."
        )
        return
    if st.session_state.get(_CHOSEN) not in studies:
        st.session_state[_CHOSEN] = next(iter(studies))
    chosen = st.selectbox(
        "Study", list(studies), format_func=lambda name: _described(studies[name]), key=_CHOSEN
    )
    job = studies[chosen]
    if not job.result:
        job_panel(job.id, title="Preparing a set under every plan")
        return
    trials = balance_study.study_runs(state.workspace(), job.id)
    runs = [trial for own in trials.values() for trial in own]
    if all(run.state == "succeeded" for run in runs):
        _came_of_it(job, tuple(run.id for run in runs))
    else:
        _progress(job, runs)


def _progress(job: Job, runs: Sequence[Job]) -> None:
    """The runs as a table that follows them, and the one that is under way, or failed, as a job."""
    active = any(run.state not in TERMINAL_STATES for run in runs)

    def poll() -> None:
        trials = balance_study.study_runs(state.workspace(), job.id)
        now = [trial for own in trials.values() for trial in own]
        _table(trials)
        if [run.state for run in now] != [run.state for run in runs]:
            st.rerun()

    st.fragment(poll, run_every=2.0 if active else None)()
    under_way = [run for run in runs if run.state == "running"] or [
        run for run in runs if run.state == "queued"
    ][:1]
    for run in [run for run in runs if run.state in ("failed", "cancelled")] + under_way:
        plan = next(plan for plan, made in job.result["prepared"].items() if made == run.spec["prepared"])
        job_panel(run.id, title=f"{_TITLES[plan]}, seed {run.spec['seed']}")
    link("jobs", "Watch them on the Jobs page")


def _table(trials: dict[str, list[Job]]) -> None:
    lines = [
        {
            "Plan": _TITLES[plan],
            "Seed": run.spec["seed"],
            "State": run.state,
            "Done": 1.0 if run.state == "succeeded" else run.progress,
            "Accuracy": share(run.result["accuracy"]) if run.result else "",
        }
        for plan, own in trials.items()
        for run in own
    ]
    st.dataframe(
        pd.DataFrame(lines),
        hide_index=True,
        height="content",
        column_config={"Done": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)},
    )


def _came_of_it(job: Job, runs: tuple[str, ...]) -> None:
    try:
        found = cache_balance.comparison(job.id, runs)
    except WbcError as error:
        st.warning(plain(str(error)))
        return
    for entry in found["differences"]:
        shown = entry["holm_p"] < SIGNIFICANCE
        icon = ":material/drag_handle:"
        if shown:
            icon = ":material/trending_up:" if entry["accuracy"] > 0 else ":material/trending_down:"
        st.markdown(f"{icon} {plain(entry['words'])}")
    score = st.segmented_control(
        "Score",
        list(_SCORES),
        format_func=_SCORES.get,
        default="accuracy",
        required=True,
        key="study_score",
        label_visibility="collapsed",
    )
    charts.draw(
        charts_balance.plan_differences(found["differences"], _TITLES, score), key="study-differences"
    )
    st.dataframe(_figures(found), hide_index=True, height="content")
    st.caption(_how(found))
    with st.container(horizontal=True):
        link("jobs", "The runs on the Jobs page")
        link("compare", "Compare single runs")


def _figures(found: Json) -> pd.DataFrame:
    differences = {entry["plan"]: entry for entry in found["differences"]}
    lines = []
    for entry in found["plans"]:
        against = differences.get(entry["plan"])
        line = {
            "Plan": _TITLES[entry["plan"]],
            "Accuracy": share(entry["accuracy"]),
            "Macro-F1": share(entry["macro_f1"]),
            "Accuracy, difference (points)": "",
            "Macro-F1, difference (points)": "",
            "Holm p": "",
        }
        if against:
            line |= {
                "Accuracy, difference (points)": points(against["accuracy"], against["accuracy_ci"]),
                "Macro-F1, difference (points)": points(against["macro_f1"], against["macro_f1_ci"]),
                "Holm p": p_value(against["holm_p"]),
            }
            if len(found["seeds"]) > 1:
                ends = (100 * min(against["by_seed"]), 100 * max(against["by_seed"]))
                line["Accuracy, by seed (points)"] = f"{ends[0]:+.2f} to {ends[1]:+.2f}"
        lines.append(line)
    return pd.DataFrame(lines).fillna("")


def _how(found: Json) -> str:
    several = len(found["seeds"]) > 1
    test = "a permutation test of the images' mean differences" if several else "McNemar's test"
    seeds = (
        f"Means of {len(found['seeds'])} seeds; the interval is that of the held-out images; the column "
        "by seed shows what the seeds alone do. "
        if several
        else "One seed each: another seed can move an accuracy as much as a plan does. "
    )
    differing = [entry["accuracy_ci"] for entry in found["differences"] if entry["holm_p"] >= SIGNIFICANCE]
    odd = (
        " An interval without 0 can stand beside a p above .05: it takes the images of each class as given, "
        "and is not adjusted for the number of plans."
        if any(ends and not ends[0] <= 0 <= ends[1] for ends in differing)
        else ""
    )
    chosen = f" {CHOSEN_ON_VALIDATION}" if found["part"] == "validation" else ""
    return (
        f"{thousands(found['images'])} images of the {found['part']} part. {seeds}Intervals: bootstrap over "
        f"the images, 2,000 draws. p: {test}, Holm-adjusted over the plans.{odd}{chosen}"
    )
