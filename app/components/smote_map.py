"""Real and synthetic images in one plane, and the share of ghosts in each class."""

import streamlit as st

from app import cache_balance
from app.cache_balance import EXAMPLES, REAL_POINTS, Points
from app.components import charts_balance, smote_gallery
from app.components.charts import draw as draw_chart
from app.components.page import thousands
from wbc_core.records import Dataset, Json, Split

_ALL = "All classes"


def _said(points: Points, seed: int) -> str:
    synthetic, real = thousands(len(points.drawn)), thousands(len(points.rows))
    beyond = charts_balance.outside(points)
    return (
        f"Pale dots are real, diamonds synthetic, crosses ghosts. The first {EXAMPLES} SMOTE images of "
        f"each class at seed {seed} ({synthetic} in all), and of the train part at most {REAL_POINTS} images "
        f"a class ({real} in all), drawn with the same seed. The axes are the two main principal components "
        "of these real images: what is near here may be far in the others."
        + (f" {beyond} lie outside; a double click shows them." if beyond else "")
    )


@st.fragment
def draw(dataset: Dataset, split: Split, parameters: Json) -> None:
    """Draw the map, and the ghosts of every class beside it.

    Args:
        dataset: The data set.
        split: The split; only its train rows are used.
        parameters: Of SMOTE, as the recipe would have them.
    """
    seed, names = smote_gallery.seed(), dataset.class_names
    points = cache_balance.points(split, dataset, seed, parameters)
    if not len(points.drawn):
        st.info("No class has the two train images that SMOTE needs.")
        return
    plane, shares = st.columns([0.6, 0.4], gap="large")
    with plane:
        st.markdown("**Real and synthetic images**")
        chosen = st.selectbox(
            "Classes on the map", [_ALL, *names], key="smote_map_class", bind="query-params", width=260
        )
        figure = charts_balance.smote_map(points, names, None if chosen == _ALL else chosen)
        draw_chart(figure, key="smote-map")
        st.caption(_said(points, seed))
    with shares:
        st.markdown("**Ghosts of each class**")
        found = cache_balance.examples_of_all(split, dataset, seed, parameters)
        counts = {name: (len(entry.ghosts), len(entry.drawn)) for name, entry in found.items()}
        draw_chart(charts_balance.ghost_shares(counts, names), key="smote-ghosts")
        st.caption("Whiskers: 95 % intervals (Wilson). A class far apart from itself makes more ghosts.")
