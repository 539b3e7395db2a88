"""A model on its way out: formats to choose, what was found about each, the archive, the model card."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.components.job_panel import job_button, job_panel
from app.components.page import plain
from app.components.results_text import megabytes, share_with_interval
from wbc_core.errors import WbcError
from wbc_core.evaluation.reports import list_reports, reports_dir
from wbc_core.export.card import model_card
from wbc_core.export.card_html import as_html
from wbc_core.export.card_markdown import as_markdown
from wbc_core.export.kept import KeptExport, kept_export
from wbc_core.export.registry import FORMATS
from wbc_core.export.writing import CARD
from wbc_core.jobs import queue
from wbc_core.records import TERMINAL_STATES, Job, Json
from wbc_core.training.runs import Run, load_run
from wbc_core.wording import counted

_DOWNLOAD_LIMIT_BYTES = 200 << 20


def draw(run: Run, report: Mapping[str, Any], name: str) -> None:
    """Draw the export of a run and its model card."""
    st.markdown(
        "Every file is opened again by its own runtime and must answer as the original does on the "
        "validation images; one that does not is refused."
    )
    job = _last_job(run.id)
    active = job is not None and job.state not in TERMINAL_STATES
    _choose(run, active)
    if job is not None and job.state != "succeeded":
        job_panel(job.id, title="Exporting the model")
    kept = kept_export(state.workspace(), run.id)
    if kept is not None:
        _table(kept)
        if not active:
            _download(kept)
    _card(run, kept.passports if kept else [])


def _last_job(run_id: str) -> Job | None:
    jobs = queue.list_jobs(state.workspace(), kind="export")
    return next(
        (job for job in jobs if job.spec.get("run") == run_id and not job.spec.get("directory")), None
    )


def _choose(run: Run, active: bool) -> None:
    there = [name for name, entry in FORMATS.items() if not entry.missing()]
    chosen = st.pills(
        "Formats",
        there,
        default=there,
        selection_mode="multi",
        format_func=lambda name: FORMATS.get(name).title,
        help="  \n".join(f"{entry.title}: {entry.purpose}." for _, entry in FORMATS.items()),
        key=f"export-formats-{run.id}",
        disabled=active,
    )
    if missing := [entry.title for _, entry in FORMATS.items() if entry.missing()]:
        st.caption(f"{', '.join(missing)}: `pip install 'wbc-lab[export]'` brings what is missing.")
    spec = {"run": run.id, "to": [*chosen, CARD]}
    files = f"{counted(len(chosen), 'file')} and the model card"
    label = f"Export {files}" if chosen else "Export the model card"
    look = {"type": "primary", "icon": ":material/ios_share:", "key": "export", "disabled": active}
    if job_button(label, "export", spec, **look):
        st.rerun()


def _row(made: Json) -> dict[str, str]:
    title = FORMATS.get(made["format"]).title
    if made["verdict"] == "refused":
        return {"Format": title, "Verdict": "refused"}
    timed = made["latency"]
    return {
        "Format": title,
        "Verdict": "kept",
        "Size": f"{megabytes(made['bytes'])} ({made['size_ratio']:.2f} of .keras)",
        "Largest gap": f"{made['largest_gap']:.2g}",
        "Other classes": f"{made['label_changes']:,} of {made['checked_images']:,}",
        "Accuracy": share_with_interval(made["accuracy"], made["accuracy_ci"]),
        "Time an image": f"{timed['median_ms']:.3g} ms (p95 {timed['p95_ms']:.3g})",
    }


def _table(kept: KeptExport) -> None:
    st.subheader("Last export", anchor=False)
    if kept.outdated:
        st.warning("The model was trained further after this export.", icon=":material/history:")
    models = [made for made in kept.formats if made["format"] != CARD]
    if models:
        st.dataframe(pd.DataFrame([_row(made) for made in models]).fillna("–"), hide_index=True)
    if kept.passports:
        first = kept.passports[0]
        timed = first["original_latency"]
        accuracy = share_with_interval(first["original_accuracy"], first["original_accuracy_ci"])
        st.caption(
            f"The original in Keras: {accuracy} of these images right, {timed['median_ms']:.3g} ms an image "
            f"(p95 {timed['p95_ms']:.3g}). "
            "Largest gap: of any probability. Time: one image a call, on this machine."
        )
    for made in kept.formats:
        if made["verdict"] == "refused":
            st.warning(plain(made["reason"]), icon=":material/block:")


def _download(kept: KeptExport) -> None:
    size = kept.archive.stat().st_size
    if size <= _DOWNLOAD_LIMIT_BYTES:
        st.download_button(
            f"Download (zip, {megabytes(size)})",
            data=kept.archive.read_bytes,
            file_name=kept.archive.name,
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
        )
        return
    st.caption(
        f"{megabytes(size)} is too large for a download (up to {megabytes(_DOWNLOAD_LIMIT_BYTES)}). "
        "Copy it from the server:"
    )
    st.code(str(kept.archive), language=None)


@st.cache_data(show_spinner=False, max_entries=8)
def _card_texts(home: str, run_id: str, stamps: tuple[int, ...], exports: list[Json]) -> tuple[str, str, str]:
    card = model_card(state.workspace(), load_run(state.workspace(), run_id), exports)
    return as_markdown(card, level=4), as_markdown(card), as_html(card)


def _card(run: Run, exports: list[Json]) -> None:
    workspace = state.workspace()
    folder = reports_dir(workspace, run.id)
    files = [folder / f"{name}.json" for name in list_reports(workspace, run.id)]
    files += [workspace.run_dir(run.id) / "best.keras", workspace.run_dir(run.id) / "latency.json"]
    stamps = tuple(path.stat().st_mtime_ns for path in files if path.exists())
    st.subheader("Model card", anchor=False)
    try:
        shown, markdown, html = _card_texts(str(workspace.home), run.id, stamps, exports)
    except WbcError as error:
        st.warning(plain(str(error)))
        return
    with st.container(horizontal=True):
        for ending, kind, text in ((".html", "text/html", html), (".md", "text/markdown", markdown)):
            st.download_button(
                f"Download the card ({'HTML' if ending == '.html' else 'Markdown'})",
                data=text,
                file_name=f"{run.id}-model-card{ending}",
                mime=kind,
                key=f"card{ending}",
                icon=":material/description:",
                on_click="ignore",
            )
    with st.expander("Read the card", icon=":material/article:"):
        st.markdown(shown)
