"""A study on a page: how far its runs are, and what came of it, whatever it compares."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import cache_studies, state
from app.components import charts, charts_balance
from app.components.job_panel import job_panel
from app.components.page import link, plain, thousands
from app.components.results_text import CHOSEN_ON_VALIDATION, share
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.evaluation.pairs import SIGNIFICANCE
from wbc_core.evaluation.significance import p_value, points
from wbc_core.jobs import paired_study
from wbc_core.jobs.study_comparison import way_title
from wbc_core.records import TERMINAL_STATES, Job, Json
from wbc_core.wording import counted

_SCORES = {"accuracy": "Accuracy", "macro_f1": "Macro-F1"}
_WAYS = {paired_study.BALANCE: "Plan", paired_study.CLEANING: "Trained on"}
_PREPARING = {
    paired_study.BALANCE: "Preparing a set under every plan",
    paired_study.CLEANING: "Preparing the raw and the clean train part",
}


def chosen_key(kind: str) -> str:
    """Where the session keeps which study of a kind is shown."""
    return f"chosen_{kind}"


def _described(job: Job) -> str:
    seeds, settings = len(job.spec["seeds"]), job.spec["settings"]
    return (
        f"{BACKBONES.get(job.spec['backbone']).title}, {settings.get('epochs', '')} epochs, "
        f"{counted(seeds, 'seed')}, {job.created[:16].replace('T', ' ')} · {job.id}"
    )


def draw_studies(kind: str, split_id: str) -> bool:
    """Draw the studies of a split that there are: the chosen one's progress, or what came of it.

    Args:
        kind: One of `paired_study.KINDS`.
        split_id: Id of the split.

    Returns:
        Whether there are any.
    """
    studies = {job.id: job for job in paired_study.list_studies(state.workspace(), kind, split_id)}
    if not studies:
        return False
    key = chosen_key(kind)
    if st.session_state.get(key) not in studies:
        st.session_state[key] = next(iter(studies))
    chosen = st.selectbox("Study", list(studies), format_func=lambda name: _described(studies[name]), key=key)
    job = studies[chosen]
    if not job.result:
        job_panel(job.id, title=_PREPARING[kind])
        return True
    trials = paired_study.study_runs(state.workspace(), job.id)
    runs = [trial for own in trials.values() for trial in own]
    if all(run.state == "succeeded" for run in runs):
        _came_of_it(job, tuple(run.id for run in runs))
    else:
        _progress(job, runs)
    return True


def _progress(job: Job, runs: Sequence[Job]) -> None:
    """The runs as a table that follows them, and the one that is under way, or failed, as a job."""
    active = any(run.state not in TERMINAL_STATES for run in runs)

    def poll() -> None:
        trials = paired_study.study_runs(state.workspace(), job.id)
        now = [trial for own in trials.values() for trial in own]
        _table(job.kind, trials)
        if [run.state for run in now] != [run.state for run in runs]:
            st.rerun()

    st.fragment(poll, run_every=2.0 if active else None)()
    under_way = [run for run in runs if run.state == "running"] or [
        run for run in runs if run.state == "queued"
    ][:1]
    for run in [run for run in runs if run.state in ("failed", "cancelled")] + under_way:
        way = next(way for way, made in job.result["prepared"].items() if made == run.spec["prepared"])
        job_panel(run.id, title=f"{way_title(job.kind, way)}, seed {run.spec['seed']}")
    link("jobs", "Watch them on the Jobs page")


def _table(kind: str, trials: dict[str, list[Job]]) -> None:
    lines = [
        {
            _WAYS[kind]: way_title(kind, way),
            "Seed": run.spec["seed"],
            "State": run.state,
            "Done": 1.0 if run.state == "succeeded" else run.progress,
            "Accuracy": share(run.result["accuracy"]) if run.result else "",
        }
        for way, own in trials.items()
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
        found = cache_studies.comparison(job.id, runs)
    except WbcError as error:
        st.warning(plain(str(error)))
        return
    for entry in found["differences"]:
        shown = entry["shown"]
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
        key=f"score_{job.kind}",
        label_visibility="collapsed",
    )
    titles = {entry["way"]: way_title(job.kind, entry["way"]) for entry in found["ways"]}
    charts.draw(
        charts_balance.study_differences(found["differences"], titles, score), key=f"differences-{job.kind}"
    )
    st.dataframe(_figures(found), hide_index=True, height="content")
    st.caption(_how(found))
    with st.container(horizontal=True):
        link("jobs", "The runs on the Jobs page")
        link("compare", "Compare single runs")


def _figures(found: Json) -> pd.DataFrame:
    differences = {entry["way"]: entry for entry in found["differences"]}
    lines = []
    for entry in found["ways"]:
        against = differences.get(entry["way"])
        line = {
            _WAYS[found["kind"]]: way_title(found["kind"], entry["way"]),
            "Accuracy": share(entry["accuracy"]),
            "Macro-F1": share(entry["macro_f1"]),
            "Accuracy, difference (points)": "",
            "Macro-F1, difference (points)": "",
            _p_title(found): "",
        }
        if against:
            line |= {
                "Accuracy, difference (points)": points(against["accuracy"], against["accuracy_ci"]),
                "Macro-F1, difference (points)": points(against["macro_f1"], against["macro_f1_ci"]),
                _p_title(found): p_value(against["holm_p"]),
            }
            if len(found["seeds"]) > 1:
                ends = (100 * min(against["by_seed"]), 100 * max(against["by_seed"]))
                line["Accuracy, by seed (points)"] = f"{ends[0]:+.2f} to {ends[1]:+.2f}"
                line["Interval over seeds (points)"] = points(against["accuracy"], against["seeds_ci"])
        lines.append(line)
    return pd.DataFrame(lines).fillna("")


def _p_title(found: Json) -> str:
    return "Holm p" if len(found["differences"]) > 1 else "p"


def _how(found: Json) -> str:
    several = len(found["seeds"]) > 1
    test = "a permutation test of the images' mean differences" if several else "McNemar's test"
    seeds = (
        f"Means of {len(found['seeds'])} seeds, each an open circle; the interval is that of the held-out "
        "images, that over seeds (Student's t, paired) says what further seeds may do. "
        if several
        else "One seed each: another seed can move an accuracy as much as this does. "
    )
    differing = [entry["accuracy_ci"] for entry in found["differences"] if entry["holm_p"] >= SIGNIFICANCE]
    odd = (
        " An interval without 0 can stand beside a p above .05: it takes the images of each class as given, "
        "and is not adjusted for the number of comparisons."
        if any(ends and not ends[0] <= 0 <= ends[1] for ends in differing)
        else ""
    )
    chosen = f" {CHOSEN_ON_VALIDATION}" if found["part"] == "validation" else ""
    adjusted = ", Holm-adjusted over the plans" if len(found["differences"]) > 1 else ""
    return (
        f"{thousands(found['images'])} images of the {found['part']} part. {seeds}Intervals: bootstrap over "
        f"the images, 2,000 draws. p: {test}{adjusted}.{odd}{chosen}"
    )
