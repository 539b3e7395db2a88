"""What the runs of the Launch page will cost, foreseen or measured, and what to know before they start."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import state
from app.components.job_panel import standing
from app.components.page import plain
from wbc_core.backbones.registry import BACKBONES
from wbc_core.jobs import queue
from wbc_core.jobs.launch_advice import advice
from wbc_core.jobs.launching import training_device
from wbc_core.jobs.order import submit_first
from wbc_core.records import TERMINAL_STATES
from wbc_core.training.estimate import Cost, about
from wbc_core.training.presets import missing_weights
from wbc_core.training.settings import SETTINGS
from wbc_core.training.spec import RunSpec


def differing(specs: Sequence[RunSpec]) -> list[str]:
    """Settings that are not the same for all of some runs."""
    return [name for name in SETTINGS if len({getattr(spec, name) for spec in specs}) > 1]


def title_of(spec: RunSpec, among: Sequence[RunSpec]) -> str:
    """A run's backbone, with what it differs in from the other runs of the same one."""
    varied = differing([other for other in among if other.backbone == spec.backbone])
    return ", ".join(
        [BACKBONES.get(spec.backbone).title, *(f"{name}={getattr(spec, name)}" for name in varied)]
    )


def cost_table(specs: Sequence[RunSpec], found: Sequence[Cost]) -> None:
    """Draw the cost of each run and of all together."""
    on_gpu = any(cost.gpu_memory_mb is not None for cost in found)
    rows = [
        {
            "Run": title_of(spec, specs),
            "An epoch": about(cost.epoch_seconds),
            "At most": about(cost.seconds),
            "Memory": f"{'' if cost.measured else 'about '}{cost.memory_mb / 1000:.2g} GB",
            **({"GPU memory": _gigabytes(cost.gpu_memory_mb)} if on_gpu else {}),
            "Disk": f"{cost.disk_mb:,.0f} MB",
        }
        for spec, cost in zip(specs, found, strict=True)
    ]
    st.table(pd.DataFrame(rows).set_index("Run"))
    measured = [cost for cost in found if cost.measured]
    places = sorted({cost.device_name for cost in measured if cost.device_name})
    where = "as measured" if len(measured) == len(found) else "on 2 CPU cores"
    st.metric("All together, at most", f"{about(sum(cost.seconds for cost in found))} {where}")
    if places:
        st.caption(f"Measured on {plain(', '.join(places))}.")
    if len(measured) < len(found):
        gpu = training_device(state.workspace()) == "gpu"
        st.caption(
            "Foreseen for 2 CPU cores, memory from the layers of the network."
            + (" These runs will train on a GPU, which is many times faster: measure on it." if gpu else "")
        )


def _gigabytes(megabytes: float | None) -> str:
    return "not measured" if megabytes is None else f"{megabytes / 1000:.2g} GB"


def measure_button(specs: Sequence[RunSpec], found: Sequence[Cost]) -> None:
    """Draw the button that times two real steps of each run that was not measured yet."""
    workspace = state.workspace()
    waiting = queue.list_jobs(workspace, states=("queued", "running"), kind="dry_run")
    unmeasured = [spec for spec, cost in zip(specs, found, strict=True) if not cost.measured]
    failed = queue.list_jobs(workspace, states=("failed",), kind="dry_run", limit=20)
    errors = {RunSpec.from_json(job.spec): str(job.error) for job in reversed(failed)}
    for words in {errors[spec] for spec in unmeasured if spec in errors}:
        st.error(f"Not measured: {plain(words)}", icon=":material/error:")
    if waiting:
        _progress([job.id for job in waiting])
    elif unmeasured and st.button(
        "Measure on this machine",
        icon=":material/speed:",
        key="launch-measure",
        help="Trains two steps of each run in a process of its own, and keeps nothing. It comes before "
        "what waits, and after the training that runs.",
    ):
        for spec in reversed(unmeasured):
            submit_first(workspace, "dry_run", spec.to_json())
        st.rerun()


def _progress(job_ids: list[str]) -> None:
    """Draw how far the measuring is; the page is drawn anew when it is done."""

    def poll() -> None:
        jobs = [queue.get_job(state.workspace(), job_id) for job_id in job_ids]
        done = sum(1.0 if job.state in TERMINAL_STATES else job.progress for job in jobs)
        running = next((job for job in jobs if job.state == "running"), jobs[0])
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.progress(done / len(jobs), text=f"Measuring: {standing(running)}")
            if st.button("Cancel", key="launch-measure-cancel", icon=":material/stop_circle:"):
                for job in jobs:
                    queue.cancel(state.workspace(), job.id)
        if all(job.state in TERMINAL_STATES for job in jobs):
            st.rerun()

    st.fragment(poll, run_every=1.0)()


def warnings(specs: Sequence[RunSpec], found: Sequence[Cost]) -> None:
    """Draw what a person should know before these runs start; the same words once."""
    if missing := missing_weights(specs):
        names = ", ".join(f"**{plain(BACKBONES.get(name).title)}**" for name in missing)
        lines = "\n".join(f"- {plain(words)}" for words in missing.values())
        st.warning(
            f"ImageNet weights that are not at hand, so that these runs begin with a download: {names}",
            icon=":material/cloud_download:",
        )
        with st.expander("Where they come from, and where to place them"):
            st.markdown(lines)
    for words, runs in advice(state.workspace(), specs, found).items():
        titles = plain(", ".join(title_of(spec, specs) for spec in runs))
        st.warning(f"**{titles}**: {plain(words)}", icon=":material/info:")
