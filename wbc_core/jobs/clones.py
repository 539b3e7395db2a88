"""Trainings made from earlier ones: with changes, with half the batch, with more epochs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wbc_core.errors import WbcError
from wbc_core.jobs.launching import launch
from wbc_core.jobs.queue import get_job
from wbc_core.records import Job, Json
from wbc_core.training.checkpoint import saved_epochs
from wbc_core.training.runs import history
from wbc_core.training.schedules import EARLY_STOPPING, epochs_since_best, patience_left, rates_ahead
from wbc_core.training.settings import SETTINGS, read_settings
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

OUT_OF_MEMORY = "out of memory"
"""What the error of a training says that its device's memory was too small for."""

_GENTLY = "To train on gently instead, clone it with weights=run:{} and a lower learning rate."

MOST_EPOCHS = int(SETTINGS["epochs"].high)
"""Epochs that a training has at most."""


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


def ran_out_of_memory(workspace: Workspace, job: Job) -> bool:
    """Whether a training failed because memory was too small, and could do with a smaller batch."""
    if job.kind != "train" or job.state != "failed" or OUT_OF_MEMORY not in (job.error or "").lower():
        return False
    try:
        return bool(launched_spec(workspace, job)["batch_size"] > 1)
    except WbcError:  # the page must show the job even when its files are damaged
        return False


def retry_with_half_batch(workspace: Workspace, job_id: str) -> Job:
    """Queue a failed training anew with half the batch and twice the accumulation: the same step size.

    It goes on from the last checkpoint, where an epoch was finished.

    Raises:
        WbcError: There is no such job, it did not run out of memory, or so much accumulation is not allowed.
    """
    job = get_job(workspace, job_id)
    if not ran_out_of_memory(workspace, job):
        raise WbcError(
            f"Job {job_id} did not run out of memory.",
            expected="a failed training of more than one image a step",
        )
    spec = launched_spec(workspace, job)
    smaller = {"batch_size": spec["batch_size"] // 2, "accumulation": 2 * spec["accumulation"]}
    retry = RunSpec.from_json({**spec, **smaller}).checked().to_json()
    done = saved_epochs(workspace, job_id)
    launched = {**retry, "resumes" if done else "clones": job_id}
    return launch(workspace, launched, done=done, priority=job.priority)


def clone_run(workspace: Workspace, job_id: str, settings: Mapping[str, str]) -> Job:
    """Queue a training anew, from its start, with some settings changed.

    Args:
        workspace: Whose queue.
        job_id: The training.
        settings: Names of settings and their new values, as on the command line.

    Raises:
        WbcError: There is no such job, it is no training, or a setting or value is not valid.
    """
    job = get_job(workspace, job_id)
    if job.kind != "train":
        raise WbcError(f"Job {job_id} cannot be cloned.", expected="a training", got=job.kind)
    changed = {**launched_spec(workspace, job), **read_settings(settings)}
    spec = RunSpec.from_json(changed).checked().to_json()
    return launch(workspace, {**spec, "clones": job_id}, priority=job.priority)


@dataclass(frozen=True)
class Continuation:
    """How a finished run can go on.

    Attributes:
        had: Epochs that it had.
        planned: Epochs that it was launched with.
        patience: What `early_stopping_patience` must be then: as it was, or where nothing of it is left,
            as much again.
        waited: Whether nothing of it is left.
    """

    had: int
    planned: int
    patience: int
    waited: bool


def continuation(workspace: Workspace, job: Job) -> Continuation | None:
    """How a training can go on with more epochs; None where it has not succeeded, or may not have more."""
    if job.kind != "train" or job.state != "succeeded":
        return None
    spec = RunSpec.from_json(launched_spec(workspace, job))
    had = (job.result or {}).get("epochs", spec.epochs)
    if had >= MOST_EPOCHS:
        return None
    if had < spec.epochs and (job.result or {}).get("ended") != EARLY_STOPPING:
        return None
    rows: Any = history(workspace, job.id).to_dict("records")
    patience, waited = spec.early_stopping_patience, not patience_left(spec, rows)
    if waited:
        most = int(SETTINGS["early_stopping_patience"].high)
        patience = min(patience + epochs_since_best(spec, rows), most)
    return Continuation(had, spec.epochs, patience, waited)


def foresee_continuation(workspace: Workspace, job_id: str, epochs: int) -> str:
    """What happens to the learning rate where `continue_run` is called with the same, in words.

    Raises:
        WbcError: As `continue_run`.
    """
    _, longer, _ = _longer(workspace, job_id, epochs)
    rows: Any = history(workspace, job_id).to_dict("records")
    if not rows:
        return "What its learning rate was is not known: its history.csv is missing."
    told, goes_up = rates_ahead(longer, rows)
    return f"{told} {_GENTLY.format(job_id)}" if goes_up else told


def continue_run(workspace: Workspace, job_id: str, epochs: int) -> Job:
    """Queue a new run that goes on from a finished one's last epoch.

    One that ended for want of patience is given as much again.

    Args:
        workspace: Whose queue.
        job_id: The training that has ended by itself.
        epochs: How many epochs there are then in all.

    Raises:
        WbcError: The job is no such training, or the epochs are not more than it had.
    """
    job, longer, done = _longer(workspace, job_id, epochs)
    return launch(workspace, {**longer.to_json(), "resumes": job_id}, done=done, priority=job.priority)


def _longer(workspace: Workspace, job_id: str, epochs: int) -> tuple[Job, RunSpec, int]:
    """A finished training, its spec with more epochs, and how many it had."""
    job = get_job(workspace, job_id)
    further = continuation(workspace, job)
    if further is None:
        raise WbcError(
            f"Job {job_id} cannot be continued with more epochs.",
            expected="a training that had all its epochs, or ended for want of patience, of fewer than "
            f"{MOST_EPOCHS} epochs",
            got=f"{job.kind}, {(job.result or {}).get('ended') or job.state}",
            fix="Resume it where it failed or was cancelled; clone it where a sweep has ended it.",
        )
    if epochs <= further.had:
        raise WbcError(
            f"Run {job_id} has had these epochs.", expected=f"more than {further.had} in all", got=epochs
        )
    changed = {"epochs": epochs, "early_stopping_patience": further.patience}
    return job, RunSpec.from_json({**launched_spec(workspace, job), **changed}).checked(), further.had
