"""The SMOTE gallery: an image, its neighbour and what lies between them, live; ghosts are flagged."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app import cache, cache_balance
from app.cache_balance import Examples
from app.components import pictures
from app.components.blend import blend
from app.components.page import percent, plain
from app.components.pictures import Picture
from wbc_core.balance.realism import GHOST
from wbc_core.errors import WbcError
from wbc_core.evaluation.intervals import wilson
from wbc_core.records import Dataset, Json, Split

_SHOWN = 10
_SEED = "smote_seed"
_SIZE = 56


def seed() -> int:
    """The seed that the examples are drawn with."""
    return int(st.session_state.get(_SEED, 0))


def _redraw() -> None:
    st.session_state[_SEED] = seed() + 1


@st.fragment
def draw(dataset: Dataset, split: Split, parameters: Json) -> None:
    """Draw examples of one class: one enlarged with its factor to move, the others beside it.

    Args:
        dataset: The data set.
        split: The split; only its train rows are used.
        parameters: Of SMOTE, as the recipe would have them.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Class", dataset.class_names, key="smote_class", bind="query-params", width=260)
        if st.button("Re-draw", icon=":material/casino:", on_click=_redraw, help="Draws with the next seed."):
            # The map and the shares follow the seed.
            st.rerun()
        only = st.toggle("Ghosts only", key="smote_ghosts", bind="query-params")
    label = dataset.class_names.index(name)
    try:
        found = cache_balance.examples(split, dataset, label, seed(), parameters)
    except WbcError as error:
        st.info(plain(str(error)))
        return
    st.caption(_said(name, found))
    places = (found.ghosts if only else np.arange(len(found.drawn)))[:_SHOWN]
    if not len(places):
        st.info("None of these is a ghost.", icon=":material/check:")
        return
    one, all_of_them = st.columns([0.52, 0.48], gap="large")
    with all_of_them:
        _grid(split, found, places)
    with one:
        _enlarged(split, label, found, places, only=only)


def _said(name: str, found: Examples) -> str:
    ghosts, images = len(found.ghosts), len(found.drawn)
    low, high = wilson(ghosts, images) or (0.0, 1.0)
    return (
        f"Of the first {images} images that SMOTE makes of {plain(name)} at seed {seed()}, **{ghosts} are "
        f"ghosts** ({percent(ghosts / images)}; 95 % interval {percent(low)} to {percent(high)}): two nuclei "
        f"that shine through each other, a score of {GHOST} or more."
    )


def _mark(score: float) -> str:
    return f"ghost {score:.2f}" if score >= GHOST else f"score {score:.2f}"


def _grid(split: Split, found: Examples, places: np.ndarray) -> None:
    st.markdown("**Sample, neighbour, result**")
    drawn = found.drawn
    parents = (*drawn.base[places].tolist(), *drawn.neighbour[places].tolist())
    sources = cache.thumbnails(split.dataset, parents, _SIZE * 2)
    made = cache_balance.results(split, drawn, places)
    count = len(places)
    pictures.triples(
        [
            (
                Picture(sources[number], text=f"sample, row {parents[number]}"),
                Picture(sources[count + number], text=f"neighbour, row {parents[count + number]}"),
                Picture(
                    made[number],
                    f"{number + 1} · factor {drawn.factor[place]:.2f} · {_mark(found.scores[place])}",
                    "result",
                ),
            )
            for number, place in enumerate(places)
        ],
        size=_SIZE,
    )


def _enlarged(split: Split, label: int, found: Examples, places: Sequence[int], *, only: bool) -> None:
    number = st.segmented_control(
        "Enlarge",
        range(len(places)),
        default=0,
        format_func=lambda place: str(place + 1),
        key=f"smote_example-{label}-{seed()}-{only}",
        required=True,
        wrap=True,
    )
    place = places[number]
    base, neighbour = int(found.drawn.base[place]), int(found.drawn.neighbour[place])
    near = cache_balance.around(split, label, base, neighbour)
    candidates = near.candidates()
    rows = near.rows[candidates].tolist()
    pictured = cache.thumbnails(split.dataset, tuple(rows), 256)
    blend(
        {"row": base, "src": cache_balance.lossless(split.dataset, base)},
        {"row": neighbour, "src": cache_balance.lossless(split.dataset, neighbour)},
        float(found.drawn.factor[place]),
        disjoint=cache_balance.disjoint(split, base, neighbour),
        others=[
            {
                "row": row,
                "src": source,
                "to_base": float(near.to_base[candidate]),
                "to_neighbour": float(near.to_neighbour[candidate]),
            }
            for candidate, row, source in zip(candidates, rows, pictured, strict=True)
        ],
        apart=near.apart,
        size=near.size,
        key="smote-blend",
    )
