"""The same training again after further decisions: a new clean set; parts, recipe and spec as before."""

from collections.abc import Iterator

import numpy as np

from wbc_core.augment.prepare import load_prepared, prepare
from wbc_core.derived_splits import Changes, changes_since, keep_parts
from wbc_core.errors import WbcError
from wbc_core.evaluation.compare import comparable_part
from wbc_core.evaluation.pairs import SIGNIFICANCE
from wbc_core.evaluation.repeated import repeated_difference
from wbc_core.evaluation.reports import load_predictions, load_report
from wbc_core.jobs.launching import launch, priority_of_work
from wbc_core.jobs.queue import check_priority, get_job, list_jobs
from wbc_core.progress import Progress, part_of
from wbc_core.records import Job, Json
from wbc_core.splitting import load_split
from wbc_core.training.runs import load_run, refuse_ensemble
from wbc_core.workspace import Workspace

KIND = "relaunch"

_MANY_JOBS = 100_000


def foresee_relaunch(workspace: Workspace, run_id: str, *, until: int | None = None) -> Changes:
    """What further decisions have changed for a run.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        until: Only decisions up to this line of the log.

    Raises:
        WbcError: There is no such run, or it is an ensemble or one of a study on the raw images.
    """
    run = load_run(workspace, run_id)
    refuse_ensemble(run, "a relaunch")
    split = load_split(workspace, run.split)
    if split.raw:
        raise WbcError(
            f"Run {run_id} learnt from the raw images of a study.", fix="Relaunch a run on a clean set."
        )
    return changes_since(workspace, split.id, until=until)


def what_it_means(changes: Changes) -> str:
    """What a person must know before comparing the report of a run with that of its relaunch."""
    if not changes.held_out:
        return "Both runs are judged on the same held-out images and labels."
    told = (
        "Held-out images or labels change, so the old report and the new one are not about the same. No test "
        "compares the two runs then: images that the old one got wrong were looked at, which favours it."
    )
    if not changes.learnt:
        told += " What is learnt from stays as it was: the same training again, under another held-out part."
    return told


def relaunch_spec(workspace: Workspace, run_id: str, head: int, *, priority: str = "normal") -> Json:
    """The spec of a job that relaunches a run with the decisions up to a line of the log.

    Raises:
        WbcError: There is no such run, the decisions change nothing for it, or there is no such priority.
    """
    check_priority(priority)
    if not foresee_relaunch(workspace, run_id, until=head).images:
        raise WbcError(
            f"No image that {run_id} learnt from or is judged on was dropped or relabelled since.",
            expected="decisions taken after its clean set",
            fix="Decide on images in its report or on the Review page first.",
        )
    return {"run": run_id, "head": head} | ({"priority": priority} if priority != "normal" else {})


def run_relaunch(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Make the split and the prepared set anew and queue the training; started again, it goes on.

    Returns:
        `split`, `prepared` and `run`, and what has changed: `changes`, as JSON of `Changes`.
    """
    run = load_run(workspace, spec["run"])
    changes = foresee_relaunch(workspace, run.id, until=spec["head"])
    split = keep_parts(workspace, run.split, until=spec["head"], progress=part_of(progress, 0.0, 0.3))
    recipe = load_prepared(workspace, run.prepared).recipe
    prepared = prepare(workspace, split.id, recipe, part_of(progress, 0.3, 1.0))
    job = relaunched_with(workspace, run.id, split.clean)
    if job is None:
        training = {**run.spec.to_json(), "prepared": prepared.id, "clones": run.id}
        training["relaunches"] = {"run": run.id, "clean": split.clean, "changes": changes.to_json()}
        job = launch(workspace, training, priority=priority_of_work(workspace, job_id, spec))
    return {"split": split.id, "prepared": prepared.id, "run": job.id, "changes": changes.to_json()}


def relaunched_with(workspace: Workspace, run_id: str, clean_id: str) -> Job | None:
    """The training that relaunches a run on a clean set; None where none is under way or has succeeded."""
    for job in _relaunches(workspace):
        same = _of(job, run_id) and job.spec["relaunches"]["clean"] == clean_id
        if same and job.state not in ("failed", "cancelled"):
            return job
    return None


def _relaunches(workspace: Workspace) -> Iterator[Job]:
    jobs = list_jobs(workspace, kind="train", limit=_MANY_JOBS)
    return (job for job in jobs if "relaunches" in job.spec)


def _of(job: Job, run_id: str) -> bool:
    return bool(job.spec["relaunches"]["run"] == run_id)


def relaunches_of(workspace: Workspace, run_id: str) -> list[Job]:
    """The trainings that relaunch a run, newest first; one that was resumed counts once."""
    newest: dict[str, Job] = {}
    for job in _relaunches(workspace):
        if _of(job, run_id):
            newest.setdefault(job.spec["prepared"], job)
    return list(newest.values())


def relaunched_run(workspace: Workspace, run_id: str) -> str | None:
    """Id of the run that a run relaunches; None where it is no relaunch."""
    try:
        job = get_job(workspace, run_id)
    except WbcError:
        return None
    return job.spec["relaunches"]["run"] if job.kind == "train" and "relaunches" in job.spec else None


def relaunch_comparison(workspace: Workspace, run_id: str) -> Json:
    """Compare a relaunch with the run that it relaunches on the images that both hold out.

    The old model's predictions are taken from its report, and both are judged by the new labels. Where
    decisions changed held-out images there is no test: a report shows first what its own run got wrong, so
    that dropping or relabelling these favours that run.

    Args:
        workspace: The lab.
        run_id: Id of the relaunch.

    Returns:
        `before`, `after`: the runs; `part`, `images`; `accuracy_before`, `accuracy_after`; `difference` of
        accuracy as a share, after minus before; `difference_ci` and `p`, None without a test; and `words`.

    Raises:
        WbcError: The run is no relaunch, or one of them has no report.
    """
    earlier = relaunched_run(workspace, run_id)
    if earlier is None:
        raise WbcError(f"{run_id} relaunches no run.", fix="Give a run that `wbc relaunch` queued.")
    part = comparable_part(workspace, [earlier, run_id])
    after = load_predictions(workspace, run_id, part)
    before = load_predictions(workspace, earlier, part).set_index("row").reindex(after["row"])
    if before["predicted"].isna().any() or (before["image_id"].to_numpy() != after["image_id"]).any():
        raise WbcError(f"{earlier} was not evaluated on the images of {run_id}.", fix="Evaluate both again.")
    labels, classes = after["label"].to_numpy(), len(load_report(workspace, run_id, part)["classes"])
    predicted = [table["predicted"].to_numpy(np.int64) for table in (before, after)]
    accuracies = [float((named == labels).mean()) for named in predicted]
    result: Json = {
        "before": earlier,
        "after": run_id,
        "part": part,
        "images": len(after),
        "accuracy_before": accuracies[0],
        "accuracy_after": accuracies[1],
        "difference": accuracies[1] - accuracies[0],
    }
    changes = Changes.from_json(get_job(workspace, run_id).spec["relaunches"]["changes"])
    if changes.held_out:
        words = (
            "No test: held-out images were changed after a look at the errors, which favours the run before"
        )
        return result | {"difference_ci": None, "p": None, "words": words}
    found = repeated_difference(labels, predicted[:1], predicted[1:], classes, np.random.default_rng(0))
    return result | {
        "difference_ci": found.accuracy_ci and list(found.accuracy_ci),
        "p": found.p,
        "words": found.words("The relaunch", "the run before", significance=SIGNIFICANCE),
    }
