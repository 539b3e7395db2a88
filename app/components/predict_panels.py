"""The parts of the Predict page: pictures in, their classes and the CSV file out."""

import secrets
from collections.abc import Hashable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import results_cache, state
from app.components.gallery import Item, gallery
from app.components.page import percent, plain, thousands
from app.components.predict_marks import MARKS
from app.formatting import file_name
from wbc_core.errors import WbcError
from wbc_core.evaluation import predictions as core
from wbc_core.evaluation.marks import LEAST_COST, class_columns
from wbc_core.evaluation.prediction_csv import write_predictions
from wbc_core.jobs import queue
from wbc_core.records import Job
from wbc_core.training.runs import Run
from wbc_core.wording import counted

TYPES = ["png", "jpg", "jpeg", "tif", "tiff", "bmp", "webp", "gif", "zip", "npz"]
_SHOWN = 60
_CHUNK_BYTES = 8 << 20
_ALL = "all classes"


def _keep(uploads: Sequence[Any]) -> Path:
    """Write uploads where the job finds them; one archive stands for itself, pictures go into a folder."""
    folder = state.workspace().uploads_dir / f"predict-{secrets.token_hex(8)}"
    folder.mkdir(parents=True)
    for number, upload in enumerate(uploads, 1):
        path = folder / file_name(upload.name)
        if path.exists():
            # The user's names are kept, for the CSV file; only equal ones are told apart by a number.
            path = folder / f"{number:04d}-{path.name}"
        with path.open("wb") as file:
            while chunk := upload.read(_CHUNK_BYTES):
                file.write(chunk)
    return folder / path.name if len(uploads) == 1 else folder


def source_form(run: Run) -> None:
    """Draw the choice of pictures and the button that queues their prediction."""
    way = st.segmented_control(
        "Where the pictures are",
        ["On this computer", "On the server"],
        default="On this computer",
        required=True,
        key="predict-way",
    )
    source: Path | None = None
    uploads: Sequence[Any] = ()
    if way == "On this computer":
        uploads = st.file_uploader(
            "Pictures",
            type=TYPES,
            accept_multiple_files=True,
            help="Pictures, or one zip or npz file. Uploads pass through the server's memory: give a path "
            "for thousands of pictures.",
        )
    else:
        text = st.text_input(
            "Path",
            placeholder="/data/smear-12",
            key="predict-path",
            help="A picture, a folder, a zip or an npz file on the server; read where it lies.",
        )
        source = Path(text.strip()).expanduser() if text.strip() else None
    tta = st.toggle(
        "Average over turned and mirrored views", help="Somewhat more accurate, eight times as slow."
    )
    foreign = st.toggle(
        "Mark pictures unlike the training images",
        value=True,
        help="The scan's check for foreign pictures, against the images that the run learnt from.",
    )
    archives = [upload for upload in uploads if upload.name.lower().endswith((".zip", ".npz"))]
    if archives and len(uploads) > 1:
        st.error("Upload pictures, or one archive alone.", icon=":material/error:")
        return
    if st.button("Name the classes", type="primary", icon=":material/image_search:"):
        if source is None and not uploads:
            st.error("Give a path or choose pictures first.", icon=":material/error:")
            return
        out = state.workspace().home / "predictions" / f"{secrets.token_hex(8)}.csv"
        out.parent.mkdir(parents=True, exist_ok=True)
        kept = source or _keep(uploads)
        _submit(run, kept, out, {"tta": tta, "check_foreign": foreign})


def _submit(run: Run, source: Path, out: Path, settings: dict[str, bool]) -> None:
    spec = {"run": run.id, "source": str(source), "out": str(out), **settings}
    try:
        job = queue.submit(state.workspace(), "predict", spec)
    except WbcError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    state.select("job", job.id)
    st.rerun()


def predicted(job: Job) -> pd.DataFrame | None:
    """The predictions of a finished job, or None where its file is gone."""
    path = Path(job.spec["out"])
    return results_cache.predicted(str(path), path.stat().st_mtime_ns) if path.exists() else None


def pictures(job: Job, table: pd.DataFrame, run: Run) -> None:
    """Draw the pictures with what they were named, the least certain first."""
    names = class_columns(table)
    choices = {_ALL: table} | {title: table[table[mark]] for mark, title in MARKS.items() if mark in table}
    choices |= {name: table[table["predicted"] == name] for name in names}
    there = [title for title, chosen in choices.items() if len(chosen)]
    shown_class = st.selectbox("Show", there, key="predicted-class", width=280)
    ranked = core.least_certain(choices[shown_class])
    shown = ranked.head(_SHOWN)
    sources = results_cache.pictures_of(job.spec["source"], tuple(shown["file"]), run.image_shape)
    if not sources:
        st.markdown(":gray[The pictures are no longer where they were.]")
        return
    number = thousands(len(ranked))
    st.caption(
        (f"The first {_SHOWN} of {number}" if len(ranked) > _SHOWN else number)
        + " pictures, the least certain first"
    )
    notes = [_note(line) for line in shown.to_dict("records")]
    items = [
        Item(
            row=place,
            name=line.file,
            src=sources[line.file],
            label=line.predicted,
            badge=percent(line.confidence, 0),
            mark=None,
            title=line.second,
            note=notes[place],
            group=None,
        )
        for place, line in enumerate(shown[["file", "predicted", "confidence", "second"]].itertuples())
        if line.file in sources
    ]
    gallery(items, key="predicted-pictures", class_names=names, actions=False, height=520)


def _note(line: dict[Hashable, Any]) -> str:
    """What is to be said under a picture."""
    notes = [title for mark, title in MARKS.items() if line.get(mark)]
    if line.get(LEAST_COST, line["predicted"]) != line["predicted"]:
        notes.append(f"least cost: {line[LEAST_COST]}")
    return ", ".join(notes)


def left_out(job: Job) -> None:
    """List the files that could not be read, and why."""
    rejected = (job.result or {}).get("rejected") or []
    if not rejected:
        return
    count = counted(len(rejected), "file")
    with st.expander(f":red[{count} could not be read]", icon=":material/report:", expanded=True):
        st.dataframe(pd.DataFrame(rejected).rename(columns={"source": "File", "why": "Why"}), hide_index=True)


def download(table: pd.DataFrame) -> None:
    """Draw the button that downloads the predictions with their marks as a CSV file."""

    def written() -> str:
        stream = StringIO()
        write_predictions(table, stream)
        return stream.getvalue()

    st.download_button(
        "Download CSV",
        written,
        file_name="predictions.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def told(job: Job, table: pd.DataFrame) -> str:
    """What was predicted by which run, in words."""
    source = Path(job.spec["source"])
    uploaded = source.is_relative_to(state.workspace().uploads_dir)
    pictures = counted(len(table), "uploaded picture" if uploaded else "picture")
    return f"{pictures}{'' if uploaded else f' of {plain(source.name)}'}, named by {plain(job.spec['run'])}"
