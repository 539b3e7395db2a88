"""What the Review page gives out: clean set, cleaning report, decisions; and decisions that it takes in."""

import io

import streamlit as st

from app import cache, state
from app.components import review_import
from app.components.job_panel import job_button, job_panel
from app.components.page import thousands
from app.formatting import file_name
from wbc_core.curation import agreement
from wbc_core.curation.cleaning_report import cleaning_facts, report_bytes
from wbc_core.curation.cleaning_text import methods_text
from wbc_core.curation.decision_csv import write_decisions
from wbc_core.jobs import queue
from wbc_core.records import TERMINAL_STATES, Dataset, Job
from wbc_core.wording import counted

_DOWNLOAD_LIMIT_BYTES = 200 << 20
_FORMATS = {
    "npz": "One npz file, for NumPy",
    "zip": "PNG files in class folders, zipped",
}


def panel(dataset: Dataset) -> None:
    """Draw everything that leaves the page or comes in as a file."""
    clean_set, report, decisions = st.tabs(["Clean set", "Cleaning report", "Decisions"])
    with clean_set:
        _clean_set(dataset)
    with report:
        _report(dataset)
    with decisions:
        _decisions(dataset)


def _last_export(dataset_id: str) -> Job | None:
    jobs = queue.list_jobs(state.workspace(), kind="export_clean")
    return next((job for job in jobs if job.spec.get("dataset") == dataset_id), None)


def _clean_set(dataset: Dataset) -> None:
    cleaned = cache.clean_set(dataset.id)
    st.markdown(
        f"The clean set holds **{thousands(len(cleaned.rows))}** of {counted(dataset.images, 'image')}. "
        "Every format comes back with the same pixels and labels."
    )
    chosen = st.segmented_control(
        "Format",
        list(_FORMATS),
        default="npz",
        required=True,
        format_func=_FORMATS.__getitem__,
        key="export-format",
        label_visibility="collapsed",
    )
    path = state.workspace().home / "exports" / f"{cleaned.id}.{chosen}"
    job = _last_export(dataset.id)
    running = job is not None and job.state not in TERMINAL_STATES
    if job is not None and (running or (job.state == "failed" and job.spec["path"] == str(path))):
        job_panel(job.id, title="Writing the clean set")
    if running:
        return
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        spec = {"dataset": dataset.id, "clean": cleaned.id, "path": str(path)}
        if job_button("Write the file", "export_clean", spec, key="export-clean", icon=":material/save:"):
            st.rerun()
        return
    megabytes = f"{path.stat().st_size / 1e6:.3g} MB"
    if path.stat().st_size <= _DOWNLOAD_LIMIT_BYTES:
        st.download_button(
            f"Download ({chosen}, {megabytes})",
            data=path.read_bytes,
            file_name=file_name(f"{dataset.name}-{cleaned.id}.{chosen}"),
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption("On the server:")
    else:
        limit = f"{_DOWNLOAD_LIMIT_BYTES / 1e6:.3g} MB"
        st.caption(f"{megabytes} is too large for a download (up to {limit}). Copy it from the server:")
    st.code(str(path), language=None)


@st.cache_data(show_spinner=False, max_entries=8)
def _methods_text(home: str, dataset_id: str, stamps: tuple[tuple[int, ...], ...]) -> str:
    text, references = methods_text(cleaning_facts(state.workspace(), dataset_id))
    numbered = (f"[{number}] {reference}" for number, reference in enumerate(references, 1))
    return "\n".join([text, *numbered])


def _report(dataset: Dataset) -> None:
    workspace = state.workspace()
    st.markdown(
        "One page for a paper's supplement: counts per class, what each check found and what became of it, "
        "examples, reviewers, versions. The same decisions give the same file."
    )
    with st.container(horizontal=True, gap="small"):
        for ending, kind in ((".pdf", "application/pdf"), (".html", "text/html")):
            st.download_button(
                f"Download the report ({ending[1:].upper()})",
                data=lambda ending=ending: report_bytes(workspace, dataset.id, ending),
                file_name=file_name(f"{dataset.name}-cleaning-report{ending}"),
                mime=kind,
                key=f"report{ending}",
                icon=":material/description:",
                on_click="ignore",
            )
    findings = cache.findings_stamps(dataset.id)
    stamps = (cache.log_stamp(dataset.id), agreement.opinions_stamp(workspace, dataset.id), findings)
    st.caption("Text for a methods section:")
    st.code(_methods_text(str(workspace.home), dataset.id, stamps), language=None, wrap_lines=True)


def decision_csv(dataset_id: str) -> bytes:
    """The decision log as CSV."""
    log = io.StringIO(newline="")
    write_decisions(state.workspace(), dataset_id, log)
    return log.getvalue().encode()


def _decisions(dataset: Dataset) -> None:
    st.markdown(
        "The whole decision log, each line with the hash of its image: it can be applied again to any import "
        "of the same images, in any order."
    )
    st.download_button(
        "Download all decisions (CSV)",
        data=lambda: decision_csv(dataset.id),
        file_name=f"{dataset.id}-decisions.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        disabled=not cache.log_stamp(dataset.id)[1],
    )
    review_import.panel(dataset)
