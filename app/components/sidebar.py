"""The sidebar frame of every page: data set, reviewer, device, running jobs."""

from collections import Counter

import streamlit as st

from app import cache, state
from app.components.job_table import describe
from app.components.kept_name import kept_name
from app.components.page import link
from app.formatting import plain, thousands
from wbc_core import splitting
from wbc_core.augment import prepare
from wbc_core.errors import WbcError
from wbc_core.jobs import devices, queue
from wbc_core.training import runs

_SHOWN_JOBS = 4


@st.cache_resource(show_spinner=False)
def gpus() -> list[str]:
    """Names of the GPUs that are trained on, asked of the driver once: TensorFlow would take seconds."""
    return devices.visible_gpus()


def _choose() -> None:
    state.select("dataset", st.session_state["dataset_picker"])


def dataset_of_link() -> str | None:
    """The data set behind the run, prepared set or split that a link names without its data set."""
    readers = {"run": runs.load_run, "prepared": prepare.load_prepared, "split": splitting.load_split}
    for kind, read in readers.items():
        if identifier := state.current(kind):
            try:
                return str(read(state.workspace(), identifier).dataset)
            except WbcError:
                continue
    return None


def dataset_picker() -> None:
    """Draw the choice of data set; the newest is taken where the URL names none."""
    datasets = cache.datasets()
    if not datasets:
        return
    ids = [dataset.id for dataset in datasets]
    names = {dataset.id: f"{dataset.name} · {dataset.images:,}" for dataset in datasets}
    if state.current("dataset") not in ids:
        linked = dataset_of_link()
        known = linked in ids
        gone = [
            state.current(kind) for kind in ("run", "prepared", "split", "dataset") if state.current(kind)
        ]
        if gone and not known:
            told = f"There is no {plain(gone[0])} here: the newest data set is shown."
            st.toast(told, icon=":material/link_off:", duration="long")
        state.select("dataset", linked if known else ids[0], keep_below=known)
    state.tell_widget("dataset_picker", state.current("dataset"))
    st.selectbox("Data set", ids, format_func=names.get, key="dataset_picker", on_change=_choose)


@st.fragment(run_every=3)
def running_jobs() -> None:
    """Draw the running jobs; only reads, so that it never disturbs what a person does on the page."""
    shown = queue.active_jobs(state.workspace(), limit=_SHOWN_JOBS)
    st.markdown("**Jobs**" if shown else ":gray[No job is running.]")
    for job in shown:
        message = plain((job.message or job.state)[:60])
        st.progress(min(1.0, job.progress), text=f"{plain(describe(job))} · {message}")
    if len(shown) < _SHOWN_JOBS:
        return
    left = Counter(queue.count_jobs(state.workspace())) - Counter(job.state for job in shown)
    words = {"running": "running", "queued": "waiting"}
    told = [f"{thousands(left[name])} more {word}" for name, word in words.items() if left[name]]
    if told:
        st.caption(f"and {', '.join(told)}")


def draw() -> None:
    """Draw the sidebar."""
    with st.sidebar:
        dataset_picker()
        state.person_field()
        running_jobs()
        link("jobs", "All jobs")
        st.caption(
            f":material/memory: Trains on {plain(gpus()[0]) if gpus() else 'the CPU'}",
            help="Where the jobs of this machine train. Pages never load a model themselves.",
        )
        kept_name()
