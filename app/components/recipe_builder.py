"""The form of a recipe: start from a preset or a saved one, balance, seed, engine, and its operations."""

from collections.abc import Sequence

import streamlit as st

from app import state
from app.components import leaky, operation_cards, recipe_draft, recipe_files
from app.formatting import plain
from wbc_core.augment.keras_cv_engine import LAYERS
from wbc_core.augment.operations import OPERATIONS
from wbc_core.augment.prepare import load_prepared
from wbc_core.augment.recipe import PRESETS, list_recipes, load_recipe
from wbc_core.balance import PLANS
from wbc_core.errors import WbcError

WANTED = "recipe_wanted_balance"
"""(plan, parameters) chosen on the Split & balance page, until this form has taken them over."""

_LARGEST_SEED = 2**32 - 1
_ENGINES = {"lab": "The lab's own", "keras_cv": "KerasCV's layers"}


def start() -> None:
    """Draw the choice of a recipe to start from, and load it where it is not the one in the form."""
    loaded = recipe_files.LOADED
    names = PRESETS.names() + [recipe.name for recipe in list_recipes(state.workspace())]
    if st.session_state.get("recipe") not in (None, *names):
        # Deleted or renamed meanwhile.
        st.session_state["recipe"] = names[0]
    chosen = st.selectbox("Start from", names, index=names.index("an2dl"), key="recipe", bind="query-params")
    if st.session_state.get(loaded) != chosen:
        # A reload or a link to a prepared set opens the recipe that made it.
        prepared = (
            None if loaded in st.session_state or "recipe" in st.query_params else state.current("prepared")
        )
        try:
            if prepared:
                recipe_draft.fill(load_prepared(state.workspace(), prepared).recipe)
            else:
                recipe_draft.fill(load_recipe(state.workspace(), chosen))
        except WbcError as error:
            st.error(plain(str(error)))
        st.session_state[loaded] = chosen
    if WANTED in st.session_state:
        recipe_draft.take_balance(*st.session_state.pop(WANTED))


def draw(class_names: Sequence[str]) -> None:
    """Draw the form.

    Args:
        class_names: Class names of the data set, in label order.
    """
    st.selectbox(
        "Balance the classes by",
        PLANS.names(),
        format_func=lambda name: PLANS.get(name).title,
        key="recipe_balance",
        persist_state="session",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Seed",
            0,
            _LARGEST_SEED,
            key="recipe_seed",
            width=150,
            persist_state="session",
        )
        st.button(
            "Re-draw", on_click=recipe_draft.redraw, icon=":material/casino:", help="Takes the next seed."
        )
    operation_cards.draw(class_names)
    _engine()
    st.text_input("Name", key="recipe_name", max_chars=40, persist_state="session")
    try:
        recipe = recipe_draft.recipe()
    except WbcError as error:
        st.error(plain(str(error)))
        recipe_files.draw(None)
        return
    if recipe.name != st.session_state["recipe_name"]:
        st.caption(f"Differs from the preset, so it is called {recipe.name}.")
    if recipe.balance_parameters:
        given = ", ".join(f"{name} {value}" for name, value in recipe.balance_parameters.items())
        st.caption(plain(f"The balance plan is set to: {given}. Split & balance changes it."))
    leaky.mark(recipe.leaky)
    recipe_files.draw(recipe)


def _engine() -> None:
    engine = st.selectbox(
        "Operations that make the copies",
        list(_ENGINES),
        format_func=lambda name: _ENGINES[name],
        key="recipe_engine",
        persist_state="session",
        help="Of the copies made once; what is drawn anew each epoch is always the lab's own.",
    )
    if engine == "keras_cv":
        titles = ", ".join(OPERATIONS.get(name).title for name in LAYERS)
        st.caption(
            "KerasCV draws while it works through the set, so there is no preview of its copies; the same "
            f"seed gives the same set. It has: {titles}."
        )
