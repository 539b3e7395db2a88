"""Does balancing help? The same network on one split under several balance plans and seeds, as one sweep.

`balance_comparison` says what came of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wbc_core.augment.prepare import bytes_after, check_room, images_after, prepare
from wbc_core.augment.recipe import check_recipe
from wbc_core.datasets.store import find_dataset
from wbc_core.errors import WbcError
from wbc_core.jobs.queue import get_job, list_jobs, submit
from wbc_core.jobs.sweep import sweep_jobs
from wbc_core.progress import Progress, part_of
from wbc_core.records import Job, Json, Recipe, Split
from wbc_core.splitting import load_split
from wbc_core.training.estimate import estimate_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

PLANS_ASKED = ("none", "class_weights", "random_over", "smote")
"""No balancing first: what the others are compared with."""

KIND = "balance_study"
MOST_SEEDS = 10
"""Seeds of one study at most."""

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
    spec = _checked_spec(backbone, settings or {}, seeds)
    names, held_out = find_dataset(workspace, split.dataset).class_names, sum(split.parts["validation"])
    images = [images_after(split, one, names) for one in recipes_of(recipe, plans)]
    return len(seeds) * sum(estimate_run(spec, count, held_out) for count in images)


def _checked_spec(backbone: str, settings: Mapping[str, str], seeds: Sequence[int]) -> RunSpec:
    """What the runs share.

    Raises:
        WbcError: The backbone, a setting or the seeds cannot be used.
    """
    if settings.get("class_weight", "recipe") != "recipe":
        raise WbcError(
            "The class weights are what a comparison of balance plans varies.",
            expected="no setting class_weight",
            got=settings["class_weight"],
            fix="Leave it out, or name the plan class_weights.",
        )
    if not 1 <= len(set(seeds)) == len(seeds) <= MOST_SEEDS or "seed" in settings:
        raise WbcError(
            "A comparison of balance plans needs seeds, the same for every plan.",
            expected=f"1 to {MOST_SEEDS} different ones, and no setting seed",
            got=", ".join(map(str, seeds)) or "none",
        )
    specs = [RunSpec.parse(_NO_PREPARED_YET, backbone, {**settings, "seed": str(seed)}) for seed in seeds]
    return specs[0]


def start_balance_study(
    workspace: Workspace,
    split_id: str,
    backbone: str,
    recipe: Recipe,
    *,
    settings: Mapping[str, str] | None = None,
    seeds: Sequence[int] = (0,),
    plans: Sequence[str] = PLANS_ASKED,
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

    Returns:
        The job. Its result names the sweep, and by plan the sets and runs: `{"sweep", "prepared": {plan: id},
        "runs": {plan: [id of each seed]}}`; `study_runs` follows these.

    Raises:
        WbcError: A plan, the backbone, a setting or the seeds are not valid, or the disk has too little room;
            nothing is queued.
    """
    split, settings = load_split(workspace, split_id), dict(settings or {})
    _checked_spec(backbone, settings, seeds)
    check_room(workspace, bytes_needed(workspace, split, recipe, plans))
    spec = {
        "split": split.id,
        "backbone": backbone,
        "recipe": recipe.to_json(),
        "settings": settings,
        "seeds": list(seeds),
        "plans": list(plans),
    }
    return submit(workspace, KIND, spec)


def run_balance_study(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Do what `start_balance_study` queued; started again, it goes on with the sets and runs there are."""
    plans, prepared = spec["plans"], {}
    for number, one in enumerate(recipes_of(Recipe.from_json(spec["recipe"]), plans)):
        step = part_of(progress, number / len(plans), (number + 1) / len(plans))
        prepared[one.balance] = prepare(workspace, spec["split"], one, step).id
    # Resumed, it is a new job of the same study.
    sweep = f"sw-{spec.get('resumes', job_id).removeprefix('job-')}"
    queued = {_made_of(job): job.id for job in sweep_jobs(workspace, sweep)}
    runs: dict[str, list[str]] = {plan: [] for plan in prepared}
    # Seed by seed: stopped half-way, there is still one whole comparison.
    for seed in spec["seeds"]:
        for plan, identifier in prepared.items():
            run = RunSpec.parse(
                identifier, spec["backbone"], {**spec["settings"], "seed": str(seed)}
            ).to_json()
            trial = {**run, "sweep": {"id": sweep, "search": "grid"}}
            runs[plan].append(queued.get((identifier, seed)) or submit(workspace, "train", trial).id)
    return {"sweep": sweep, "prepared": prepared, "runs": runs}


def _made_of(job: Job) -> tuple[str, int]:
    return job.spec["prepared"], job.spec["seed"]


def list_studies(workspace: Workspace, split_id: str) -> list[Job]:
    """The studies of a split, newest first; of one that was resumed only the last attempt."""
    jobs = list_jobs(workspace, limit=_MANY_JOBS)
    newest: dict[str, Job] = {}
    for job in jobs:
        if job.kind == KIND and job.spec["split"] == split_id:
            newest.setdefault(job.spec.get("resumes", job.id), job)
    return list(newest.values())


def study_runs(workspace: Workspace, job_id: str) -> dict[str, list[Job]]:
    """The runs of a study as they stand, by plan and in the order of the seeds.

    A run that was resumed is a new job, and stands for the one before; until its sets are prepared a study
    has none.

    Raises:
        WbcError: There is no such study.
    """
    job = get_job(workspace, job_id)
    if job.kind != KIND:
        raise WbcError(f"{job_id} is no comparison of balance plans.", got=job.kind)
    if not job.result:
        return {}
    newest = {_made_of(trial): trial for trial in sweep_jobs(workspace, job.result["sweep"])}
    seeds = job.spec["seeds"]
    return {
        plan: [newest[identifier, seed] for seed in seeds if (identifier, seed) in newest]
        for plan, identifier in job.result["prepared"].items()
    }
