"""Augment: build a recipe, see what it does to real train images, and prepare the set on disk."""

import streamlit as st

from app import state
from app.components import augment_guard, augment_preview, prepare_panel, prepared_list, recipe_builder
from app.components.chain_bar import current_split
from app.components.page import begin, empty, require_dataset
from wbc_core import splitting

# The preview stays in sight while a slider is moved: beside the form, or above it on a narrow screen.
_STYLE = """<style>
@media (min-width: 641px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-preview) { position: sticky; top: 4rem; }
}
@media (max-width: 640px) {
  [data-testid="stColumn"]:has(.st-key-preview) { order: -1; position: sticky; top: 3.2rem; z-index: 9;
    max-height: 44vh; overflow-y: auto; border-bottom: 1px solid rgba(128, 118, 145, .4);
    background: var(--st-background-color); }
}
</style>"""

begin("Augment", "Build a recipe and see on real train images what it does before anything is written.")
dataset = require_dataset()
split = current_split(dataset.id)
if split is None:
    empty(
        "There is no split yet. Augmentation changes train images only, so it must know which these are.",
        label="Split the data set",
        view="split_balance",
    )
    st.stop()
state.select("split", split.id)
if splitting.is_stale(state.workspace(), split):
    st.warning(
        "This split was made from an older clean set: decisions have changed since. Split again first.",
        icon=":material/history:",
    )


@st.fragment
def workbench() -> None:
    """All that depends on the recipe: drawn anew alone when a slider moves, what takes longest last."""
    form, shown = st.columns([0.32, 0.68], gap="large")
    with form:
        st.subheader("Recipe", anchor=False)
        recipe_builder.start()
        recipe_builder.draw(dataset.class_names)
    with shown, st.container(key="preview"):
        st.html(_STYLE)
        st.subheader("Preview", anchor=False)
        augment_preview.draw(dataset, split)
        verdict = st.container()
    st.subheader("Prepare", anchor=False)
    prepare_panel.draw(dataset, split)
    with verdict:
        augment_guard.draw(dataset, split)


workbench()
prepare_panel.follow(split)
st.subheader("Prepared sets of this split", anchor=False)
prepared_list.draw(split.id)
