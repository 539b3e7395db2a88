"""The form of a recipe: start from a preset or a saved one, choose operations, set each one's sliders."""

import json
from dataclasses import replace

import streamlit as st

from app import state
from app.components import leaky
from app.formatting import plain
from wbc_core.augment.operations import OPERATIONS
from wbc_core.augment.prepare import load_prepared
from wbc_core.augment.recipe import (
    PRESETS,
    check_recipe,
    list_recipes,
    load_recipe,
    recipe_from_text,
    save_recipe,
)
from wbc_core.balance import PLANS
from wbc_core.errors import WbcError
from wbc_core.records import Operation, Recipe

_LOADED, _MESSAGE, _WANTED = "recipe_loaded", "recipe_message", "recipe_wanted_balance"
# Of the recipe last loaded: its plan, and what the form keeps but does not show.
_UNSHOWN = "recipe_unshown"
_LARGEST_SEED = 2**32 - 1


def _slider_key(operation: str, parameter: str) -> str:
    return f"recipe_{operation}_{parameter}"


def _fill(recipe: Recipe) -> None:
    """Put a recipe's values into the form."""
    st.session_state["recipe_name"] = recipe.name
    st.session_state["recipe_balance"] = recipe.balance
    st.session_state["recipe_seed"] = recipe.seed
    st.session_state[_UNSHOWN] = (recipe.balance, recipe.balance_parameters, recipe.leaky)
    st.session_state["recipe_operations"] = list(dict.fromkeys(entry.name for entry in recipe.operations))
    given = {entry.name: entry.parameters for entry in recipe.operations}
    for name, operation in OPERATIONS.items():
        for parameter in operation.parameters:
            value = given.get(name, {}).get(parameter.name, parameter.default)
            st.session_state[_slider_key(name, parameter.name)] = value


def _start() -> None:
    """Draw the choice of a recipe to start from, and load it where it is not the one in the form."""
    names = PRESETS.names() + [recipe.name for recipe in list_recipes(state.workspace())]
    chosen = st.selectbox("Start from", names, index=names.index("an2dl"), key="recipe", bind="query-params")
    if st.session_state.get(_LOADED) == chosen:
        return
    # A reload or a link to a prepared set opens the recipe that made it.
    prepared = (
        None if _LOADED in st.session_state or "recipe" in st.query_params else state.current("prepared")
    )
    try:
        if prepared:
            _fill(load_prepared(state.workspace(), prepared).recipe)
        else:
            _fill(load_recipe(state.workspace(), chosen))
    except WbcError as error:
        st.error(plain(str(error)))
    st.session_state[_LOADED] = chosen


def _sliders(name: str, *, expanded: bool) -> dict[str, float]:
    operation = OPERATIONS.get(name)
    values = {}
    with st.expander(operation.title, expanded=expanded, key=f"recipe_card_{name}"):
        st.caption(operation.effect, help=f"Follows {operation.source}.")
        for parameter in operation.parameters:
            values[parameter.name] = st.slider(
                f"{parameter.title} ({parameter.unit})",
                parameter.low,
                parameter.high,
                step=parameter.step,
                key=_slider_key(name, parameter.name),
                help=f"{parameter.effect[:1].upper()}{parameter.effect[1:]}.",
                persist_state="session",
            )
    return values


def redraw() -> None:
    """Take the next seed: for a button's `on_click`."""
    st.session_state["recipe_seed"] = (st.session_state["recipe_seed"] + 1) % (_LARGEST_SEED + 1)


def want_balance() -> None:
    """Carry the plan chosen on the Split & balance page over: for that widget's `on_change`."""
    st.session_state[_WANTED] = st.session_state["balance"]


def draw() -> Recipe | None:
    """Draw the form.

    Returns:
        The recipe in the form, or None where its name cannot be used.
    """
    _start()
    if _WANTED in st.session_state:
        st.session_state["recipe_balance"] = st.session_state.pop(_WANTED)
    balance = st.selectbox(
        "Balance the classes by",
        PLANS.names(),
        format_func=lambda name: PLANS.get(name).title,
        key="recipe_balance",
        persist_state="session",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = st.number_input(
            "Seed", 0, _LARGEST_SEED, key="recipe_seed", width=150, persist_state="session"
        )
        st.button("Re-draw", on_click=redraw, icon=":material/casino:", help="Takes the next seed.")
    chosen = st.multiselect(
        "Operations, each adding one copy of every image",
        OPERATIONS.names(),
        format_func=lambda name: OPERATIONS.get(name).title,
        key="recipe_operations",
        placeholder="None: the originals only",
        wrap=True,
        persist_state="session",
    )
    # One open at first: details on demand, and the preview stays in reach on a narrow screen.
    first = next((name for name in chosen if OPERATIONS.get(name).parameters), None)
    operations = tuple(Operation(name, _sliders(name, expanded=name == first)) for name in chosen)
    name = st.text_input("Name", key="recipe_name", max_chars=40, persist_state="session")
    try:
        plan, parameters, leaky_order = st.session_state.get(_UNSHOWN, ("", {}, False))
        # Parameters are a plan's own: another plan starts without.
        parameters = parameters if plan == balance else {}
        recipe = check_recipe(
            Recipe(name, balance, operations, int(seed), balance_parameters=parameters, leaky=leaky_order)
        )
    except WbcError as error:
        st.error(plain(str(error)))
        return None
    if name in PRESETS and recipe != PRESETS.get(name):
        recipe = replace(recipe, name=f"{name}-edited")
        st.caption(f"Differs from the preset, so it is called {recipe.name}.")
    leaky.mark(recipe.leaky)
    return recipe


def _save(recipe: Recipe) -> None:
    try:
        saved = save_recipe(state.workspace(), recipe)
    except WbcError as error:
        st.session_state[_MESSAGE] = ("error", str(error))
        return
    st.session_state["recipe"] = st.session_state[_LOADED] = saved.name
    st.session_state["recipe_name"] = saved.name
    st.session_state[_MESSAGE] = ("success", f"Saved as {saved.name}.")


def _import() -> None:
    upload = st.session_state.get("recipe_file")
    if upload is None:
        return
    try:
        _fill(recipe_from_text(upload.getvalue()))
    except WbcError as error:
        st.session_state[_MESSAGE] = ("error", str(error))
        return
    st.session_state[_MESSAGE] = ("success", "The file's recipe is in the form. Save it to keep it.")


def draw_files(recipe: Recipe) -> None:
    """Draw what keeps and shares a recipe: save, download, open a file.

    Args:
        recipe: The recipe in the form.
    """
    kind, message = st.session_state.pop(_MESSAGE, (None, None))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Save recipe",
            on_click=_save,
            args=(recipe,),
            icon=":material/save:",
            disabled=recipe.name in PRESETS,
            help="Change something first: the presets are there already."
            if recipe.name in PRESETS
            else f"Saves it in the workspace as {recipe.name}.",
        )
        st.download_button(
            "Download JSON",
            json.dumps(recipe.to_json(), indent=2) + "\n",
            file_name=f"{recipe.name}.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
        )
        with st.popover("Open a file", icon=":material/upload_file:"):
            st.file_uploader(
                "A recipe as JSON", type="json", key="recipe_file", on_change=_import, max_upload_size=1
            )
    if kind == "error":
        st.error(plain(message))
    elif kind == "success":
        st.success(message)
