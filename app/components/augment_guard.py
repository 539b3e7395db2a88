"""The guard: what share of augmented images the scan would flag as foreign or empty."""

import time
from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import cache_augment
from app.components import augment_preview, recipe_draft
from app.formatting import percent, plain
from wbc_core.augment.guard import Verdict
from wbc_core.augment.recipe import online_operation
from wbc_core.curation.checks import CHECKS
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Recipe, Split

SETTLE_SECONDS = 0.4
"""How long nothing must have changed before the scan is asked: while a slider moves, it would only hinder."""

_TICK_SECONDS = 0.04


def draw(dataset: Dataset, split: Split) -> None:
    """Say what the scan would flag, of the open card or of the whole recipe.

    Args:
        dataset: The data set.
        split: Its split.
    """
    place = st.empty()
    try:
        recipe = recipe_draft.recipe()
        for name, stage, index in _asked(recipe):
            asked = (split, recipe, dataset.class_names, stage, index, augment_preview.epoch())
            _say(name, _answer(place, asked))
    except WbcError:
        # The form or the preview says what is wrong.
        return


def _asked(recipe: Recipe) -> list[tuple[str, str, int]]:
    """What is judged: its name, stage and place."""
    copies = [
        (f"the copies by {online_operation(operation.name).title}", "operations", index)
        for index, operation in enumerate(recipe.operations)
        if recipe.engine == "lab"
    ]
    online = [("what training gets", "online", 0)] if recipe.online else []
    if st.session_state.get(augment_preview.VIEW) == "whole":
        return copies + online
    opened = recipe_draft.opened()
    if opened is None:
        return []
    return online if opened[0] == "online" else [entry for entry in copies if entry[2] == opened[1]]


def _answer(place: DeltaGenerator, asked: cache_augment.Asked) -> Verdict:
    """Wait for a verdict so that a slider moved meanwhile ends the wait: writing to the page lets it."""
    if not cache_augment.is_judged(asked):
        _wait(place, lambda until: time.monotonic() >= until)
    found = cache_augment.verdict(asked)
    _wait(place, lambda until: found.done())
    place.empty()
    return found.result()


def _wait(place: DeltaGenerator, over: Callable[[float], bool]) -> None:
    until = time.monotonic() + SETTLE_SECONDS
    while not over(until):
        place.caption("Asking the scan's checks…")
        time.sleep(_TICK_SECONDS)


def _say(name: str, verdict: Verdict) -> None:
    share = percent(verdict.share, 0)
    checks = ", ".join(
        f"{CHECKS.get(check).title.lower()} {percent(count / verdict.images, 0)}"
        for check, count in verdict.by_check.items()
    )
    sample = f"of {verdict.images} looked at"
    if not verdict.flagged:
        st.caption(f":material/check: The scan would flag none of {name} as foreign or empty ({sample}).")
    elif verdict.warns:
        st.warning(
            f"**{share} of {plain(name)} would be flagged as foreign or empty by the scan** ({sample}): "
            f"{checks}. Look whether a cell is left to learn from.",
            icon=":material/warning:",
        )
    else:
        st.caption(
            f":material/info: {share} of {name} would be flagged as foreign or empty by the scan ({sample}): "
            f"{checks}."
        )
