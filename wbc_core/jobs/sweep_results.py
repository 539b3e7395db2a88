"""What became of a sweep, read from its jobs: where each trial stands, means and spreads over repeats."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import pandas as pd

from wbc_core.errors import WbcError
from wbc_core.jobs.queue import list_jobs
from wbc_core.jobs.sweep import KIND, repeat_of
from wbc_core.jobs.sweep_space import Space, space_from_json
from wbc_core.jobs.sweep_trial import PRUNED
from wbc_core.records import Job, Json
from wbc_core.training.runs import load_run
from wbc_core.training.setting import Value
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

SCORES = ("val_accuracy", "accuracy", "macro_f1")
"""What is averaged over repeats: best validation accuracy; accuracy and macro-F1 on the held-out part."""

_MANY_JOBS = 100_000


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep as it stands.

    Attributes:
        job: Its job, the newest where it was resumed.
        trial: Number of its trial, from 0.
        seed: Its seed.
        fold: Its fold, from 0; None without folds.
        state: The state of its job, or `pruned`.
        parameters: What it varies; empty before it has drawn them.
        epochs: Finished epochs.
        val_accuracy: Best validation accuracy so far, 0..1.
        accuracy: On the held-out part, 0..1, once it has succeeded.
        macro_f1: Likewise.
    """

    job: Job
    trial: int
    seed: int
    fold: int | None
    state: str
    parameters: dict[str, Value]
    epochs: int
    val_accuracy: float | None
    accuracy: float | None
    macro_f1: float | None


@dataclass(frozen=True)
class Sweep:
    """A sweep, as the specs of its jobs describe it.

    Attributes:
        id: `sw-...`.
        description: See `wbc_core.jobs.sweep.SweepPlan`.
        backbone: Name of the backbone.
        created: When it was queued, ISO 8601 in UTC.
        jobs: Its trainings, oldest first; of those that were resumed only the last attempt.
        preparing: The job that prepares its folds; None without folds.
    """

    id: str
    description: Json
    backbone: str
    created: str
    jobs: tuple[Job, ...]
    preparing: Job | None = None

    @property
    def space(self) -> Space:
        """What varies."""
        return space_from_json(self.description["space"])

    @property
    def prepared(self) -> str:
        """Id of the prepared set that was chosen."""
        return str(self.description["prepared"])


def list_sweeps(workspace: Workspace) -> list[Sweep]:
    """Every sweep, newest first."""
    trainings: dict[str, list[Job]] = {}
    preparing: dict[str, Job] = {}
    for job in reversed(list_jobs(workspace, limit=_MANY_JOBS)):
        if job.kind == KIND:
            preparing[job.spec["sweep"]] = job
        elif job.kind == "train" and "space" in job.spec.get("sweep", {}):
            trainings.setdefault(job.spec["sweep"]["id"], []).append(job)
    made = [_sweep(name, trainings.get(name, []), preparing.get(name)) for name in {**preparing, **trainings}]
    return sorted(made, key=lambda sweep: (sweep.created, sweep.id), reverse=True)


def find_sweep(workspace: Workspace, sweep_id: str) -> Sweep:
    """Look a sweep up.

    Raises:
        WbcError: There is no such sweep.
    """
    for sweep in list_sweeps(workspace):
        if sweep.id == sweep_id:
            return sweep
    raise WbcError(f"There is no sweep {sweep_id!r}.", fix="`wbc sweep PREPARED --grid ..` starts one.")


def _sweep(sweep_id: str, jobs: list[Job], preparing: Job | None) -> Sweep:
    first = jobs[0].spec if jobs else None
    description = first["sweep"] if first else preparing.spec if preparing else {}
    kept = ("search", "space", "search_seed", "trials", "seeds", "folds", "prepared")
    newest = {repeat_of(job): job for job in jobs}
    return Sweep(
        id=sweep_id,
        description={name: description[name] for name in kept},
        backbone=(first or description["specs"][0])["backbone"],
        created=(preparing or jobs[0]).created,
        jobs=tuple(newest.values()),
        preparing=preparing,
    )


def sweep_runs(workspace: Workspace, sweep: Sweep) -> list[SweepRun]:
    """Where every run of a sweep stands, by trial and repeat."""
    runs = [_run(workspace, sweep, job) for job in sweep.jobs]
    return sorted(runs, key=lambda run: (run.trial, run.fold or 0, run.seed))


def _run(workspace: Workspace, sweep: Sweep, job: Job) -> SweepRun:
    trial, seed, fold = repeat_of(job)
    result = job.result or {}
    spec, epochs, best = _begun(workspace, job) if job.started and not result else (None, 0, None)
    pruned = str(result.get("ended", "")).startswith(PRUNED)
    return SweepRun(
        job=job,
        trial=trial,
        seed=seed,
        fold=fold,
        state="pruned" if pruned else job.state,
        parameters=_parameters(workspace, sweep, job, spec),
        epochs=result.get("epochs", epochs),
        val_accuracy=result.get("val_accuracy", best),
        accuracy=result.get("accuracy"),
        macro_f1=result.get("macro_f1"),
    )


def _begun(workspace: Workspace, job: Job) -> tuple[RunSpec | None, int, float | None]:
    """Spec, finished epochs and best validation accuracy of a run that has not ended well yet."""
    try:
        run = load_run(workspace, job.id)
    except WbcError:  # it has not come to its first epoch
        return None, 0, None
    return run.spec, run.epochs, run.val_accuracy


def _parameters(workspace: Workspace, sweep: Sweep, job: Job, spec: RunSpec | None) -> dict[str, Value]:
    names = sweep.description["space"]
    if sweep.description["search"] != "tpe":
        return {name: job.spec[name] for name in names}
    path = workspace.run_dir(job.id) / "spec.json"
    if spec is None and path.exists():
        spec = RunSpec.from_json(workspace.read_json(path, f"run {job.id}"))
    return {name: getattr(spec, name) for name in names} if spec else {}


def spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1); None for the latter where there is but one value.

    Example:
        >>> spread([3, 1, 2]), spread([0.5])
        ((2, 1.0), (0.5, None))
    """
    return mean(values), stdev(values) if len(values) > 1 else None


def summarise(runs: Sequence[SweepRun]) -> list[Json]:
    """One entry a trial, averaged over its repeats.

    Returns:
        For each trial `trial`, `parameters`, `runs` (ids), `state` (of all, or `3 of 5 succeeded`),
        `finished` (repeats with scores), `epochs` (mean), and for each of `SCORES` its mean and, as
        `NAME_sd`, its standard deviation over the repeats; None while there is none.
    """
    by_trial: dict[int, list[SweepRun]] = {}
    for run in runs:
        by_trial.setdefault(run.trial, []).append(run)
    return [_summary(trial, own) for trial, own in sorted(by_trial.items())]


def _summary(trial: int, runs: list[SweepRun]) -> Json:
    states = {run.state for run in runs}
    ended = [run for run in runs if run.accuracy is not None]
    entry: Json = {
        "trial": trial,
        "parameters": next((run.parameters for run in runs if run.parameters), {}),
        "runs": [run.job.id for run in runs],
        "state": states.pop() if len(states) == 1 else f"{len(ended)} of {len(runs)} succeeded",
        "finished": len(ended),
        "epochs": round(mean(run.epochs for run in runs), 1),
    }
    for score in SCORES:
        known = [value for run in runs if (value := getattr(run, score)) is not None]
        entry[score], entry[f"{score}_sd"] = spread(known) if known else (None, None)
    return entry


def best_trial(summary: Sequence[Json]) -> Json | None:
    """The trial with the best mean validation accuracy among those of which every repeat has ended well.

    Trials that were pruned count too: they lost, so one of them wins only where nothing else ended.
    """
    ended = [entry for entry in summary if entry["finished"] == len(entry["runs"])]
    return max(ended, key=lambda entry: (entry["val_accuracy"], -entry["trial"]), default=None)


def flat_table(runs: Sequence[SweepRun]) -> pd.DataFrame:
    """Every run as one row, for a CSV file."""
    rows = [
        {
            "trial": run.trial,
            "seed": run.seed,
            "fold": run.fold,
            "state": run.state,
            **run.parameters,
            "epochs": run.epochs,
            **{score: getattr(run, score) for score in SCORES},
            "run": run.job.id,
        }
        for run in runs
    ]
    table = pd.DataFrame(rows)
    return table.drop(columns="fold") if len(rows) and table["fold"].isna().all() else table
