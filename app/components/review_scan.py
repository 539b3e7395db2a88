"""Scanning from the Review page: the first scan, new checks, and again with a network's features."""

import streamlit as st

from app import cache, results_cache, state
from app.components.job_panel import job_button, job_panel
from app.formatting import plain
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.scan import FEATURES, OWN_FEATURES, network_name
from wbc_core.jobs import queue
from wbc_core.records import TERMINAL_STATES, Dataset, Job, Json

IMAGENET = "efficientnet_lite0"
_IMAGENET_TITLE = "EfficientNet-Lite0 (ImageNet)"
_NAMED = 3


def last_scan(dataset_id: str) -> Job | None:
    """The newest scan of the data set, queued, running or failed; None where the last one went well."""
    scans = (
        job
        for job in queue.list_jobs(state.workspace(), kind="scan")
        if job.spec.get("dataset") == dataset_id
    )
    job = next(scans, None)
    return job if job is not None and job.state in ("queued", "running", "failed") else None


def scan_spec(dataset_id: str, embedding: str | None = None, checks: list[str] | None = None) -> Json:
    """What the scan's job is called with: all checks where none are named."""
    spec: Json = {"dataset": dataset_id} if checks is None else {"dataset": dataset_id, "checks": checks}
    return {**spec, "checks": checks, "embedding": embedding} if embedding else spec


def network_words(network: str) -> str:
    """A network as the page names it."""
    return _IMAGENET_TITLE if network == IMAGENET else f"the run {plain(network)}"


def network_in_use(dataset: Dataset) -> str | None:
    """The network by which findings of the data set were made; None for the lab's own features."""
    embedding = cache.embedding_in_use(dataset.id)
    return network_name(embedding) if embedding else None


def progress_of(job: Job) -> bool:
    """Draw the scan under way, or why the last one failed; say whether it is under way."""
    job_panel(job.id, title="Looking for bad images")
    return job.state not in TERMINAL_STATES


def first_scan(dataset: Dataset) -> None:
    """Draw the empty state: what a scan does, and the button that starts it."""
    st.markdown(
        "The checks look at every image once: copies, pictures of something else, doubtful labels, light, "
        "sharpness. They only suggest; nothing is dropped unless you say so."
    )
    spec = scan_spec(dataset.id)
    if job_button("Scan for bad images", "scan", spec, type="primary", icon=":material/search:"):
        st.rerun()


def new_checks(dataset: Dataset, scanned: list[str]) -> None:
    """Offer the checks that no scan has run on this data set, or that have changed since, in one click."""
    outdated = cache.outdated_checks(dataset.id)
    missing = [name for name in CHECKS if name not in scanned or name in outdated]
    if not missing:
        return
    titles = ", ".join(CHECKS.get(name).title.lower() for name in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    label = f"Scan for {titles}{more}"
    reads_features = any(FEATURES in CHECKS.get(name).measures for name in missing)
    spec = scan_spec(dataset.id, network_in_use(dataset) if reads_features else None, missing)
    if job_button(label, "scan", spec, icon=":material/fiber_new:"):
        st.rerun()


def again(dataset: Dataset) -> None:
    """Draw the popover that scans again, with the lab's own features or a network's."""
    with st.popover("Scan again", icon=":material/refresh:", key="scan-choice"):
        st.markdown(
            "What was measured is taken over: only new images and changed checks take time. A network's "
            "features, which take minutes, judge the labels only: label errors, and in class outliers how "
            "far a label is supported. Every other check goes by the lab's own measures. On a public set of "
            "cells ImageNet's features found fewer wrong labels than the lab's own (average precision 0.76 "
            "against 0.98); those of a run trained on such cells may find others."
        )
        runs = {run.id: f"Trained run: {plain(run.id)}" for run in results_cache.runs_of(dataset)}
        names = {OWN_FEATURES: "The lab's own features", IMAGENET: _IMAGENET_TITLE, **runs}
        before = network_in_use(dataset)
        index = list(names).index(before) if before in names else 0
        chosen = st.radio("Features", list(names), index, format_func=names.get, key="scan-features")
        if before and chosen != before:
            st.warning(f"Replaces what was found by {network_words(before)}.")
        label = "Scan" if chosen == OWN_FEATURES else "Scan with a network's features"
        asked = None if chosen == OWN_FEATURES and not before else chosen
        if job_button(label, "scan", scan_spec(dataset.id, asked), type="primary", key="scan-again"):
            st.rerun()
