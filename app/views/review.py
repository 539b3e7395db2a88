"""Review: findings of the checks in a grid, a map of all images, and a blind second review."""

import streamlit as st

from app import cache, state
from app.components import (
    review_actions,
    review_data,
    review_export,
    review_map,
    review_panel,
    review_scan,
    review_second,
)
from app.components.page import begin, require_dataset
from app.components.review_cuts import left_first
from wbc_core.curation.checks import CHECKS

VIEWS = {
    "findings": ":material/rule: Findings",
    "map": ":material/scatter_plot: Map",
    "second": ":material/group: Second review",
}

blind = state.view_asked("view", VIEWS) == "second" and review_second.judging()
begin("Review", "Look at what the checks found, worst first, and decide what stays.", blind=blind)
dataset = require_dataset()

scan = review_scan.last_scan(dataset.id)
scanning = scan is not None and review_scan.progress_of(scan)
scanned = cache.scanned_checks(dataset.id)
if not scanned:
    if not scanning:
        review_scan.first_scan(dataset)
    st.stop()

with st.container(key="review-views", horizontal=True, vertical_alignment="center", gap="small"):
    view = state.choose_view("View", "view", VIEWS)
    if not scanning:
        review_scan.again(dataset)
        review_scan.new_checks(dataset, scanned)

cuts = review_data.cuts_of(dataset.id, scanned)
review_data.keep_thresholds_in_url(dataset.id)
standing = cache.standing(dataset)

if view == "findings":
    check = review_panel.choose_check(dataset, cuts, standing)
    shown = cuts[check]
    review_panel.heading(dataset, shown)
    if CHECKS.get(check).scope == "set":
        review_panel.statements(shown)
    elif shown.images:
        review_panel.progress_line(shown, standing)
        with st.container(key="review-steps", horizontal=True, vertical_alignment="center", gap="small"):
            review_panel.accept_and_undo(dataset, shown, standing)
    if shown.pages:
        context = review_actions.context(dataset, check, threshold=shown.made_by[0])
        seen = review_data.seen_from(standing, shown)
        since = review_panel.arrived(dataset.id, check, standing)
        in_order = left_first(dataset.id, shown, standing, since)
        review_panel.pictures(dataset, in_order, seen, context=context)
    elif not shown.findings:
        review_panel.nothing_found(check)
elif view == "map":
    review_map.panel(dataset, cuts, standing)
else:
    review_second.panel(dataset, cuts)

if view != "second":
    # The log would tell the second reviewer what the first one decided. Both are read only once opened.
    opened = st.query_params.get("log") == "open"
    with st.expander(
        "Decision log", expanded=opened, icon=":material/history:", key="log", on_change="rerun"
    ) as log:
        if log.open:
            review_actions.log(dataset)
    with st.expander(
        "Export, report, import", icon=":material/ios_share:", key="export", on_change="rerun"
    ) as out:
        if out.open:
            review_export.panel(dataset)
