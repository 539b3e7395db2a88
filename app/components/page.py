"""The frame of every page: title, purpose, chain bar; empty states; links that keep the ids."""

from collections.abc import Mapping

import streamlit as st

from app import cache, state
from app.components import chain_bar
from app.formatting import percent, plain, seconds, thousands
from app.pages import PAGES
from wbc_core.records import Dataset

__all__ = ["begin", "empty", "link", "percent", "plain", "require_dataset", "seconds", "thousands"]

_STYLE = """<style>
.stMainBlockContainer { max-width: 1360px; }
.st-key-chain-bar { border-block: 1px solid rgba(128, 118, 145, .28); padding-block: .15rem; }
.st-key-chain-bar [data-testid="stPageLink-NavLink"] { padding: .15rem .45rem; min-height: 2rem; }
.st-key-chain-bar p { white-space: nowrap; font-variant-numeric: tabular-nums; }
.st-key-empty-state { padding-block: 1.5rem; max-width: 38rem; }
[data-testid="stPageLink-NavLink"]:focus-visible, [data-testid="stSidebarNavLink"]:focus-visible {
  outline: 2px solid #8a6cc0; outline-offset: -2px;
}
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
@media (max-width: 640px) {
  .stMainBlockContainer h1 { font-size: 1.5rem; padding-block: .25rem; }
  .stMainBlockContainer { padding-inline: .9rem; }
  .st-key-chain-bar { overflow-x: auto; scrollbar-width: none; }
  /* A touch screen shows a table's tools for good, over what stands above it. */
  [data-testid="stElementToolbar"] { display: none; }
  [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] { row-gap: .75rem; }
  .stMainBlockContainer > .stVerticalBlock { gap: .65rem; }
  .stMainBlockContainer > .stVerticalBlock > .stElementContainer .stMarkdown p,
  :is(.st-key-review-heading, .st-key-review-kappa) .stMarkdown p {
    font-size: .9rem; line-height: 1.4;
  }
  :is(.st-key-review-heading, .st-key-review-kappa) :is(.stVerticalBlock, .stHorizontalBlock) { gap: .3rem; }
  .st-key-review-heading .stSlider { margin-bottom: -.75rem; }
  .st-key-review-views, .st-key-review-steps { column-gap: .5rem; }
  /* The words of what has an icon, where there is no room for both. */
  .st-key-view span:has(> [data-testid="stIconMaterial"]) { display: none; }
  :is(.st-key-scan-choice, .st-key-undo-step) button [data-testid="stMarkdownContainer"] {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
  }
}
</style>"""


# Streamlit writes white on the primary colour; on the dark theme's light violet only dark text is readable.
_DARK_STYLE = """<style>
button[data-testid="stBaseButton-primary"], button[data-testid="stBaseButton-primaryFormSubmit"] {
  color: #16141b;
}
</style>"""


def begin(title: str, purpose: str, *, blind: bool = False) -> None:
    """Draw what opens every page: its title, one sentence of purpose and the chain bar.

    Args:
        title: The page's title, in sentence case.
        purpose: What a person does here, in one sentence.
        blind: Whether the chain bar is not to tell how many images are left after the decisions.
    """
    st.html(_STYLE + (_DARK_STYLE if st.context.theme.type == "dark" else ""))
    st.title(title, anchor=False)
    st.markdown(f":gray[{purpose}]")
    chain_bar.draw(blind=blind)


def link(
    view: str,
    label: str,
    *,
    icon: str | None = None,
    query: Mapping[str, str] | None = None,
    **widget: object,
) -> None:
    """Draw a link to another page that keeps the ids in the URL.

    Args:
        view: Name of the page's script in `views/`.
        label: What the link says.
        icon: Material symbol; the page's own by default.
        query: Further query parameters, for the page to open at a place.
        widget: Passed on to `st.page_link`.
    """
    entry = PAGES[view]
    parameters = {**state.link_parameters(), **(query or {})}
    st.page_link(entry.script, label=label, icon=icon or entry.icon, query_params=parameters, **widget)


def empty(message: str, *, label: str, view: str) -> None:
    """Draw the empty state of a page: what to do next, and the link to it.

    Args:
        message: What is missing and why it matters, in a sentence or two.
        label: What the link says, as an instruction ("Import a data set").
        view: The page that the link opens.
    """
    with st.container(key="empty-state", gap="small"):
        st.markdown(message)
        link(view, label)


def require_dataset() -> Dataset:
    """The data set that the session works on; without one the empty state is drawn and the page ends."""
    identifier = state.current("dataset")
    dataset = cache.open_dataset(identifier) if identifier else None
    if dataset is None:
        empty(
            "There is no data set yet. Import your images, or let the lab build its demo: a small set of "
            "drawn cells with planted defects.",
            label="Open the Dataset page",
            view="dataset",
        )
        st.stop()
    return dataset
