"""What did balancing buy? The same network on one split under several balance plans, with the same seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wbc_core.augment.prepare import bytes_after, check_room, images_after, prepare
from wbc_core.augment.recipe import check_recipe
from wbc_core.datasets.store import find_dataset
from wbc_core.errors import WbcError
from wbc_core.jobs.paired_study import (
    BALANCE,
    checked_spec,
    foreseen_seconds,
    like_run,
    named_after,
    queue_runs,
)
from wbc_core.jobs.queue import submit
from wbc_core.progress import Progress, part_of
from wbc_core.records import Job, Json, Recipe, Split
from wbc_core.splitting import load_split
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

PLANS_ASKED = ("none", "class_weights", "random_over", "smote")
"""No balancing first: what the others are compared with."""


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
        check_recipe(replace(named_after(recipe, plan), balance=plan, balance_parameters={}))
        for plan in plans
    ]


def bytes_needed(
    workspace: Workspace, split: Split, recipe: Recipe, plans: Sequence[str] = PLANS_ASKED
) -> int:
    """Bytes that the prepared sets of a study take on disk together, foreseen."""
    dataset = find_dataset(workspace, split.dataset)
    return sum(bytes_after(split, one, dataset) for one in recipes_of(recipe, plans))


def seconds_needed(
    workspace: Workspace,
    split: Split,
    backbone: str,
    recipe: Recipe,
    *,
    settings: Mapping[str, str] | None = None,
    seeds: Sequence[int] = (0,),
    plans: Sequence[str] = PLANS_ASKED,
) -> float:
    """Seconds that the runs of a study take on two CPU cores, one after another, if none stops early.

    Raises:
        WbcError: As `start_balance_study`.
    """
    spec = _checked_spec(workspace, split, backbone, settings or {}, seeds)
    dataset, held_out = find_dataset(workspace, split.dataset), sum(split.parts["validation"])
    images = [images_after(split, one, dataset.class_names) for one in recipes_of(recipe, plans)]
    return foreseen_seconds(spec, dataset, recipe, images, held_out, len(seeds))


def _checked_spec(
    workspace: Workspace, split: Split, backbone: str, settings: Mapping[str, str], seeds: Sequence[int]
) -> RunSpec:
    if settings.get("class_weight", "recipe") != "recipe":
        raise WbcError(
            "The class weights are what a comparison of balance plans varies.",
            expected="no setting class_weight",
            got=settings["class_weight"],
            fix="Leave it out, or name the plan class_weights.",
        )
    return checked_spec(workspace, find_dataset(workspace, split.dataset), backbone, settings, seeds)


def start_balance_study(
    workspace: Workspace,
    split_id: str,
    backbone: str,
    recipe: Recipe,
    *,
    settings: Mapping[str, str] | None = None,
    seeds: Sequence[int] = (0,),
    plans: Sequence[str] = PLANS_ASKED,
    priority: str = "normal",
) -> Job:
    """Queue one job that prepares a set under every plan, then queues a run on each with every seed.

    Args:
        workspace: Whose queue.
        split_id: Id of the split.
        backbone: Name of the backbone.
        recipe: What the sets share: operations and their seed.
        settings: Settings of all runs, as on the command line; `class_weight` is the plans' to choose.
        seeds: Seeds that every plan is trained with.
        plans: Names in the registry of balance plans, the one to compare with first.
        priority: Of the job and of its runs, as of `submit`.

    Returns:
        The job. Its result is that of `paired_study.queue_runs`, by plan.

    Raises:
        WbcError: A plan, the backbone, a setting, the seeds or the priority are not valid, or the disk has
            too little room; nothing is queued.
    """
    split, settings = load_split(workspace, split_id), dict(settings or {})
    _checked_spec(workspace, split, backbone, settings, seeds)
    check_room(workspace, bytes_needed(workspace, split, recipe, plans))
    spec = {
        "split": split.id,
        "backbone": backbone,
        "recipe": recipe.to_json(),
        "settings": settings,
        "seeds": list(seeds),
        "plans": list(plans),
    }
    return submit(workspace, BALANCE, spec, priority=priority)


def asked_by_run(workspace: Workspace, run_id: str) -> tuple[Split, str, Recipe, dict[str, str]]:
    """Split, backbone, recipe and settings of a study of balance plans on the spec of a run.

    Raises:
        WbcError: As `like_run`.
    """
    run, recipe, settings = like_run(workspace, run_id)
    return load_split(workspace, run.split), run.backbone, recipe, {**settings, "class_weight": "recipe"}


def run_balance_study(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Do what `start_balance_study` queued; started again, it goes on with the sets and runs there are."""
    plans, prepared = spec["plans"], {}
    for number, one in enumerate(recipes_of(Recipe.from_json(spec["recipe"]), plans)):
        step = part_of(progress, number / len(plans), (number + 1) / len(plans))
        prepared[one.balance] = prepare(workspace, spec["split"], one, step).id
    return queue_runs(workspace, job_id, spec, prepared)
