"""One check on the Review page: choosing it, its threshold, progress, accepting, and its pictures."""

import re
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import cache, state
from app.components import review_actions, review_data
from app.components.check_filter import check_filter
from app.components.gallery import gallery
from app.components.page import percent, plain, thousands
from app.components.review_cuts import Cut, is_graded, progress
from app.components.review_data import Seen
from app.components.review_scan import network_words
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.scan import DUPLICATE_CHECKS
from wbc_core.curation.standing import Standing
from wbc_core.curation.suggestions import open_suggestions
from wbc_core.records import Dataset
from wbc_core.wording import counted

_ARRIVED = "arrived"
_SINCE = "since"


def _first_page() -> None:
    state.tell_widget("page", 1)


def _choose(check: str) -> None:
    st.session_state["check"] = check
    _first_page()


def choose_check(dataset: Dataset, cuts: Mapping[str, Cut], standing: Standing) -> str:
    """Draw the choice of check, and keep it in the URL.

    Args:
        dataset: The data set.
        cuts: What is shown of each scanned check.
        standing: The decisions that hold, for the counts.
    """
    # A change of page empties the URL: who comes back finds the check that was left.
    remembered = (st.session_state.get("check"), st.query_params.get("check"))
    check = next((name for name in remembered if name in cuts), None)
    check = check or review_data.to_begin_with(cuts, standing)
    st.session_state["check"] = check
    check_filter(review_data.families(cuts, standing), check, key="checks", on_choose=_choose)
    if check != st.query_params.get("check"):
        st.query_params["check"] = check
    return check


def _number_in_url(name: str) -> int:
    """A number that the URL names; 0 where it names none."""
    text = st.query_params.get(name, "")
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else 0


def arrived(dataset_id: str, check: str, standing: Standing) -> int:
    """The last line of the log when the person came to a check; kept in the URL for a reload of a later page.

    0 where nothing was decided, or where the person came to a later page.
    """
    at, since = st.session_state.get(_ARRIVED, (None, 0))
    if at != (dataset_id, check):
        # Who has just chosen a check is on its first page, while the URL still names that of the last one.
        first_page = (st.session_state.get("page") or _number_in_url("page")) <= 1
        kept = _number_in_url(_SINCE) if at is None else 0
        since = standing.head if first_page else kept if kept <= standing.head else 0
        st.session_state[_ARRIVED] = ((dataset_id, check), since)
    if not since:
        st.query_params.pop(_SINCE, None)
    elif st.query_params.get(_SINCE) != str(since):
        st.query_params[_SINCE] = str(since)
    return int(since)


def _moved(dataset_id: str, check: str) -> None:
    review_data.set_threshold(dataset_id, check, st.session_state[f"slider-{check}"])
    st.session_state.pop(_ARRIVED, None)
    _first_page()


def heading(dataset: Dataset, shown: Cut) -> None:
    """Say what the check finds; where images have scores of their own, draw its threshold."""
    entry = CHECKS.get(shown.check)
    graded = is_graded(shown.check, cache.findings(dataset.id, shown.check))
    with st.container(key="review-heading"):
        about, control = st.columns([3, 2], vertical_alignment="center") if graded else (st.container(), None)
    about.markdown(f":gray[{entry.description}]")
    network = cache.network(dataset.id, shown.check)
    if network:
        about.caption(f":material/neurology: Labels judged by the features of {network_words(network)}.")
    if control is not None:
        about.caption(f"Score: {entry.unit}.")
        low, high = entry.threshold_range
        own = review_data.threshold_of(dataset.id, shown.check)
        chosen = entry.threshold if own is None else own
        # An older lab kept only the next 200 below the threshold.
        cut_short = chosen < entry.threshold and shown.check in cache.outdated_checks(dataset.id)
        # Given as `value`, the widget would keep the place that it has for another data set.
        state.tell_widget(f"slider-{shown.check}", chosen)
        control.slider(
            f"Threshold · {'at least ' if cut_short else ''}{thousands(shown.images)} flagged",
            low,
            high,
            step=1.0 if high - low > 100.0 else 0.1,
            format="%.4g",
            key=f"slider-{shown.check}",
            on_change=_moved,
            args=(dataset.id, shown.check),
            help=_about_slider(shown.check, cut_short),
        )


def _about_slider(check: str, cut_short: bool) -> str:
    entry = CHECKS.get(check)
    words = (
        "Moves what is flagged, from the scores of the last scan: nothing is scanned again. "
        f"{entry.threshold:g} by default."
    )
    if check in DUPLICATE_CHECKS:
        words += f" A split keeps together what is alike from {entry.threshold:g} on, wherever this stands."
    return f"{words} The last scan kept not all scores: scan again to count them." if cut_short else words


def progress_line(shown: Cut, standing: Standing) -> None:
    """Draw how much of what is flagged was reviewed, and how."""
    done = progress(shown, standing)
    st.progress(
        done.share,
        text=f"**{thousands(done.reviewed)}** of {thousands(done.images)} reviewed "
        f"({percent(done.share, 0)}) · "
        f"{thousands(done.left)} left · {thousands(done.dropped)} dropped · "
        f"{thousands(done.relabelled)} relabelled",
    )


def accept_and_undo(dataset: Dataset, shown: Cut, standing: Standing) -> None:
    """Draw the buttons that accept every suggestion and that take the last step back."""
    opened = open_suggestions(shown.suggested, standing)
    suggested = len(opened.actions)
    label = f"Accept {'all ' * (suggested > 1)}{counted(suggested, 'suggestion')}"
    label, icon = label if suggested else "No suggestion is open", ":material/done_all:"
    if st.button(label, icon=icon, type="primary", disabled=not suggested, key="accept-all"):
        review_actions.accept_dialog(dataset, shown)
    review_actions.undo_button(dataset)
    if opened.conflicts:
        st.caption(review_actions.conflict_words(shown, opened), width="content")


class Turned(NamedTuple):
    """Which page is shown.

    Attributes:
        number: Of the page, from 1.
        of: Number of pages.
        key: Of the choice of page.
    """

    number: int
    of: int
    key: str


def choose_page(pages: int, key: str) -> tuple[DeltaGenerator, Turned]:
    """Draw the choice of page, where there are several.

    Args:
        pages: Number of pages.
        key: Of the choice, and of its query parameter.

    Returns:
        The place above the choice for what the page shows, and the page.
    """
    if st.session_state.get(key, 1) > pages:
        st.session_state[key] = pages
    above, page = st.container(), 1
    if pages > 1:
        with st.container(horizontal_alignment="center"):
            page = st.pagination(pages, key=key, bind="query-params")
    return above, Turned(page, pages, key)


def _turn(page: Turned, by: int) -> None:
    state.tell_widget(page.key, min(max(page.number + by, 1), page.of))


def grid(
    dataset: Dataset,
    shown: Cut,
    seen: Seen,
    page: Turned,
    *,
    context: str,
    notes: Mapping[int, str] = MappingProxyType({}),
    key: str,
) -> None:
    """Draw one page of pictures to decide on.

    Args:
        dataset: The data set.
        shown: The findings, of all pages or of this one alone.
        seen: How they are marked.
        page: The page, which the arrow keys can leave.
        context: From `review_actions.context`.
        notes: Row number to words under its picture, beside what differs between copies.
        key: Unique on the page.
    """
    number = page.number if len(shown.pages) == page.of else 1
    gallery(
        review_data.items(dataset, shown, number, seen, notes=notes),
        key=key,
        class_names=dataset.class_names,
        context=context,
        on_press=review_actions.write,
        page=(page.number, page.of),
        on_turn=partial(_turn, page),
    )


def pictures(
    dataset: Dataset,
    shown: Cut,
    seen: Seen,
    *,
    context: str,
    notes: Mapping[int, str] = MappingProxyType({}),
    key: str = "review",
) -> None:
    """Draw the pictures of a check, a page at a time; the arguments are those of `grid`."""
    above, page = choose_page(len(shown.pages), "page" if key == "review" else f"page-{key}")
    with above:
        grid(dataset, shown, seen, page, context=context, notes=notes, key=key)


def statements(shown: Cut) -> None:
    """Draw findings about the whole set: sentences, with nothing to press."""
    for finding in shown.findings:
        st.info(plain(finding.evidence), icon=":material/info:")


def nothing_found(check: str) -> None:
    """Draw that a check is satisfied."""
    st.success(f"{CHECKS.get(check).title}: nothing found.", icon=":material/check_circle:")
