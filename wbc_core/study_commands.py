"""The commands that train again to learn something: `wbc relaunch`."""

from typing import Annotated

from typer import Option

from wbc_core.command_line import WorkFailed, command, console_progress, run_task
from wbc_core.records import Json
from wbc_core.result_commands import RunReference
from wbc_core.workspace import Workspace


def follow_run(workspace: Workspace, job_id: str) -> Json:
    """Follow a job to its end and tell how it ended."""
    from wbc_core.jobs.worker import follow

    with console_progress() as progress:
        job = follow(workspace, job_id, progress)
    if job.state != "succeeded":
        raise WorkFailed(f"Run {job_id} {job.state}. {job.error or ''}".strip())
    return {"run": job_id, "state": job.state, **(job.result or {})}


@command("relaunch")
def relaunch(
    workspace: Workspace,
    run: RunReference,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what changes.")] = False,
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
    told |= run_task(workspace, again.KIND, again.relaunch_spec(workspace, run, newest))
    if wait:
        told |= follow_run(workspace, told["run"])
        told["comparison"] = again.relaunch_comparison(workspace, told["run"])
    return told
