"""The guard: what share of augmented images the scan would flag as foreign or empty."""

import time
from concurrent.futures import Future

import streamlit as st

from app import cache_augment
from app.components import augment_preview, recipe_draft
from app.formatting import percent, plain
from wbc_core.augment.guard import Verdict
from wbc_core.augment.recipe import online_operation
from wbc_core.curation.checks import CHECKS
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Recipe, Split

_PENDING = "guard_pending"


@st.fragment(key="augment-guard")
def draw(dataset: Dataset, split: Split) -> None:
    """Say what the scan would flag, of the open card or of the whole recipe.

    Args:
        dataset: The data set.
        split: Its split.
    """
    try:
        recipe = recipe_draft.recipe()
        for name, stage, index in _asked(recipe):
            found = cache_augment.verdict(
                split, recipe, dataset.class_names, stage, index, augment_preview.epoch()
            )
            _say(name, _waited_for(found))
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


def _waited_for(found: "Future[Verdict]") -> Verdict:
    """Wait so that a slider moved meanwhile ends the wait: writing to the page is what lets it."""
    before = st.session_state.get(_PENDING)
    if before is not None and before is not found:
        before.cancel()
    st.session_state[_PENDING] = found
    place = st.empty()
    while not found.done():
        place.caption("Asking the scan's checks…")
        time.sleep(0.04)
    place.empty()
    return found.result()


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
            f"{checks}. That can help all the same, but look whether a cell is left to learn from.",
            icon=":material/warning:",
        )
    else:
        st.caption(
            f":material/info: {share} of {name} would be flagged as foreign or empty by the scan ({sample}): "
            f"{checks}."
        )
