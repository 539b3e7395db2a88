"""Review: findings of the checks in a grid, worst first, to keep, drop or relabel."""

import streamlit as st

from app import cache
from app.components import review_actions, review_data
from app.components.gallery import gallery
from app.components.job_panel import job_button, job_panel
from app.components.page import begin, require_dataset, thousands
from wbc_core.curation.checks import CHECKS

begin("Review", "Look at what the checks found, worst first, and decide what stays.")
dataset = require_dataset()

scan = review_actions.active_scan(dataset.id)
if scan is not None:
    job_panel(scan.id, title="Looking for bad images")
scanned = cache.scanned_checks(dataset.id)
if not scanned:
    if scan is None:
        st.markdown(
            "The checks look at every image once: copies, pictures of something else, light, sharpness. "
            "They only suggest; nothing is dropped unless you say so."
        )
        if job_button(
            "Scan for bad images", "scan", {"dataset": dataset.id}, type="primary", icon=":material/search:"
        ):
            st.rerun()
    st.stop()

cuts = {name: review_data.cut(dataset.id, name) for name in scanned}


def _first_page() -> None:
    st.session_state["page"] = 1


# A change of page empties the URL: who comes back finds the check that was left.
wanted = st.query_params.get("check") or st.session_state.get("check_left")
if "check" not in st.session_state:
    most = max(
        scanned, key=lambda name: (review_data.progress(dataset.id, cuts[name]).left, cuts[name].images)
    )
    st.session_state["check"] = wanted if wanted in scanned else most
check = st.segmented_control(
    "Check",
    scanned,
    format_func=lambda name: f"{CHECKS.get(name).title} · {thousands(cuts[name].images)}",
    required=True,
    key="check",
    on_change=_first_page,
    label_visibility="collapsed",
)
st.session_state["check_left"] = check
if check != st.query_params.get("check"):
    st.query_params["check"] = check
entry = CHECKS.get(check)
shown = cuts[check]
st.markdown(f":gray[{entry.description}]")
if review_data.is_graded(check, cache.findings(dataset.id, check)):
    low, high = entry.threshold_range
    threshold = st.slider(
        "Threshold",
        low,
        high,
        entry.threshold,
        key=f"threshold-{check}",
        on_change=_first_page,
        width=420,
        help=f"Measured in {entry.unit}. Moves what is shown, from the scores of the last scan.",
    )
    if threshold != entry.threshold:
        shown = review_data.cut(dataset.id, check, threshold)

progress = review_data.progress(dataset.id, shown)
st.progress(
    progress.share,
    text=f"**{thousands(progress.reviewed)}** of {thousands(progress.images)} reviewed · "
    f"{thousands(progress.left)} left · {thousands(progress.dropped)} dropped · "
    f"{thousands(progress.relabelled)} relabelled",
)
suggestions = review_data.open_suggestions(dataset.id, shown)
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    if st.button(
        f"Accept all {thousands(len(suggestions))} suggestions",
        icon=":material/done_all:",
        type="primary",
        disabled=not suggestions,
    ):
        review_actions.accept_dialog(dataset, shown)
    review_actions.undo_button(dataset)

if shown.pages:
    pages = len(shown.pages)
    if st.session_state.get("page", 1) > pages:
        st.session_state["page"] = pages
    above, page = st.container(), 1
    if pages > 1:
        with st.container(horizontal_alignment="center"):
            page = st.pagination(pages, key="page", bind="query-params")
    with above:
        gallery(
            review_data.items(dataset, shown, page),
            key="review",
            class_names=dataset.class_names,
            context=review_actions.context(dataset, check),
            on_press=review_actions.write,
        )
else:
    st.success(f"{entry.title}: nothing found.", icon=":material/check_circle:")

with st.expander("Decision log", icon=":material/history:"):
    review_actions.log(dataset)
with st.expander("Export the clean set", icon=":material/ios_share:"):
    review_actions.export_clean(dataset)
