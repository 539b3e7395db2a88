"""The SMOTE gallery: an image, its neighbour, the factor between them, and the image that comes of it."""

import streamlit as st

from app import cache, cache_prepare
from app.components import pictures
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Split

_SHOWN = 4
_SEED = "smote_seed"


def _redraw() -> None:
    st.session_state[_SEED] = st.session_state.get(_SEED, 0) + 1


@st.fragment
def draw(dataset: Dataset, split: Split) -> None:
    """Draw examples of one class, each with a slider for its factor.

    Args:
        dataset: The data set.
        split: The split; only its train rows are used.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Class", dataset.class_names, key="smote_class", bind="query-params", width=260)
        st.button("Re-draw", icon=":material/casino:", on_click=_redraw, help="Draws with the next seed.")
    seed = st.session_state.get(_SEED, 0)
    label = dataset.class_names.index(name)
    try:
        drawn = cache_prepare.draw_smote(split, label, seed, _SHOWN)
    except WbcError as error:
        st.info(str(error))
        return
    st.caption(
        f"The first images that SMOTE makes of {name} at seed {seed}. Move a factor to see what lies between "
        "the two."
    )
    columns = st.columns(2, gap="medium")
    for place in range(len(drawn)):
        with columns[place % 2], st.container(border=True):
            _example(split, drawn, place, f"smote-{split.id}-{label}-{seed}-{place}")


def _example(split: Split, drawn: "cache_prepare.SmoteDraw", place: int, key: str) -> None:
    base, neighbour = int(drawn.base[place]), int(drawn.neighbour[place])
    area = st.container()
    factor = st.slider(
        "Factor",
        0.0,
        1.0,
        float(drawn.factor[place]),
        0.01,
        key=key,
        help="0 is the sample, 1 is its neighbour; SMOTE draws it evenly between.",
    )
    left, right = cache.thumbnails(split.dataset, (base, neighbour), 128)
    made = cache.data_url(cache_prepare.blend(split, drawn, place, factor))
    with area:
        pictures.strip(
            [
                pictures.Picture(left, f"sample, row {base}"),
                pictures.Picture(right, f"neighbour, row {neighbour}"),
                pictures.Picture(made, f"synthetic at {factor:.2f}"),
            ],
            size=92,
        )
