"""The map on the Review page: every image by its principal components; a lasso opens images in the grid."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import cache, state
from app.components import review_actions, review_panel
from app.components.charts import NEUTRAL, class_colours
from app.components.image_map import Chosen, Colouring, image_map, map_thumbnails
from app.components.page import percent, thousands
from app.components.review_about import about_rows
from app.components.review_cuts import PAGE, Cut
from app.components.review_data import FAMILIES, family_of, seen_in
from app.components.review_scan import network_words
from wbc_core.curation.map import ImageMap, inside
from wbc_core.curation.scan import network_name
from wbc_core.curation.standing import Standing
from wbc_core.records import Dataset
from wbc_core.wording import counted

_FAMILY_COLOURS = (NEUTRAL, "#c8404c", "#10b0e0", "#7878e8", "#e8892b")
_VERDICT_COLOURS = (NEUTRAL, "#087060", "#c8404c", "#8048b0")
_MOST_NAMES = 255


def _flagged_by(cuts: Mapping[str, Cut], images: int) -> NDArray[np.uint8]:
    """For each row the first family of checks that flags it, counted from 1; 0 for none."""
    codes = np.zeros(images, dtype=np.uint8)
    order = list(FAMILIES)
    for name in sorted(cuts, key=lambda check: order.index(family_of(check)), reverse=True):
        codes[cuts[name].rows] = 1 + order.index(family_of(name))
    return codes


def _colourings(dataset: Dataset, cuts: Mapping[str, Cut], standing: Standing) -> list[Colouring]:
    """The choices of colour, with the codes of every image."""
    # Legends hold a few names; of the classes beyond them the last is drawn.
    labels = np.minimum(cache.table(dataset.id)["label"].to_numpy(), _MOST_NAMES)
    names = list(dataset.class_names[: _MOST_NAMES + 1])
    return [
        Colouring(
            title="Class",
            names=names,
            colours=[class_colours(dataset.class_names)[name] for name in names],
            codes=labels,
            quiet=False,
        ),
        Colouring(
            title="Flag",
            names=["Not flagged", *(family for family in FAMILIES if family != "Whole set")],
            colours=_FAMILY_COLOURS,
            codes=_flagged_by(cuts, dataset.images),
            quiet=True,
        ),
        Colouring(
            title="Decision",
            names=["Undecided", "Kept", "Dropped", "Relabelled"],
            colours=_VERDICT_COLOURS,
            codes=standing.codes,
            quiet=True,
        ),
    ]


@st.cache_resource(show_spinner=False, max_entries=16)
def _inside(
    home: str,
    dataset_id: str,
    chosen: Chosen,
    made_by: tuple[object, ...],
    _cuts: Mapping[str, Cut],
    _colourings: Sequence[Colouring],
) -> NDArray[np.int64]:
    """Rows that lie in an outline and that the legend showed when it was drawn, most flagged first.

    What is decided later moves no image out of the grid: the key is the choice, not the codes.
    """
    points = cache.map_of(dataset_id).points
    flags = np.zeros(len(points), dtype=np.int64)
    for shown in _cuts.values():
        flags[shown.rows] += 1
    within = inside(points, np.array(chosen.outline))
    for colouring in _colourings:
        if colouring["title"] == chosen.colouring:
            within &= ~np.isin(colouring["codes"], chosen.hidden)
    rows = np.flatnonzero(within)
    return rows[np.argsort(-flags[rows], kind="stable")]


def _choose(key: str, chosen: Chosen | None) -> None:
    st.session_state[key] = chosen
    state.tell_widget("page-map", 1)


def _described_by(found: ImageMap) -> str:
    """What the axes are made of, in words."""
    if found.embedding is None:
        return f"the lab's own {found.measure} of them"
    return f"the features that {network_words(network_name(found.embedding))} gives them, as in the last scan"


@st.fragment
def _thumbnails(dataset: Dataset) -> None:
    def pictures(rows: tuple[int, ...]) -> list[str]:
        return cache.thumbnails(dataset.id, rows)

    map_thumbnails(pictures, dataset.images, key="map-thumbnails")


def panel(dataset: Dataset, cuts: Mapping[str, Cut], standing: Standing) -> None:
    """Draw the map, and the images that the person drew around.

    Args:
        dataset: The data set.
        cuts: What is shown of each scanned check.
        standing: The decisions that hold.
    """
    found = cache.map_of(dataset.id)
    if found is None:
        st.info(
            "The map is drawn from what a scan measures. Scan again to see it.",
            icon=":material/scatter_plot:",
        )
        return
    images = counted(dataset.images, "image")
    sampled = len(found.drawn) < dataset.images
    if sampled:
        images = f"A sample of {thousands(len(found.drawn))} of {images}; the lasso opens the others, too"
    st.caption(
        f"{images}. Alike images lie near each other: the axes are the first two principal components of "
        f"{_described_by(found)} ({percent(found.explained[0], 0)} and {percent(found.explained[1], 0)} of "
        "their variance). "
        "Drag around some to open them below."
    )
    # An outline says nothing about the points of another data set, or of another scan's features.
    points = f"{dataset.id}-{found.measure}-{found.embedding}"
    kept = f"map-chosen-{points}"
    chosen: Chosen | None = st.session_state.get(kept)
    colourings = _colourings(dataset, cuts, standing)
    image_map(
        found.points[found.drawn],
        found.drawn,
        [Colouring(**{**colouring, "codes": colouring["codes"][found.drawn]}) for colouring in colourings],
        key=f"map-{points}",
        chosen=chosen,
        on_choice=partial(_choose, kept),
    )
    _thumbnails(dataset)
    if chosen is not None:
        _chosen_images(dataset, chosen, cuts, standing, colourings)


def _chosen_images(
    dataset: Dataset,
    chosen: Chosen,
    cuts: Mapping[str, Cut],
    standing: Standing,
    colourings: Sequence[Colouring],
) -> None:
    """Draw the images that were drawn around, in a grid."""
    made_by = tuple((name, *shown.made_by) for name, shown in cuts.items())
    rows = _inside(str(state.workspace().home), dataset.id, chosen, made_by, cuts, colourings)
    hidden = " What the legend hides is left out." if chosen.hidden else ""
    st.markdown(f"**{counted(len(rows), 'image')}** {'lies' if len(rows) == 1 else 'lie'} inside.{hidden}")
    if not len(rows):
        return
    above, page = review_panel.choose_page(len(range(0, len(rows), PAGE)), "page-map")
    with above:
        shown = about_rows(dataset, rows[(page.number - 1) * PAGE : page.number * PAGE].tolist(), cuts)
        context = review_actions.context(dataset)
        seen = seen_in(standing.effective)
        review_panel.grid(dataset, shown, seen, page, context=context, key="map-images")
