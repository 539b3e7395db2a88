"""Trainings made from earlier ones: with changes, with half the batch, with more epochs."""

from typing import Any

from wbc_core.errors import WbcError
from wbc_core.jobs.launching import launch
from wbc_core.jobs.queue import get_job
from wbc_core.records import Job, Json
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

OUT_OF_MEMORY = "out of memory"
"""What the error of a training says that its device's memory was too small for."""


def launched_spec(workspace: Workspace, job: Job) -> Json:
    """What a training was launched with; of a trial, what it drew when it started."""
    written = workspace.run_dir(job.id) / "spec.json"
    plain = workspace.read_json(written, f"run {job.id}") if written.exists() else job.spec
    return RunSpec.from_json(plain).to_json()


def origin(job: Job) -> str | None:
    """Id of the job that a training was cloned or goes on from; None where there is none."""
    return job.spec.get("clones") or job.spec.get("resumes")


def differences(workspace: Workspace, job: Job) -> dict[str, tuple[Any, Any]]:
    """How a training's spec differs from that of its origin.

    Returns:
        Setting to its value there and its value here; empty where nothing differs or there is no origin.
    """
    earlier = origin(job)
    if earlier is None:
        return {}
    try:
        before = launched_spec(workspace, get_job(workspace, earlier))
    except WbcError:  # the page must show the job even when its origin's files are damaged
        return {}
    after = launched_spec(workspace, job)
    return {name: (before[name], after[name]) for name in after if before[name] != after[name]}


def ran_out_of_memory(job: Job) -> bool:
    """Whether a training failed because memory was too small, and could do with a smaller batch."""
    known = job.kind == "train" and job.state == "failed" and job.spec.get("batch_size", 2) > 1
    return known and OUT_OF_MEMORY in (job.error or "").lower()


def retry_with_half_batch(workspace: Workspace, job_id: str) -> Job:
    """Queue a failed training anew with half the batch and twice the accumulation: the same step size.

    Raises:
        WbcError: There is no such job, or it did not run out of memory.
    """
    job = get_job(workspace, job_id)
    if not ran_out_of_memory(job):
        raise WbcError(
            f"Job {job_id} did not run out of memory.",
            expected="a failed training of more than one image a step",
        )
    spec = launched_spec(workspace, job)
    smaller = {"batch_size": spec["batch_size"] // 2, "accumulation": 2 * spec.get("accumulation", 1)}
    return launch(workspace, {**spec, **smaller, "clones": job_id}, priority=job.priority)


def epochs_to_continue(workspace: Workspace, job: Job) -> int | None:
    """How many epochs a finished run had; None where more of them would change nothing.

    A run that ended early, for want of patience or pruned, would end at once again.
    """
    if job.kind != "train" or job.state != "succeeded":
        return None
    planned: int = launched_spec(workspace, job)["epochs"]
    return planned if (job.result or {}).get("epochs", planned) == planned else None


def continue_run(workspace: Workspace, job_id: str, epochs: int) -> Job:
    """Queue a new run that goes on from a finished one's last epoch.

    Args:
        workspace: Whose queue.
        job_id: The training that had all its epochs.
        epochs: How many epochs there are then in all.

    Raises:
        WbcError: The job is no such training, or the epochs are not more than it had.
    """
    job = get_job(workspace, job_id)
    had = epochs_to_continue(workspace, job)
    if had is None:
        raise WbcError(
            f"Job {job_id} cannot be continued with more epochs.",
            expected="a training that had all its epochs",
            got=f"{job.kind}, {(job.result or {}).get('ended') or job.state}",
            fix="Resume it where it failed or was cancelled; clone it with more patience where it ended.",
        )
    if epochs <= had:
        raise WbcError(f"Run {job_id} has had these epochs.", expected=f"more than {had} in all", got=epochs)
    longer = RunSpec.from_json({**launched_spec(workspace, job), "epochs": epochs}).checked()
    return launch(workspace, {**longer.to_json(), "resumes": job_id}, done=had, priority=job.priority)
