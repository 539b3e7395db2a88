"""The embedded demo: what it is, its progress, and the page that opens by itself at the first picture."""

import numpy as np
import streamlit as st

from app import cache, state
from app.components.gallery import Item, gallery
from app.components.job_panel import job_button, job_panel
from wbc_core.datasets.synthetic import DEMO_CLASSES, draw_cells
from wbc_core.jobs import queue
from wbc_core.records import TERMINAL_STATES, Job

_WHAT = (
    "The demo is a small lab of its own: about 800 drawn blood cells of 8 classes with planted defects "
    "(foreign pictures, copies, blurred and dark images, swapped labels), cleaned, split, and trained twice."
)


@st.cache_resource(show_spinner=False)
def _foretaste() -> list[Item]:
    """One drawn cell of each class, to look at while the demo is built."""
    cells = draw_cells(np.random.default_rng(3), np.arange(len(DEMO_CLASSES)))
    return [
        Item(row=row, src=cache.data_url(cell), label=name, badge=None, mark=None, title="", group=None)
        for row, (name, cell) in enumerate(zip(DEMO_CLASSES, cells, strict=True))
    ]


def latest_demo() -> Job | None:
    """The newest demo job; None where none was ever queued."""
    return next(iter(queue.list_jobs(state.workspace(), kind="demo", limit=1)), None)


@st.fragment(run_every=1.0)
def _open_at_first_picture() -> None:
    if cache.datasets():
        st.rerun()


def demo_panel() -> None:
    """Draw the state of the demo on an empty lab, or the button that builds it."""
    demo = latest_demo()
    st.markdown(_WHAT)
    ended = demo is None or demo.state in ("failed", "cancelled")
    if ended and job_button("Build the demo", "demo", {}, type="primary", icon=":material/science:"):
        st.rerun()
    if demo is not None:
        job_panel(demo.id, title="Building the demo")
    gallery(_foretaste(), key="foretaste", class_names=DEMO_CLASSES, actions=False, tile=88)
    _open_at_first_picture()


def demo_progress() -> None:
    """Draw the demo's progress while it is still going on beside the pictures that are there."""
    demo = latest_demo()
    if demo is not None and demo.state not in TERMINAL_STATES:
        job_panel(demo.id, title="Building the demo")
