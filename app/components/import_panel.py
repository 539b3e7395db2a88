"""Bringing images in: by a path on the server, or by upload; and what came of it."""

import secrets
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.components.page import plain
from app.formatting import file_name
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.records import Job
from wbc_core.wording import counted

_CHUNK_BYTES = 8 << 20


def _keep_upload(upload: Any) -> Path:
    """Write an upload to disk, where the import job finds it, in a folder of its own.

    The last part of the user's name is kept: it is what messages and the data set's source speak of.
    """
    folder = state.workspace().uploads_dir / f"import-{secrets.token_hex(8)}"
    folder.mkdir(parents=True)
    path = folder / file_name(upload.name)
    with path.open("wb") as file:
        while chunk := upload.read(_CHUNK_BYTES):
            file.write(chunk)
    return path


def _submit(source: Path, name: str, size: int | None, classes: str) -> None:
    names = [part.strip() for part in classes.split(",") if part.strip()]
    spec = {"source": str(source), "name": name or None, "size": size, "classes": names or None}
    try:
        job = queue.submit(state.workspace(), "import", spec)
    except WbcError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    state.select("job", job.id)
    st.rerun()


def import_form() -> None:
    """Draw the form that queues an import."""
    way = st.segmented_control(
        "Where the images are",
        ["On the server", "On this computer"],
        default="On the server",
        required=True,
        key="import-way",
    )
    with st.form("import", border=False):
        path, upload = "", None
        if way == "On the server":
            path = st.text_input(
                "Path",
                placeholder="/data/cells.npz",
                help="An npz file, a folder with one folder a class, a zip of it, or a CSV of paths. "
                "Read where it lies: the right way for large sets.",
            )
        else:
            upload = st.file_uploader(
                "File",
                type=["npz", "zip"],
                help="npz, or a zip with one folder a class. An upload passes through the server's memory: "
                "give a path for large sets.",
            )
        with st.expander("More settings"):
            name = st.text_input("Name", placeholder="the file's name", max_chars=80)
            size = st.number_input(
                "Image size (pixels)",
                min_value=8,
                max_value=1024,
                value=None,
                placeholder="the images' own",
                help="Needed where the images differ in size: all are brought to this square.",
            )
            classes = st.text_input(
                "Class names",
                placeholder="basophil, eosinophil, …",
                help="In label order, separated by commas, where the file holds numbers only.",
            )
        if st.form_submit_button("Import images", type="primary", icon=":material/input:"):
            if upload is not None:
                _submit(_keep_upload(upload), name or Path(upload.name).stem, size, classes)
            elif path.strip():
                _submit(Path(path.strip()).expanduser(), name, size, classes)
            else:
                st.error("Give a path or choose a file first.", icon=":material/error:")


def rejected_files(job: Job) -> None:
    """List what an import left out, and why."""
    rejected = (job.result or {}).get("rejected") or []
    if not rejected:
        return
    count = counted(len(rejected), "file was", "files were")
    with st.expander(f":red[{count} left out]", icon=":material/report:", expanded=True):
        st.dataframe(
            pd.DataFrame(rejected).rename(columns={"source": "File", "why": "Why"}),
            hide_index=True,
            height=min(320, 38 + 35 * len(rejected)),
        )


def imported_line(job: Job) -> None:
    """Say in one line what an import brought in."""
    result = job.result or {}
    images = counted(result.get("images", 0), "image")
    classes = counted(len(result.get("classes", {})), "class", "classes")
    source = plain(Path(str(job.spec.get("source", ""))).name)
    st.success(f"{images} in {classes} came in from {source}.", icon=":material/check_circle:")
