"""What keeps and shares a recipe: save, download, open a file, and the list of saved ones."""

import json

import streamlit as st

from app import state
from app.components import recipe_draft
from app.formatting import plain
from wbc_core.augment.recipe import (
    PRESETS,
    delete_recipe,
    list_recipes,
    recipe_from_text,
    rename_recipe,
    save_recipe,
)
from wbc_core.errors import WbcError
from wbc_core.records import Recipe
from wbc_core.wording import counted

LOADED = "recipe_loaded"
"""Key of the name of the recipe that was put into the form last."""

_MESSAGE = "recipe_message"


def _follow(name: str) -> None:
    """Go on with the form as it is, under the name of a recipe in the list."""
    st.session_state["recipe"] = st.session_state[LOADED] = name


def _save(recipe: Recipe) -> None:
    try:
        saved = save_recipe(state.workspace(), recipe)
    except WbcError as error:
        st.session_state[_MESSAGE] = ("error", str(error))
        return
    _follow(saved.name)
    st.session_state["recipe_name"] = saved.name
    st.session_state[_MESSAGE] = ("success", f"Saved as {saved.name}.")


def _import() -> None:
    upload = st.session_state.get("recipe_file")
    if upload is None:
        return
    try:
        recipe_draft.fill(recipe_from_text(upload.getvalue()))
    except WbcError as error:
        st.session_state[_MESSAGE] = ("error", str(error))
    else:
        st.session_state[_MESSAGE] = ("success", "The file's recipe is in the form. Save it to keep it.")


def _rename(name: str, key: str) -> None:
    try:
        renamed = rename_recipe(state.workspace(), name, st.session_state[key].strip())
    except WbcError as error:
        st.session_state[_MESSAGE] = ("error", str(error))
    else:
        if st.session_state.get("recipe") == name:
            _follow(renamed.name)
            st.session_state["recipe_name"] = renamed.name
        st.session_state[_MESSAGE] = ("success", f"Renamed to {renamed.name}.")


def _delete(name: str) -> None:
    try:
        delete_recipe(state.workspace(), name)
    except WbcError as error:
        st.session_state[_MESSAGE] = ("error", str(error))
    else:
        if st.session_state.get("recipe") == name:
            _follow(PRESETS.names()[0])
        st.session_state[_MESSAGE] = ("success", f"Deleted {name}. What it had in the form is still there.")


def draw(recipe: Recipe | None) -> None:
    """Draw the buttons.

    Args:
        recipe: The recipe in the form; None where it cannot be used.
    """
    kind, message = st.session_state.pop(_MESSAGE, (None, None))
    with st.container(horizontal=True, vertical_alignment="center"):
        if recipe is not None:
            _keep(recipe)
        with st.popover("Open a file", icon=":material/upload_file:"):
            st.file_uploader(
                "A recipe as JSON", type="json", key="recipe_file", on_change=_import, max_upload_size=1
            )
        saved = list_recipes(state.workspace())
        if saved:
            with st.popover("Saved recipes", icon=":material/folder_open:"):
                _list(saved)
    if kind == "error":
        st.error(plain(message))
    elif kind == "success":
        st.success(plain(message))


def _keep(recipe: Recipe) -> None:
    preset = recipe.name in PRESETS
    st.button(
        "Save recipe",
        on_click=_save,
        args=(recipe,),
        icon=":material/save:",
        disabled=preset,
        help="Change something first: the presets are there already."
        if preset
        else f"Saves it in the workspace as {recipe.name}.",
    )
    st.download_button(
        "Download JSON",
        json.dumps(recipe.to_json(), indent=2) + "\n",
        file_name=f"{recipe.name}.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        help=f"The same recipe has the same id everywhere: {recipe.id}.",
    )


def _list(saved: list[Recipe]) -> None:
    names = {recipe.name: recipe for recipe in saved}
    name = st.selectbox(
        "Saved recipe", list(names), format_func=lambda name: f"{name} · {names[name].id}", key="recipe_saved"
    )
    chosen = names[name]
    count = len(chosen.operations) + len(chosen.online)
    st.caption(
        f"{counted(count, 'operation')}, seed {chosen.seed}. Choose it under “Start from” to work on it."
    )
    key = f"recipe_rename_{name}"
    st.text_input("New name", name, key=key, max_chars=40)
    with st.container(horizontal=True):
        st.button("Rename", icon=":material/edit:", on_click=_rename, args=(name, key))
        st.button(
            "Delete",
            icon=":material/delete:",
            on_click=_delete,
            args=(name,),
            help="Sets prepared with it keep their own copy.",
        )
