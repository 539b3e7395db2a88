"""The commands that train: `wbc train` and `wbc sweep`."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from wbc_core.command_line import command, key_values, run_task, split_values, whole_numbers
from wbc_core.errors import WbcError
from wbc_core.quiet import say
from wbc_core.records import Json
from wbc_core.study_commands import PriorityOption, follow_run, follow_runs
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    from wbc_core.jobs.sweep import SweepPlan
    from wbc_core.training.spec import RunSpec

Repeats = Annotated[int | None, Option(min=1, max=100, help="Repeat every run with so many seeds, from 0.")]
Seeds = Annotated[str | None, Option(metavar="0,1,2", help="Repeat every run with these seeds.")]
Folds = Annotated[int, Option(help="Cross-validate in so many folds of the clean set.")]


@command("train")
def train(
    workspace: Workspace,
    prepared: Annotated[str, Argument(metavar="PREPARED", help="Id of a prepared set.")],
    backbone: Annotated[str | None, Option(help="Name of a backbone.")] = None,
    preset: Annotated[
        str | None, Option(help="Runs of a preset of the Launch page; of all its backbones without one.")
    ] = None,
    set_: Annotated[list[str] | None, Option("--set", help="A setting: key=value.")] = None,
    repeats: Repeats = None,
    seeds: Seeds = None,
    folds: Folds = 0,
    priority: PriorityOption = "normal",
    wait: Annotated[bool, Option("--wait", help="Follow the run to its end.")] = False,
) -> Json:
    """Queue a training; with --wait, follow it, and run it here where no worker is alive.

    With repeats, seeds or folds it is a sweep that varies nothing: `wbc sweep ID` tells mean and spread. Of
    a preset every run is one.
    """
    from wbc_core.jobs.launching import launch
    from wbc_core.jobs.sweep import plan_repeats, plan_sweep
    from wbc_core.training.presets import preset_specs
    from wbc_core.training.spec import RunSpec

    settings = key_values(set_ or [], "key=value")
    repeated = repeat_seeds(repeats, seeds)
    if preset is not None:
        specs = preset_specs(preset, prepared, [backbone] if backbone else [], settings)
        if not repeated and not folds:
            return launch_preset(workspace, specs, priority=priority, wait=wait)
        plans = [plan_repeats(spec, seeds=repeated, folds=folds) for spec in specs]
        return repeat_preset(workspace, plans, priority=priority, wait=wait)
    if backbone is None:
        raise WbcError("A training needs a backbone.", fix="Give --backbone NAME, or --preset NAME.")
    if repeated or folds:
        plan = plan_sweep(prepared, backbone, {}, settings=settings, seeds=repeated, folds=folds)
        made = queue_sweep(workspace, plan, priority, settings)
        if not wait:
            return made
        follow_runs(workspace, made["runs"])
        return show_sweep(workspace, made["sweep"])
    spec = RunSpec.parse(prepared, backbone, settings)
    job = launch(workspace, spec.to_json(), priority=priority)
    notes = to_know(workspace, [spec], settings)
    if not wait:
        return {"run": job.id, "foreseen_seconds": job.spec["foreseen"]["seconds"]} | notes
    return follow_run(workspace, job.id) | notes


def launch_preset(workspace: Workspace, specs: Sequence["RunSpec"], *, priority: str, wait: bool) -> Json:
    """Queue the runs of a preset; says which ImageNet weights are not at hand, and where to get them."""
    from wbc_core.jobs.launching import launch_all

    jobs = launch_all(workspace, [spec.to_json() for spec in specs], priority=priority)
    told: Json = {
        "runs": [job.id for job in jobs],
        "foreseen_seconds": sum(job.spec["foreseen"]["seconds"] for job in jobs),
        **to_know(workspace, specs),
    }
    return told | ({"results": follow_runs(workspace, told["runs"])} if wait else {})


def repeat_preset(workspace: Workspace, plans: Sequence["SweepPlan"], *, priority: str, wait: bool) -> Json:
    """Queue each run of a preset with its repeats, a sweep of its own, once all of them are checked."""
    from wbc_core.database import transaction
    from wbc_core.jobs.sweep import KIND, cross_validation_spec, queue_plan, seconds_needed
    from wbc_core.training.spec import RunSpec

    if plans[0].description["folds"]:
        folded = [cross_validation_spec(workspace, plan, priority=priority) for plan in plans]
        made = [run_task(workspace, KIND, spec) for spec in folded]
    else:
        with transaction(workspace):  # all of them or none
            queued = [queue_plan(workspace, plan, priority=priority) for plan in plans]
        made = [{"sweep": sweep, "runs": runs} for sweep, runs in queued]
    runs = [run for one in made for run in one["runs"]]
    told: Json = {
        "sweeps": [one["sweep"] for one in made],
        "runs": runs,
        "foreseen_seconds": sum(seconds_needed(workspace, plan) for plan in plans),
        **to_know(workspace, [RunSpec.from_json(plan.specs[0]) for plan in plans]),
    }
    if not wait:
        return told
    follow_runs(workspace, runs)
    return told | {"results": [show_sweep(workspace, name) for name in told["sweeps"]]}


def repeat_seeds(repeats: int | None, seeds: str | None) -> list[int]:
    """The seeds that are asked for, by their number or one by one.

    Raises:
        WbcError: Both are given, or something is no whole number.

    Example:
        >>> repeat_seeds(3, None), repeat_seeds(None, "0,7")
        ([0, 1, 2], [0, 7])
    """
    if repeats and seeds:
        raise WbcError("The repeats are given twice.", fix="Give --repeats 3, or --seeds 0,1,2.")
    return whole_numbers([seeds]) if seeds else list(range(repeats or 0))


def to_know(workspace: Workspace, specs: Sequence["RunSpec"], given: Iterable[str] = ()) -> Json:
    """What to know of runs that were asked for; empty where there is nothing.

    What is likely not meant, or could be had sooner, is said at once: the runs may be followed for hours.

    Args:
        workspace: The lab.
        specs: The runs.
        given: Names of the settings that were named.

    Returns:
        `without_effect`: those of the settings that change nothing in any of the runs, beside their others;
        `missing_weights`: backbones whose ImageNet weights are not at hand, each with where to get them.
    """
    from wbc_core.jobs.launch_advice import advice
    from wbc_core.jobs.launching import known_costs
    from wbc_core.training.presets import missing_weights
    from wbc_core.training.settings import SETTINGS

    plain = [spec.to_json() for spec in specs]
    idle = [name for name in given if not any(SETTINGS[name].applies(values) for values in plain)]
    for words, runs in advice(workspace, specs, known_costs(workspace, specs)).items():
        say(f"{', '.join(dict.fromkeys(run.backbone for run in runs))}: {words}")
    missing = missing_weights(specs)
    return ({"without_effect": idle} if idle else {}) | ({"missing_weights": missing} if missing else {})


def queue_sweep(workspace: Workspace, plan: "SweepPlan", priority: str, given: Iterable[str]) -> Json:
    """Queue the runs of a plan, after preparing its folds here where it has some."""
    from wbc_core.jobs.sweep import KIND, cross_validation_spec, queue_plan
    from wbc_core.training.spec import RunSpec

    if plan.description["folds"]:
        told = run_task(workspace, KIND, cross_validation_spec(workspace, plan, priority=priority))
    else:
        made, runs = queue_plan(workspace, plan, priority=priority)
        told = {"sweep": made, "runs": runs}
    return told | to_know(workspace, [RunSpec.from_json(spec) for spec in plan.specs], given)


def show_sweep(workspace: Workspace, sweep_id: str) -> Json:
    """Where a sweep stands: every trial with mean and standard deviation over its repeats."""
    from wbc_core.jobs.sweep_results import best_trial, find_sweep, summarise, sweep_runs

    found = find_sweep(workspace, sweep_id)
    summary = summarise(sweep_runs(workspace, found))
    best = best_trial(summary)
    drawn_later = dict.fromkeys(found.space)  # what a trial of `tpe` varies before it has started
    trials = [{**drawn_later, **entry.pop("parameters"), **entry} for entry in map(dict, summary)]
    return {
        "sweep": sweep_id,
        "backbone": found.backbone,
        "search": found.description["search"],
        "best": best and best["trial"],
        "trials": trials,
    }


@command("sweep")
def sweep(
    workspace: Workspace,
    prepared: Annotated[
        str,
        Argument(metavar="PREPARED|SWEEP", help="Id of a prepared set; or of a sweep, to see its trials."),
    ],
    backbone: Annotated[str | None, Option(help="Name of a backbone.")] = None,
    grid: Annotated[
        list[str] | None,
        Option(help="A setting and its values, key=a,b, or its range, key=1e-5..1e-2[:log]."),
    ] = None,
    set_: Annotated[list[str] | None, Option("--set", help="A setting that all runs share.")] = None,
    search: Annotated[
        str, Option(help="grid (every combination), random, or tpe with median pruning.")
    ] = "grid",
    trials: Annotated[int | None, Option(min=1, help="How many trials.")] = None,
    search_seed: Annotated[int, Option(min=0, max=2**20, help="Seed of what random and tpe draw.")] = 0,
    repeats: Repeats = None,
    seeds: Seeds = None,
    folds: Folds = 0,
    priority: PriorityOption = "normal",
) -> Json:
    """Queue runs that differ in a few settings, or see what came of them.

    With tpe the validation accuracy of every epoch is told to Optuna, and a run below the median is ended.
    """
    from wbc_core.jobs.sweep import plan_sweep

    if prepared.startswith("sw-"):
        return show_sweep(workspace, prepared)
    if backbone is None or not grid:
        raise WbcError(
            "A sweep needs a backbone and settings to vary.", fix="Give --backbone and --grid key=a,b."
        )
    varied, settings = key_values(grid, "key=a,b"), key_values(set_ or [], "key=value")
    plan = plan_sweep(
        prepared,
        backbone,
        {key: split_values([text]) for key, text in varied.items()},
        settings=settings,
        search=search,
        trials=trials,
        search_seed=search_seed,
        seeds=repeat_seeds(repeats, seeds),
        folds=folds,
    )
    return queue_sweep(workspace, plan, priority, [*varied, *settings])
