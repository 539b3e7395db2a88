"""Does balancing help? The same network on one split under several balance plans, as one sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wbc_core.augment.prepare import bytes_after, check_room, prepare
from wbc_core.augment.recipe import check_recipe
from wbc_core.datasets.store import find_dataset
from wbc_core.errors import WbcError
from wbc_core.evaluation.compare import compare
from wbc_core.jobs.queue import get_job, list_jobs, submit
from wbc_core.progress import Progress, part_of
from wbc_core.records import Job, Json, Recipe, Split
from wbc_core.splitting import load_split
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

PLANS_ASKED = ("none", "class_weights", "random_over", "smote")
"""No balancing first: what the others are compared with."""

KIND = "balance_study"
_LARGEST_NAME = 40
_MANY_JOBS = 100_000
_NO_PREPARED_YET = "pr-000000000000"


def recipes_of(recipe: Recipe, plans: Sequence[str] = PLANS_ASKED) -> list[Recipe]:
    """The recipe once under every plan, named after both.

    Args:
        recipe: What is the same in all of them: operations, seed and order; its own plan is not used.
        plans: Names in the registry of balance plans.

    Raises:
        WbcError: A plan is unknown, or there are not at least two different ones.
    """
    if len(set(plans)) < 2 or len(set(plans)) < len(plans):
        raise WbcError(
            "A comparison of balance plans needs plans to compare.",
            expected="at least two different ones",
            got=", ".join(plans) or "none",
        )
    return [
        check_recipe(
            replace(
                recipe,
                name=f"{recipe.name[: _LARGEST_NAME - 1 - len(plan)]}-{plan}",
                balance=plan,
                balance_parameters={},
            )
        )
        for plan in plans
    ]


def bytes_needed(
    workspace: Workspace, split: Split, recipe: Recipe, plans: Sequence[str] = PLANS_ASKED
) -> int:
    """Bytes that the prepared sets of a study take on disk together, foreseen."""
    dataset = find_dataset(workspace, split.dataset)
    return sum(bytes_after(split, one, dataset) for one in recipes_of(recipe, plans))


def start_balance_study(
    workspace: Workspace,
    split_id: str,
    backbone: str,
    recipe: Recipe,
    *,
    settings: Mapping[str, str] | None = None,
    plans: Sequence[str] = PLANS_ASKED,
) -> Job:
    """Queue one job that prepares a set under every plan, then queues a run on each.

    Args:
        workspace: Whose queue.
        split_id: Id of the split.
        backbone: Name of the backbone.
        recipe: What the sets share: operations and seed.
        settings: Settings of all runs, as on the command line; `class_weight` is the plans' to choose.
        plans: Names in the registry of balance plans, the one to compare with first.

    Returns:
        The job. Its result names the sweep and the runs by plan: `{"sweep", "prepared": {plan: id},
        "runs": {plan: id}}`; `study_comparison` then compares them.

    Raises:
        WbcError: A plan, the backbone or a setting is not valid, or the disk has too little room; nothing is
            queued.
    """
    split, settings = load_split(workspace, split_id), dict(settings or {})
    if settings.get("class_weight", "recipe") != "recipe":
        raise WbcError(
            "The class weights are what a comparison of balance plans varies.",
            expected="no setting class_weight",
            got=settings["class_weight"],
            fix="Leave it out, or name the plan class_weights.",
        )
    RunSpec.parse(_NO_PREPARED_YET, backbone, settings)
    check_room(workspace, bytes_needed(workspace, split, recipe, plans))
    spec = {
        "split": split.id,
        "backbone": backbone,
        "recipe": recipe.to_json(),
        "settings": settings,
        "plans": list(plans),
    }
    return submit(workspace, KIND, spec)


def run_balance_study(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Do what `start_balance_study` queued; started again, it goes on with the sets and runs there are."""
    plans, prepared = spec["plans"], {}
    for number, one in enumerate(recipes_of(Recipe.from_json(spec["recipe"]), plans)):
        step = part_of(progress, number / len(plans), (number + 1) / len(plans))
        prepared[one.balance] = prepare(workspace, spec["split"], one, step).id
    sweep = f"sw-{job_id.removeprefix('job-')}"
    queued = {
        job.spec["prepared"]: job.id
        for job in list_jobs(workspace, limit=_MANY_JOBS)
        if job.spec.get("sweep", {}).get("id") == sweep
    }
    runs = {}
    for plan, identifier in prepared.items():
        run = RunSpec.parse(identifier, spec["backbone"], spec["settings"]).to_json()
        trial = {**run, "sweep": {"id": sweep, "search": "grid"}}
        runs[plan] = queued.get(identifier) or submit(workspace, "train", trial).id
    return {"sweep": sweep, "prepared": prepared, "runs": runs}


def study_comparison(workspace: Workspace, job_id: str) -> Json:
    """Compare the runs of a study: every pair with its interval, the first plan named first.

    Args:
        workspace: The lab.
        job_id: Id of the job of `start_balance_study`.

    Returns:
        `compare` of its runs, with `plans`: plan to run.

    Raises:
        WbcError: There is no such study, it is not done preparing, or a run has no report yet.
    """
    job = get_job(workspace, job_id)
    if job.kind != KIND or not job.result:
        raise WbcError(
            f"{job_id} is no finished comparison of balance plans.",
            got=f"{job.kind}, {job.state}",
            fix="Wait until its sets are prepared.",
        )
    runs: dict[str, str] = job.result["runs"]
    return {**compare(workspace, list(runs.values())), "plans": runs}
