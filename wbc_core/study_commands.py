"""The commands that train again to learn something: `wbc relaunch`, `cleaning-study` and `balance-study`."""

from collections.abc import Iterable
from typing import Annotated, Any

from typer import Argument, Option

from wbc_core.command_line import WorkFailed, command, console_progress, run_task, split_values
from wbc_core.errors import WbcError
from wbc_core.records import Json
from wbc_core.result_commands import RunReference
from wbc_core.workspace import Workspace

StudyReference = Annotated[
    str,
    Argument(metavar="RUN|DATASET|STUDY", help="A run, or a data set's newest; or a study, to see it."),
]
StudySeeds = Annotated[int, Option(min=1, max=10, help="Runs of everything that is compared.")]
OnlyForesee = Annotated[bool, Option("--dry-run", help="Only say what would be launched.")]
PriorityOption = Annotated[str, Option(help="high, normal or low: which waiting jobs start first.")]
Wait = Annotated[bool, Option("--wait", help="Follow the runs to their end, and compare.")]


def follow_run(workspace: Workspace, job_id: str) -> Json:
    """Follow a job to its end and tell how it ended."""
    from wbc_core.jobs.worker import follow

    with console_progress() as progress:
        job = follow(workspace, job_id, progress)
    if job.state != "succeeded":
        raise WorkFailed(f"Run {job_id} {job.state}. {job.error or ''}".strip())
    return {"run": job_id, "state": job.state, **(job.result or {})}


def follow_runs(workspace: Workspace, job_ids: Iterable[str]) -> list[Json]:
    """Follow jobs to their ends, also those behind one that fails, and tell how they ended.

    Raises:
        WorkFailed: Some of them did not succeed; all have ended then.
    """
    told, failures = [], []
    for job_id in job_ids:
        try:
            told.append(follow_run(workspace, job_id))
        except WorkFailed as failure:
            failures.append(str(failure))
    if failures:
        raise WorkFailed(f"{len(told)} of {len(told) + len(failures)} runs succeeded. {' '.join(failures)}")
    return told


@command("relaunch")
def relaunch(
    workspace: Workspace,
    run: RunReference,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what changes.")] = False,
    priority: PriorityOption = "normal",
    wait: Annotated[bool, Option("--wait", help="Follow the new run to its end, and compare.")] = False,
) -> Json:
    """Train a run again after further decisions: new clean set; parts, recipe, spec and seed as before."""
    from wbc_core.curation.review import head
    from wbc_core.jobs import relaunch as again
    from wbc_core.training.runs import load_run

    newest = head(workspace, load_run(workspace, run).dataset)
    changes = again.foresee_relaunch(workspace, run, until=newest)
    told: Json = {"changes": changes.to_json(), "words": changes.words(), "run": None}
    if not changes.images:
        return told
    told["words"] += " " + again.what_it_means(changes)
    if dry_run:
        return told
    told |= run_task(workspace, again.KIND, again.relaunch_spec(workspace, run, newest, priority=priority))
    if wait:
        told |= follow_run(workspace, told["run"])
        told["comparison"] = again.relaunch_comparison(workspace, told["run"])
    return told


@command("cleaning-study")
def cleaning_study(
    workspace: Workspace,
    reference: StudyReference,
    seeds: StudySeeds = 3,
    dry_run: OnlyForesee = False,
    priority: PriorityOption = "normal",
    wait: Wait = False,
) -> Json:
    """What did cleaning buy? One spec on raw and on clean images, judged on the same clean held-out ones."""
    from wbc_core.jobs import cleaning_study as study

    if _is_study(workspace, reference):
        return _show_study(workspace, reference)
    run = _run_of(workspace, reference)
    plan = study.plan_cleaning_study(workspace, run, range(seeds))
    told: Json = {
        "run": run,
        "words": plan.words(),
        "images": dict(plan.images),
        "held_out": plan.held_out,
        "runs_to_train": len(study.WAYS) * seeds,
        "foreseen_seconds": plan.seconds,
        "study": None,
    }
    if dry_run:
        return told
    told["study"] = study.start_cleaning_study(workspace, run, range(seeds), priority=priority).id
    return told | _followed(workspace, told["study"], wait=wait)


@command("balance-study")
def balance_study(
    workspace: Workspace,
    reference: StudyReference,
    seeds: StudySeeds = 3,
    plans: Annotated[
        str | None, Option(metavar="A,B", help="Plans to compare, the one to compare with first.")
    ] = None,
    dry_run: OnlyForesee = False,
    priority: PriorityOption = "normal",
    wait: Wait = False,
) -> Json:
    """What did SMOTE buy? One spec on one split under several balance plans."""
    from wbc_core.jobs import balance_study as study

    if _is_study(workspace, reference):
        return _show_study(workspace, reference)
    run = _run_of(workspace, reference)
    split, backbone, recipe, settings = study.asked_by_run(workspace, run)
    chosen = split_values([plans]) if plans else study.PLANS_ASKED
    asked: dict[str, Any] = {"settings": settings, "seeds": range(seeds), "plans": chosen}
    told: Json = {
        "run": run,
        "plans": list(chosen),
        "runs_to_train": len(chosen) * seeds,
        "foreseen_seconds": study.seconds_needed(workspace, split, backbone, recipe, **asked),
        "study": None,
    }
    if dry_run:
        return told
    queued = study.start_balance_study(workspace, split.id, backbone, recipe, priority=priority, **asked)
    told["study"] = queued.id
    return told | _followed(workspace, told["study"], wait=wait)


def _is_study(workspace: Workspace, reference: str) -> bool:
    from wbc_core.jobs.paired_study import find_study

    try:
        find_study(workspace, reference)
    except WbcError:
        return False
    return True


def _run_of(workspace: Workspace, reference: str) -> str:
    """The run that is meant: itself, or the newest finished one of a data set."""
    from wbc_core.datasets.store import find_dataset
    from wbc_core.jobs.paired_study import newest_run

    try:
        if workspace.run_dir(reference).exists():
            return reference
    except WbcError:  # a name is no id
        pass
    return newest_run(workspace, find_dataset(workspace, reference).id)


def _followed(workspace: Workspace, study: str, *, wait: bool) -> Json:
    if not wait:
        return {}
    made = follow_run(workspace, study)
    follow_runs(workspace, [run for own in made["runs"].values() for run in own])
    return _show_study(workspace, study)


def _show_study(workspace: Workspace, study: str) -> Json:
    """Where a study stands, and once all of it is trained what came of it."""
    from wbc_core.jobs.paired_study import study_runs
    from wbc_core.jobs.study_comparison import study_comparison

    runs = study_runs(workspace, study)
    states = {way: {job.id: job.state for job in own} for way, own in runs.items()}
    done = runs and all(job.state == "succeeded" for own in runs.values() for job in own)
    comparison = study_comparison(workspace, study) if done else None
    return {"study": study, "runs": states, "comparison": comparison}
