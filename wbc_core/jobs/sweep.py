"""Sweeps: many runs that differ in a few settings, by grid or by Optuna's tree-structured Parzen estimator.

A trial is an ordinary job. With `tpe` it draws its settings when it starts, from what the finished trials
of its sweep have shown (Bergstra et al. 2011, Algorithms for hyper-parameter optimization).
"""

import itertools
import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from wbc_core.errors import WbcError
from wbc_core.jobs.queue import list_jobs, submit
from wbc_core.records import Json
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

SEARCHES = ("grid", "tpe")
MAXIMUM_TRIALS = 1000


def start_sweep(
    workspace: Workspace,
    prepared: str,
    backbone: str,
    grid: Mapping[str, Sequence[str]],
    *,
    settings: Mapping[str, str] | None = None,
    search: str = "grid",
    trials: int | None = None,
) -> tuple[str, list[str]]:
    """Queue the runs of a sweep.

    Args:
        workspace: Whose queue.
        prepared: Id of the prepared set.
        backbone: Name of the backbone.
        grid: Setting to the values it may take, as on the command line.
        settings: Settings that all trials share.
        search: `grid` runs every combination; `tpe` draws `trials` of them.
        trials: How many runs; for `grid` at most all combinations.

    Returns:
        Id of the sweep and ids of its runs.

    Raises:
        WbcError: A setting, a value, the search or the number of trials is not valid; nothing is queued.
    """
    if search not in SEARCHES:
        raise WbcError("There is no such search.", expected=" or ".join(SEARCHES), got=repr(search))
    if not grid or not all(grid.values()):
        raise WbcError(
            "A sweep needs settings to vary.", fix="Give --grid learning_rate=0.001,0.0003, once a setting."
        )
    possible = math.prod(len(values) for values in grid.values())
    count = min(trials or possible, possible) if search == "grid" else trials or possible
    if not 1 <= count <= MAXIMUM_TRIALS:
        raise WbcError("The number of trials is off.", expected=f"1 to {MAXIMUM_TRIALS}", got=count)
    for key, values in grid.items():
        for value in values:
            RunSpec.parse(prepared, backbone, {**(settings or {}), key: value})
    combinations = (dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values()))
    specs = [
        RunSpec.parse(prepared, backbone, {**(settings or {}), **combination}).to_json()
        for combination in itertools.islice(combinations, count if search == "grid" else 1)
    ]
    sweep = f"sw-{secrets.token_hex(5)}"
    if search == "grid":
        queued = [{**spec, "sweep": {"id": sweep, "search": "grid"}} for spec in specs]
    else:
        description = {
            "id": sweep,
            "search": "tpe",
            "grid": {key: list(values) for key, values in grid.items()},
        }
        queued = [{**specs[0], "sweep": {**description, "trial": trial}} for trial in range(count)]
    return sweep, [submit(workspace, "train", spec).id for spec in queued]


def trial_spec(workspace: Workspace, job_id: str, spec: Json) -> RunSpec:
    """The spec that a trial trains by: its own for a grid, drawn now for `tpe`; the same after a restart."""
    sweep = spec["sweep"]
    started = workspace.run_dir(job_id) / "spec.json"
    if started.exists():
        return RunSpec.from_json(workspace.read_json(started, f"run {job_id}"))
    if sweep["search"] == "grid":
        return RunSpec.from_json(spec)
    return RunSpec.from_json({**spec, **_draw(workspace, spec)})


def _draw(workspace: Workspace, spec: Json) -> Json:
    import optuna

    sweep = spec["sweep"]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    values = {
        key: [getattr(RunSpec.parse(spec["prepared"], spec["backbone"], {key: text}), key) for text in texts]
        for key, texts in sweep["grid"].items()
    }
    distributions = {
        key: optuna.distributions.CategoricalDistribution(choices) for key, choices in values.items()
    }
    # Seeded by the trial's own number: what it draws depends on the finished trials and on nothing else.
    combinations = math.prod(len(choices) for choices in values.values())
    sampler = optuna.samplers.TPESampler(seed=sweep["trial"], n_startup_trials=min(5, combinations))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for parameters, value in _finished_trials(workspace, sweep["id"], list(values)):
        study.add_trial(
            optuna.trial.create_trial(params=parameters, distributions=distributions, value=value)
        )
    drawn: Json = study.ask(distributions).params
    return drawn


def _finished_trials(workspace: Workspace, sweep: str, keys: list[str]) -> list[tuple[dict[str, Any], float]]:
    finished = []
    for job in reversed(list_jobs(workspace, states=("succeeded",), limit=10 * MAXIMUM_TRIALS)):
        if job.kind == "train" and job.spec.get("sweep", {}).get("id") == sweep and job.result:
            spec = RunSpec.from_json(
                workspace.read_json(workspace.run_dir(job.id) / "spec.json", f"run {job.id}")
            )
            finished.append(({key: getattr(spec, key) for key in keys}, float(job.result["val_accuracy"])))
    return finished
