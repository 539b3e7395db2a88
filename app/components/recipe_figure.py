"""The whole recipe as a figure: the original and each operation, one image a class; a PNG for print."""

import json

import numpy as np
import streamlit as st

from app import cache_augment
from app.components import pictures
from app.components.pictures import Picture
from app.formatting import plain
from wbc_core.augment.figure import as_png, figure, size_in_words
from wbc_core.augment.recipe import online_operation
from wbc_core.records import Dataset, Recipe, Split

Rows = list[tuple[str, np.ndarray, list[str]]]


def rows_of(split: Split, recipe: Recipe, class_names: tuple[str, ...], epoch: int) -> tuple[list[str], Rows]:
    """Names of the columns, and the rows: name, pictures uint8 (columns, H, W, 3), what was drawn."""
    view = cache_augment.prepared_view(split, recipe, class_names)
    positions = cache_augment.balanced_part(split, recipe).examples(len(class_names))
    heads = [class_names[label] for label in view.labels[positions]]
    rows: Rows = [("Original", view.images[positions], [""] * len(positions))]
    if recipe.engine == "lab":
        for index, operation in enumerate(recipe.operations):
            shown = view.copies(index, positions)
            rows.append((online_operation(operation.name).title, shown.after, shown.captions))
    if recipe.online:
        shown = view.trained_on(positions, epoch)
        rows.append((f"Epoch {epoch}", shown.after, shown.labels))
    return heads, rows


def draw(dataset: Dataset, split: Split, recipe: Recipe, epoch: int) -> None:
    """Draw the figure and the button that exports it.

    Args:
        dataset: The data set.
        split: Its split.
        recipe: The recipe.
        epoch: The epoch that is shown of the online stage.
    """
    heads, rows = rows_of(split, recipe, dataset.class_names, epoch)
    if recipe.engine != "lab" and recipe.operations:
        st.info("KerasCV's copies are not in the figure: there is no preview of them.")
    lines = [
        (
            name,
            [
                Picture(cache_augment.jpeg_url(image), caption, f"{head}, {name}")
                for image, caption, head in zip(images, captions, heads, strict=True)
            ],
        )
        for name, images, captions in rows
    ]
    pictures.table(heads, lines, size=59)
    note = f"{recipe.name}, {recipe.id}, seed {recipe.seed}"
    sheet = figure(heads, [(name, images) for name, images, _ in rows], note)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download PNG",
            as_png(sheet, {"Recipe": json.dumps(recipe.to_json()), "Split": split.id}),
            file_name=f"{recipe.name}.png",
            mime="image/png",
            icon=":material/image:",
            on_click="ignore",
        )
        st.caption(plain(f"{size_in_words(sheet)}, the recipe written into the file."))
