"""The preview of a recipe: the open card on the same 24 images, a strength sweep, or the whole recipe."""

from collections.abc import Sequence

import streamlit as st

from app import cache_augment, state
from app.cache_augment import Example
from app.components import pictures, recipe_draft, recipe_figure
from app.components.operation_cards import number_format
from app.components.pictures import Picture
from app.formatting import plain
from wbc_core.augment.recipe import online_operation
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Recipe, Split

VIEW, EPOCH = "augment_view", "augment_epoch"
_VIEWS = {"card": "Open operation", "whole": "Whole recipe"}


def epoch() -> int:
    """The epoch that the preview shows of the online stage, from 0."""
    return int(st.session_state.get(EPOCH, 0))


def draw(dataset: Dataset, split: Split) -> None:
    """Draw the preview of the recipe in the form.

    Args:
        dataset: The data set.
        split: Its split; only train images are shown.
    """
    try:
        recipe = recipe_draft.recipe()
    except WbcError:
        st.caption("There is a preview as soon as the recipe can be used.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = state.choose_view("What the preview shows", VIEW, _VIEWS)
        if recipe.online:
            st.number_input(
                "Epoch",
                0,
                9999,
                key=EPOCH,
                width=120,
                persist_state="session",
                help="From 0. What is drawn anew each epoch is shown as training gets it in this one.",
            )
    try:
        with st.spinner("Drawing the balanced train part…", show_time=True):
            if view == "whole":
                recipe_figure.draw(dataset, split, recipe, epoch())
                _trained_on(dataset, split, recipe)
            else:
                _card(dataset, split, recipe)
    except WbcError as error:
        st.error(plain(str(error)))


def _pairs(chosen: Sequence[Example], shown: cache_augment.Pictures, size: int = 56) -> None:
    couples = []
    for place, example in enumerate(chosen):
        text = f"{example.class_name}, row {example.row}"
        caption = "; ".join(part for part in (shown.captions[place], shown.labels[place]) if part)
        couples.append((Picture(shown.before[place], "", text), Picture(shown.after[place], caption)))
    pictures.pairs(couples, size=size)


def _trained_on(dataset: Dataset, split: Split, recipe: Recipe) -> None:
    if not recipe.online:
        return
    st.markdown(f"**What training gets in epoch {epoch()}**")
    chosen = cache_augment.examples(split, recipe, dataset.class_names)
    # Larger, because more is said under each.
    _pairs(chosen, cache_augment.trained_on(split, recipe, dataset.class_names, epoch()), 72)


def _card(dataset: Dataset, split: Split, recipe: Recipe) -> None:
    chosen, names = cache_augment.examples(split, recipe, dataset.class_names), dataset.class_names
    opened = recipe_draft.opened()
    if opened is None:
        st.caption("Train images of every class. Open or add an operation to see what it makes of them.")
        originals = cache_augment.originals(split, [example.row for example in chosen])
        shown = [
            Picture(url, "", f"{example.class_name}, row {example.row}")
            for url, example in zip(originals, chosen, strict=True)
        ]
        pictures.strip(shown, size=64)
        return
    stage, index = opened
    kind = online_operation(getattr(recipe, stage)[index].name)
    if stage == "operations" and recipe.engine == "keras_cv":
        st.info("There is no preview of what KerasCV makes: it draws while it works through the whole set.")
        return
    when = f"in epoch {epoch()}, after the operations above it" if stage == "online" else "its copies"
    st.caption(
        f"**{kind.title}**, {when}: train images before and after, byte for byte what training gets at seed "
        f"{recipe.seed}."
    )
    _pairs(chosen, cache_augment.card(split, recipe, names, stage, index, epoch()))
    _sweep(dataset, split, recipe, chosen, stage, index)


def _sweep(
    dataset: Dataset, split: Split, recipe: Recipe, chosen: Sequence[Example], stage: str, index: int
) -> None:
    operation = getattr(recipe, stage)[index]
    parameters = {entry.name: entry for entry in online_operation(operation.name).parameters}
    if not parameters:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "From lowest to highest",
            list(parameters),
            format_func=lambda entry: f"{parameters[entry].title} ({parameters[entry].unit})",
            key=f"sweep_{operation.name}",
            width="stretch",
            help="All else stays as drawn for this image. It is applied here whatever its share and classes.",
        )
        place = st.selectbox(
            "On",
            range(len(chosen)),
            format_func=lambda entry: f"{chosen[entry].class_name}, row {chosen[entry].row}",
            key="sweep_image",
            width=220,
        )
    parameter = parameters[name]
    strip = cache_augment.sweep(
        split, recipe, dataset.class_names, stage, index, name, chosen[place].position, epoch()
    )
    shown = [Picture(url, number_format(parameter) % value) for value, url in strip]
    pictures.strip(shown, size=68)
