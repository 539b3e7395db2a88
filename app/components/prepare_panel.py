"""Preparing the set of a recipe: what it will take, the button that starts it, and how far it is."""

import streamlit as st

from app import state
from app.components import recipe_draft
from app.components.job_panel import current_job, job_button, job_panel
from app.components.page import plain, thousands
from wbc_core.augment import prepare
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.records import Dataset, Recipe, Split


def draw(dataset: Dataset, split: Split) -> None:
    """Draw the panel for the recipe in the form.

    Args:
        dataset: The data set.
        split: Its split.
    """
    try:
        recipe = recipe_draft.recipe()
        images = prepare.images_after(split, recipe, dataset.class_names)
        needed = prepare.bytes_after(split, recipe, dataset)
    except WbcError as error:
        st.error(plain(str(error)))
        return
    with st.container(horizontal=True, gap="large"):
        st.metric("Train images now", thousands(sum(split.parts["train"])), width="content")
        st.metric("After the recipe", thousands(images), width="content")
        st.metric("On disk", f"{thousands(needed / 1e6)} MB", width="content")
    _start(split, recipe, images, needed)


def _start(split: Split, recipe: Recipe, images: int, needed: int) -> None:
    workspace = state.workspace()
    folder = workspace.prepared_dir(prepare.prepared_id(split.id, recipe))
    if (folder / "prepared.json").exists():
        st.success(
            "This recipe is prepared for this split. It is in the list below.", icon=":material/check:"
        )
        return
    try:
        prepare.check_room(workspace, needed)
    except WbcError as error:
        st.error(plain(str(error)))
        return
    spec = {"split": split.id, "recipe": recipe.to_json()}
    job = job_button(
        f"Prepare {thousands(images)} images",
        "prepare",
        spec,
        type="primary",
        icon=":material/save_as:",
        disabled=spec in [job.spec for job in queue.active_jobs(workspace, kind="prepare")],
    )
    if job is not None:
        st.rerun()


def follow(split: Split) -> None:
    """Draw the job that prepares a set of this split, where it is the one that the session follows.

    Args:
        split: The split.
    """
    job = current_job()
    if job is None or job.kind != "prepare" or job.spec["split"] != split.id:
        return
    finished = job_panel(job.id, title=f"Preparing {job.spec['recipe']['name']}")
    # Followed once, so that choosing another set below is not undone.
    if finished is not None and finished.result and st.session_state.get("followed_job") != job.id:
        st.session_state["followed_job"] = job.id
        state.select("prepared", finished.result["prepared"])
