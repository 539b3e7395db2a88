"""Studies: one spec trained in two or more ways with the same seeds, judged on the same held-out images.

Each way is a prepared set of its own. `balance_study` and `cleaning_study` say which; `study_comparison` says
what came of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wbc_core.augment.prepare import load_prepared
from wbc_core.errors import WbcError
from wbc_core.jobs.launching import check_launch, launch, priority_of_work, training_device
from wbc_core.jobs.queue import get_job, list_jobs
from wbc_core.jobs.sweep import sweep_jobs
from wbc_core.records import Dataset, Job, Json, Recipe
from wbc_core.splitting import load_split
from wbc_core.training.estimate import foreseen_cost
from wbc_core.training.runs import Run, list_runs, load_run, refuse_ensemble
from wbc_core.training.settings import SETTINGS
from wbc_core.training.spec import NO_PREPARED_YET, RunSpec
from wbc_core.workspace import Workspace

BALANCE, CLEANING = "balance_study", "cleaning_study"
KINDS = (BALANCE, CLEANING)
MOST_SEEDS = 10
"""Seeds of one study at most."""

_MANY_JOBS = 100_000


def checked_spec(
    workspace: Workspace,
    dataset: Dataset,
    backbone: str,
    settings: Mapping[str, str],
    seeds: Sequence[int],
) -> RunSpec:
    """What the runs of a study share.

    Args:
        workspace: The lab.
        dataset: The data set of its split.
        backbone: Name of the backbone.
        settings: Settings of all runs, as on the command line.
        seeds: Seeds that every way is trained with.

    Raises:
        WbcError: The backbone, a setting or the seeds cannot be used, or as `check_launch`.
    """
    if not 1 <= len(set(seeds)) == len(seeds) <= MOST_SEEDS or "seed" in settings:
        raise WbcError(
            "A study needs seeds, the same for everything it compares.",
            expected=f"1 to {MOST_SEEDS} different ones, and no setting seed",
            got=", ".join(map(str, seeds)) or "none",
        )
    specs = [RunSpec.parse(NO_PREPARED_YET, backbone, {**settings, "seed": str(seed)}) for seed in seeds]
    check_launch(workspace, specs[0], dataset.image_shape, training_device(workspace))
    return specs[0]


def like_run(workspace: Workspace, run_id: str) -> tuple[Run, Recipe, dict[str, str]]:
    """What a study takes from a run: the run, its recipe, and its settings but for the seed.

    Raises:
        WbcError: There is no such run, or it cannot be asked: it is an ensemble, its recipe follows the
            leaky order, or it learnt from the raw images of a study.
    """
    run = load_run(workspace, run_id)
    refuse_ensemble(run, "a study")
    recipe = load_prepared(workspace, run.prepared).recipe
    if recipe.leaky or load_split(workspace, run.split).raw:
        why = "follows the leaky order" if recipe.leaky else "is one of a study on the raw images"
        raise WbcError(
            f"Run {run_id} {why}, so no study can begin from it.",
            fix="Choose a run on a clean set, with another recipe.",
        )
    settings = {name: str(getattr(run.spec, name)) for name in SETTINGS if name != "seed"}
    return run, recipe, settings


def newest_run(workspace: Workspace, dataset_id: str) -> str:
    """Id of the newest finished run on a data set that a study can begin from.

    Raises:
        WbcError: There is none.
    """
    for run in list_runs(workspace):
        if run.dataset == dataset_id and run.finished and not (run.leaky or run.members):
            split = load_split(workspace, run.split)
            if not split.raw and not split.folds:
                return run.id
    raise WbcError(
        "No run on this data set has finished, so there is no spec to try.",
        fix="Train one by `wbc train`, or name a run of another data set.",
    )


def foreseen_seconds(
    spec: RunSpec, dataset: Dataset, recipe: Recipe, images: Sequence[int], held_out: int, seeds: int
) -> float:
    """Seconds that the runs of a study take on two CPU cores, one after another, if none stops early.

    Args:
        spec: What they share.
        dataset: Whose images they are.
        recipe: What is done to these, the same in every way but for what is studied.
        images: Train images of each way.
        held_out: Images that each is validated on.
        seeds: Number of seeds.
    """
    size, online = dataset.image_shape[0], bool(recipe.online)
    costs = [foreseen_cost(spec, count, held_out, online=online, image_size=size) for count in images]
    return seeds * sum(cost.seconds for cost in costs)


def queue_runs(workspace: Workspace, job_id: str, spec: Json, prepared: Mapping[str, str]) -> Json:
    """Queue a run of every way and seed as one sweep; started again, only those that are not there.

    Args:
        workspace: Whose queue.
        job_id: Id of the study's job.
        spec: Its spec: `backbone`, `settings` and `seeds`, and `resumes` where it goes on from another.
        prepared: Way to the id of its prepared set.

    Returns:
        `{"sweep", "prepared": {way: id}, "runs": {way: [id of each seed]}}`.
    """
    # Resumed, it is a new job of the same study.
    sweep = f"sw-{spec.get('resumes', job_id).removeprefix('job-')}"
    queued = {_made_of(job): job.id for job in sweep_jobs(workspace, sweep)}
    runs: dict[str, list[str]] = {way: [] for way in prepared}
    priority = priority_of_work(workspace, job_id, spec)
    # Seed by seed: stopped half-way, there is still one whole comparison.
    for seed in spec["seeds"]:
        for way, identifier in prepared.items():
            run = RunSpec.parse(identifier, spec["backbone"], {**spec["settings"], "seed": str(seed)})
            trial = {**run.to_json(), "sweep": {"id": sweep, "search": "grid"}}
            known = queued.get((identifier, seed))
            runs[way].append(known or launch(workspace, trial, priority=priority).id)
    return {"sweep": sweep, "prepared": dict(prepared), "runs": runs}


def _made_of(job: Job) -> tuple[str, int]:
    return job.spec["prepared"], job.spec["seed"]


def list_studies(workspace: Workspace, kind: str, split_id: str) -> list[Job]:
    """The studies of a split, newest first; of one that was resumed only the last attempt.

    Args:
        workspace: Whose queue.
        kind: One of `KINDS`.
        split_id: Id of the split.
    """
    newest: dict[str, Job] = {}
    for job in list_jobs(workspace, kind=kind, limit=_MANY_JOBS):
        if job.spec["split"] == split_id:
            newest.setdefault(job.spec.get("resumes", job.id), job)
    return list(newest.values())


def find_study(workspace: Workspace, job_id: str) -> Job:
    """The job of a study.

    Raises:
        WbcError: There is no such study.
    """
    job = get_job(workspace, job_id)
    if job.kind not in KINDS:
        raise WbcError(f"{job_id} is no study.", expected=f"a job of kind {' or '.join(KINDS)}", got=job.kind)
    return job


def study_runs(workspace: Workspace, job_id: str) -> dict[str, list[Job]]:
    """The runs of a study as they stand, by way and in the order of the seeds.

    A run that was resumed is a new job, and stands for the one before; until its sets are prepared a study
    has none.

    Raises:
        WbcError: There is no such study.
    """
    job = find_study(workspace, job_id)
    if not job.result:
        return {}
    newest = {_made_of(trial): trial for trial in sweep_jobs(workspace, job.result["sweep"])}
    seeds = job.spec["seeds"]
    return {
        way: [newest[identifier, seed] for seed in seeds if (identifier, seed) in newest]
        for way, identifier in job.result["prepared"].items()
    }


def named_after(recipe: Recipe, way: str, longest: int = 40) -> Recipe:
    """The recipe under a name that tells the way too, so that lists of runs tell them apart."""
    return replace(recipe, name=f"{recipe.name[: longest - 1 - len(way)]}-{way}")
