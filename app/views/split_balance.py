"""Split & balance: hold images out first, then see what each balance plan does to the train part."""

import streamlit as st

from app import cache, cache_prepare, state
from app.components import (
    balance_form,
    balance_panel,
    balance_study,
    smote_gallery,
    smote_map,
    split_leaks,
    split_panel,
)
from app.components.chain_bar import current_split
from app.components.charts import draw
from app.components.charts_balance import parts_by_class
from app.components.page import begin, empty, require_dataset, thousands
from wbc_core import splitting

begin(
    "Split & balance",
    "Hold images out before anything learns; then balance the classes of the train part alone.",
)
dataset = require_dataset()
if not len(cache.clean_set(dataset.id).rows):
    empty(
        "Every image is dropped, so there is nothing to split.", label="Review the decisions", view="review"
    )
    st.stop()
splits = splitting.list_splits(state.workspace(), dataset.id)
split = current_split(dataset.id)

settings, shown = st.columns([0.34, 0.66], gap="large")
with settings:
    st.subheader("New split", anchor=False)
    st.caption(f"Of the {thousands(len(cache.clean_set(dataset.id).rows))} images that are clean now.")
    split_panel.draw_settings(dataset)
if split is None:
    with shown:
        st.subheader("No split yet", anchor=False)
        st.markdown(
            "Make one: classes keep their shares in each part, duplicates stay together, and the same seed "
            "gives the same split."
        )
    st.stop()
state.select("split", split.id)

with shown:
    st.subheader("Images in each part", anchor=False)
    split_panel.draw_choice(splits, split)
    leaking = split_leaks.draw(split)
    with st.container(horizontal=True, gap="large"):
        for part, counts in split.parts.items():
            st.metric(part.capitalize(), thousands(sum(counts)), width="content")
    draw(parts_by_class(split.parts, dataset.class_names), key="parts")
    if not leaking:
        split_panel.draw_groups(split, *cache_prepare.duplicate_groups(split))

st.subheader("Balance the train part", anchor=False)
plan, parameters = balance_panel.draw(dataset, split)

st.subheader("What SMOTE makes", anchor=False)
own = balance_form.of_smote(plan, parameters)
smote_gallery.draw(dataset, split, own)
placed = st.container()

st.subheader("Does it help?", anchor=False)
form, studies = st.columns([0.34, 0.66], gap="large")
with form:
    balance_study.draw_form(dataset, split)
with studies:
    balance_study.draw_studies(split)

# Last: what takes longest must not keep the rest of the page waiting.
with placed:
    smote_map.draw(dataset, split, own)
