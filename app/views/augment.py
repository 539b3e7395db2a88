"""Augment: build a recipe, see what it does to real train images, and prepare the set on disk."""

import streamlit as st

from app import cache, cache_prepare, state
from app.components import pictures, prepared_list, recipe_builder
from app.components.chain_bar import current_split
from app.components.job_panel import job_button, job_panel
from app.components.page import begin, empty, plain, require_dataset, thousands
from wbc_core import splitting
from wbc_core.augment import prepare
from wbc_core.augment.operations import OPERATIONS
from wbc_core.augment.preview import examples, preview
from wbc_core.errors import WbcError
from wbc_core.jobs import queue

AT_LEAST, AT_MOST = 8, 16

begin("Augment", "Build a recipe and see on real train images what it does before anything is written.")
dataset = require_dataset()
split = current_split(dataset.id)
if split is None:
    empty(
        "There is no split yet. Augmentation changes train images only, so it must know which these are.",
        label="Split the data set",
        view="split_balance",
    )
    st.stop()
state.select("split", split.id)
if splitting.is_stale(state.workspace(), split):
    st.warning(
        "This split was made from an older clean set: decisions have changed since. Split again first.",
        icon=":material/history:",
    )

form, shown = st.columns([0.34, 0.66], gap="large")
with form:
    st.subheader("Recipe", anchor=False)
    recipe = recipe_builder.draw()
    if recipe is None:
        st.stop()
    recipe_builder.draw_files(recipe)
    try:
        balanced = prepare.balanced_counts(split, recipe, dataset.class_names)
    except WbcError as error:
        st.error(plain(str(error)))
        st.stop()

with shown, st.container(key="preview"):
    st.html("<style>@media (min-width: 641px) {.st-key-preview {position: sticky; top: 4.5rem}}</style>")
    st.subheader("Preview", anchor=False)
    st.caption(
        "Train images of every class and what becomes of each: byte for byte what training gets at this seed."
    )
    count = min(max(AT_LEAST, len(dataset.class_names)), AT_MOST)
    chosen = examples(
        recipe,
        cache_prepare.train_rows(split),
        count,
        dataset.class_names,
        balanced,
    )
    originals = cache.images(dataset.id)[list(chosen.rows)]
    columns = preview(originals, recipe.operations, recipe.seed, chosen.positions)
    lines = []
    for place, (row, label) in enumerate(zip(chosen.rows, chosen.labels, strict=True)):
        name = dataset.class_names[label]
        line = [pictures.Picture(cache.data_url(originals[place]), name, f"{name}, row {row}")]
        for operation, changed, drawn in columns:
            caption = OPERATIONS.get(operation).caption(drawn, place)
            text = f"{name}, row {row}, {OPERATIONS.get(operation).title}"
            line.append(pictures.Picture(cache.data_url(changed[place]), caption, text))
        lines.append(line)
    pictures.table(["Original", *(OPERATIONS.get(name).title for name, _, _ in columns)], lines)

st.subheader("Prepare", anchor=False)
images = prepare.images_after(split, recipe, dataset.class_names)
needed = prepare.bytes_after(split, recipe, dataset)
with st.container(horizontal=True, gap="large"):
    st.metric("Train images now", thousands(sum(split.parts["train"])), width="content")
    st.metric("After the recipe", thousands(images), width="content")
    st.metric("On disk", f"{thousands(needed / 1e6)} MB", width="content")
spec = {"split": split.id, "recipe": recipe.to_json()}
ready = (state.workspace().prepared_dir(prepare.prepared_id(split.id, recipe)) / "prepared.json").exists()
active = [job.spec for job in queue.active_jobs(state.workspace())]
try:
    prepare.check_room(state.workspace(), 0 if ready else needed)
except WbcError as error:
    st.error(plain(str(error)))
else:
    if ready:
        st.success(
            "This recipe is prepared for this split. It is in the list below.", icon=":material/check:"
        )
    else:
        label = f"Prepare {thousands(images)} images"
        job_button(label, "prepare", spec, type="primary", icon=":material/save_as:", disabled=spec in active)
job_id = state.current("job")
job = next((entry for entry in queue.list_jobs(state.workspace()) if entry.id == job_id), None)
if job is not None and job.kind == "prepare" and job.spec["split"] == split.id:
    finished = job_panel(job.id, title=f"Preparing {job.spec['recipe']['name']}")
    # Followed once, so that choosing another set below is not undone.
    if finished is not None and finished.result and st.session_state.get("followed_job") != job.id:
        st.session_state["followed_job"] = job.id
        state.select("prepared", finished.result["prepared"])

st.subheader("Prepared sets of this split", anchor=False)
prepared_list.draw(split.id)
