"""Sweeps: runs that differ in a few settings, each perhaps repeated over seeds and folds, as ordinary jobs.

The combinations of a grid and of a random search are known when it is queued; with `tpe` a trial draws its
settings when it starts, from what the trials before have shown (`sweep_trial`). What a job's spec says under
`sweep` is the only record of a sweep; `sweep_results` reads it back.
"""

import itertools
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wbc_core.augment.prepare import check_room, load_prepared, prepare
from wbc_core.datasets.store import find_dataset
from wbc_core.errors import WbcError
from wbc_core.jobs.launching import TrainingSet, check_all, launch, launch_all, priority_of_work
from wbc_core.jobs.queue import check_priority, list_jobs, submit
from wbc_core.jobs.sweep_space import (
    combinations,
    draws,
    read_space,
    size,
    smallest_values,
    space_from_json,
    space_to_json,
)
from wbc_core.progress import Progress, part_of
from wbc_core.records import Job, Json, PreparedSet
from wbc_core.splitting import MOST_FOLDS, load_split, make_folds
from wbc_core.training.settings import SETTINGS
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

SEARCHES = ("grid", "random", "tpe")
MAXIMUM_TRIALS = 1000
"""Runs of one sweep at most, all repeats together."""
TRIALS = 20
"""Trials of a random or tpe search that says no number."""
KIND = "cross_validation"

_MANY_JOBS = 100_000


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep will queue, checked.

    Attributes:
        description: What every one of its jobs says about it: `search`, `space`, `search_seed`, `trials`,
            `seeds`, `folds` and the `prepared` set that was chosen.
        specs: Spec of one run a trial and seed, each with its number of `trial` under `sweep`. With `tpe`
            the settings that vary are still at their first value.
    """

    description: Json
    specs: list[Json]

    @property
    def runs(self) -> int:
        """Number of runs, over all trials, seeds and folds."""
        return len(self.specs) * max(1, int(self.description["folds"]))


def plan_sweep(
    prepared: str,
    backbone: str,
    grid: Mapping[str, Sequence[str]],
    *,
    settings: Mapping[str, str] | None = None,
    search: str = "grid",
    trials: int | None = None,
    search_seed: int = 0,
    seeds: Sequence[int] = (),
    folds: int = 0,
) -> SweepPlan:
    """Check what a sweep asks for, and lay out its runs; nothing is read from a workspace.

    Args:
        prepared: Id of the prepared set.
        backbone: Name of the backbone.
        grid: Setting to the values it may take, as on the command line; or to one range `LOW..HIGH`. May be
            empty where there are repeats: then one run is repeated.
        settings: Settings that all trials share.
        search: `grid` runs every combination; `random` and `tpe` draw `trials` of them.
        trials: How many trials; for `grid` and `random` at most all combinations.
        search_seed: Seed of the draws.
        seeds: Seeds that every trial is repeated with; its own `seed` where empty.
        folds: Folds that every trial is cross-validated on; 0 for the split of the prepared set.

    Raises:
        WbcError: A setting, a value, the search or the number of trials or repeats is not valid.
    """
    settings = dict(settings or {})
    if search not in SEARCHES:
        raise WbcError("There is no such search.", expected=" or ".join(SEARCHES), got=repr(search))
    if not all(grid.values()) or not (grid or seeds or folds):
        raise WbcError(
            "A sweep needs settings to vary.", fix="Give --grid learning_rate=0.001,0.0003, once a setting."
        )
    _check_repeats(grid, settings, seeds, folds)
    space = read_space(backbone, grid, settings)
    every = combinations(space) if search == "grid" else None
    count = _count(search, trials, size(space))
    if not 1 <= count * max(1, len(seeds)) * max(1, folds) <= MAXIMUM_TRIALS:
        raise WbcError(
            "The number of trials is off.",
            expected=f"1 to {MAXIMUM_TRIALS} runs, repeats included",
            got=f"{count} x {max(1, len(seeds)) * max(1, folds)}",
        )
    if every is not None:
        chosen = list(itertools.islice(every, count))
    else:
        drawn = draws(space, count if search == "random" else 1, search_seed)
        chosen = drawn if search == "random" else drawn * count
    shared = RunSpec.parse(prepared, backbone, settings).to_json()
    description: Json = {
        "search": search,
        "space": space_to_json(space),
        "search_seed": search_seed,
        "trials": count,
        "seeds": list(seeds),
        "folds": folds,
        "prepared": prepared,
    }
    specs = []
    for number, values in enumerate(chosen):
        for repeat in [{"seed": seed} for seed in seeds] or [{}]:
            checked = RunSpec.from_json({**shared, **values, **repeat}).checked().to_json()
            specs.append({**checked, "sweep": {**description, "trial": number}})
    return SweepPlan(description, specs)


def plan_repeats(spec: RunSpec, *, seeds: Sequence[int] = (), folds: int = 0) -> SweepPlan:
    """Lay out the repeats of one run: a sweep that varies nothing.

    Raises:
        WbcError: As `plan_sweep`.
    """
    plain = RunSpec(spec.prepared, spec.backbone)
    settings = {
        name: str(getattr(spec, name)) for name in SETTINGS if getattr(spec, name) != getattr(plain, name)
    }
    return plan_sweep(spec.prepared, spec.backbone, {}, settings=settings, seeds=seeds, folds=folds)


def _count(search: str, trials: int | None, possible: float) -> int:
    if search == "grid":
        return int(min(trials or possible, possible))
    wanted = trials or min(TRIALS, possible)
    # What is drawn at random never comes twice; what `tpe` draws may.
    return int(min(wanted, possible) if search == "random" else wanted)


def _check_repeats(
    grid: Mapping[str, Sequence[str]], settings: Mapping[str, str], seeds: Sequence[int], folds: int
) -> None:
    if folds and not 2 <= folds <= MOST_FOLDS:
        raise WbcError("The number of folds cannot be used.", expected=f"2 to {MOST_FOLDS}", got=folds)
    if len(set(seeds)) < len(seeds) or any(seed < 0 for seed in seeds):
        raise WbcError(
            "The seeds cannot be used.",
            expected="different whole numbers from 0",
            got=", ".join(map(str, seeds)),
        )
    if seeds and ("seed" in grid or "seed" in settings):
        raise WbcError("The seed is given twice.", fix="Repeat over seeds, or set seed=, not both.")


def start_sweep(
    workspace: Workspace, prepared: str, backbone: str, grid: Mapping[str, Sequence[str]], **asked: Any
) -> tuple[str, list[str]]:
    """Plan a sweep as `plan_sweep` does, and queue it as `queue_plan` does."""
    return queue_plan(workspace, plan_sweep(prepared, backbone, grid, **asked))


def queue_plan(workspace: Workspace, plan: SweepPlan, *, priority: str = "normal") -> tuple[str, list[str]]:
    """Queue the runs of a plan; with folds the one job that prepares them and then queues the runs.

    Returns:
        Id of the sweep, and ids of the jobs.
    """
    if plan.description["folds"]:
        spec = cross_validation_spec(workspace, plan, priority=priority)
        return spec["sweep"], [submit(workspace, KIND, spec, priority=priority).id]
    sweep = f"sw-{secrets.token_hex(5)}"
    check_plan(workspace, plan)
    specs = [_named(spec, sweep) for spec in plan.specs]
    return sweep, [job.id for job in launch_all(workspace, specs, priority=priority)]


def check_plan(workspace: Workspace, plan: SweepPlan) -> None:
    """Refuse a plan of which a run could only fail, before any is queued.

    Raises:
        WbcError: `launching.check_launch` refuses what a run, or a trial that draws its settings later, may
            get.
    """
    specs = [RunSpec.from_json(spec) for spec in plan.specs]
    if plan.description["search"] == "tpe":
        # What a trial will draw is not known yet.
        space = space_from_json(plan.description["space"])
        for name in ("input_size", "precision", "weights", "freeze"):
            values = smallest_values(space.get(name, []))
            specs += [RunSpec.from_json({**plan.specs[0], name: value}) for value in values]
    check_all(workspace, list(dict.fromkeys(specs)))


def _named(spec: Json, sweep: str, **more: object) -> Json:
    return {**spec, "sweep": {"id": sweep, **spec["sweep"], **more}}


def cross_validation_spec(workspace: Workspace, plan: SweepPlan, *, priority: str = "normal") -> Json:
    """The spec of the job that prepares the folds of a plan and queues its runs.

    Raises:
        WbcError: The disk has no room for the prepared sets of the folds, there is no such priority, or as
            `check_plan`.
    """
    check_priority(priority)
    check_plan(workspace, plan)
    entry = load_prepared(workspace, plan.description["prepared"])
    pixels = math.prod(find_dataset(workspace, entry.dataset).image_shape)
    images = fold_images(workspace, entry, plan.description["folds"])[0]
    check_room(workspace, plan.description["folds"] * images * pixels)
    sweep = {"sweep": f"sw-{secrets.token_hex(5)}", "specs": plan.specs, **plan.description}
    return sweep | ({"priority": priority} if priority != "normal" else {})


def run_cross_validation(workspace: Workspace, job_id: str, spec: Json, progress: Progress) -> Json:
    """Prepare every fold by the recipe of the prepared set, and queue a run a trial, seed and fold.

    The folds are made of the clean set as it is now. Started again, it goes on with what there is.
    """
    entry, folds = load_prepared(workspace, spec["prepared"]), spec["folds"]
    seed = load_split(workspace, entry.split).seed
    splits = make_folds(workspace, entry.dataset, folds, seed=seed, progress=part_of(progress, 0.0, 0.2))
    made = []
    for number, split in enumerate(splits):
        step = part_of(progress, 0.2 + 0.8 * number / folds, 0.2 + 0.8 * (number + 1) / folds)
        made.append(prepare(workspace, split.id, entry.recipe, step).id)
    priority = priority_of_work(workspace, job_id, spec)
    queued = {repeat_of(job): job.id for job in sweep_jobs(workspace, spec["sweep"])}
    runs = []
    # Fold by fold within a trial: stopped half-way, there is still one whole cross-validation.
    for one in spec["specs"]:
        for fold, prepared in enumerate(made):
            trial = _named({**one, "prepared": prepared}, spec["sweep"], fold=fold)
            key = (one["sweep"]["trial"], one["seed"], fold)
            runs.append(queued.get(key) or launch(workspace, trial, priority=priority).id)
    return {"sweep": spec["sweep"], "prepared": made, "runs": runs}


def repeat_of(job: Job) -> tuple[int, int, int | None]:
    """Which trial, seed and fold a job of a sweep is; a resumed job is the same as the one before."""
    sweep = job.spec["sweep"]
    return sweep["trial"], job.spec["seed"], sweep.get("fold")


def sweep_jobs(workspace: Workspace, sweep: str) -> list[Job]:
    """The trainings of a sweep, oldest first."""
    jobs = list_jobs(workspace, limit=_MANY_JOBS)
    return [
        job for job in reversed(jobs) if job.kind == "train" and job.spec.get("sweep", {}).get("id") == sweep
    ]


def fold_images(workspace: Workspace, entry: PreparedSet, folds: int) -> tuple[int, int]:
    """Train and validation images of one fold, foreseen from those of a prepared set."""
    parts = [sum(counts) for counts in load_split(workspace, entry.split).parts.values()]
    train = entry.images / parts[0] * sum(parts) * (folds - 1) / folds
    return round(train), round(sum(parts) / folds)


def seconds_needed(workspace: Workspace, plan: SweepPlan) -> float:
    """Seconds that the runs of a plan take on two CPU cores, one after another, if none ends early."""
    entry, folds = load_prepared(workspace, plan.description["prepared"]), plan.description["folds"]
    found = TrainingSet.of(workspace, entry.id)
    if folds:
        images, held_out = fold_images(workspace, entry, folds)
        found = replace(found, images=images, held_out=held_out)
    return max(1, int(folds)) * sum(found.cost(RunSpec.from_json(spec)).seconds for spec in plan.specs)
