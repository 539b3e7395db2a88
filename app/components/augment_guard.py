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
        verdicts = {
            name: _answer(place, (split, recipe, dataset.class_names, stage, index, augment_preview.epoch()))
            for name, stage, index in _asked(recipe)
        }
    except WbcError:
        # The form or the preview says what is wrong.
        return
    flagged = {name: verdict for name, verdict in verdicts.items() if verdict.warns}
    if flagged:
        st.warning(
            "**The scan would flag as foreign or empty** "
            + _in_words(flagged)
            + ". Look whether a cell is left.",
            icon=":material/warning:",
        )
    passed = {name: verdict for name, verdict in verdicts.items() if not verdict.warns}
    if passed:
        st.caption(":material/check: The scan would flag as foreign or empty " + _in_words(passed) + ".")


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


def _in_words(verdicts: dict[str, Verdict]) -> str:
    """Share and checks of each: "6 % of the copies by Solarization (exposure 6 %)"."""
    said = []
    for name, verdict in verdicts.items():
        checks = ", ".join(
            f"{CHECKS.get(check).title.lower()} {percent(count / verdict.images, 0)}"
            for check, count in verdict.by_check.items()
        )
        share = percent(verdict.share, 0) if verdict.flagged else "none"
        said.append(f"{share} of {plain(name)}" + (f" ({checks})" if checks else ""))
    looked_at = max(verdict.images for verdict in verdicts.values())
    return f"{'; '.join(said)}, of {looked_at} looked at"
