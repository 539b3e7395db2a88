"""How much each setting of a sweep moves the validation accuracy, in a job's own process."""

from wbc_core.errors import WbcError
from wbc_core.jobs.queue import list_jobs
from wbc_core.jobs.sweep_results import Sweep, SweepRun, find_sweep, sweep_runs
from wbc_core.jobs.sweep_trial import distributions
from wbc_core.records import Job, Json
from wbc_core.wording import counted
from wbc_core.workspace import Workspace

KIND = "sweep_importance"
LEAST_RUNS = 4
"""Finished runs without which there is nothing to say."""


def importance(workspace: Workspace, sweep_id: str) -> Json:
    """Share of the variance of the validation accuracy that each setting explains alone, of all that they do.

    Functional ANOVA on a random forest (Hutter, Hoos & Leyton-Brown 2014). Pruned runs are left out: they
    were ended at another epoch.

    Returns:
        `sweep`, `runs` (how many were fitted) and `importance` (setting to its share, largest first).

    Raises:
        WbcError: Too few runs have finished, or all reached the same accuracy.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sweep = find_sweep(workspace, sweep_id)
    fitted = fitted_runs(sweep_runs(workspace, sweep))
    if len(fitted) < LEAST_RUNS or len({run.val_accuracy for run in fitted}) < 2:
        raise WbcError(
            "The importance of the settings cannot be told yet.",
            expected=f"at least {LEAST_RUNS} finished runs that differ in accuracy",
            got=counted(len(fitted), "run"),
            fix="Wait for more runs.",
        )
    kinds = distributions(sweep.space)
    study = optuna.create_study(direction="maximize")
    for run in fitted:
        study.add_trial(
            optuna.trial.create_trial(params=run.parameters, distributions=kinds, value=run.val_accuracy)
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {
        "sweep": sweep_id,
        "runs": len(fitted),
        "importance": {name: float(x) for name, x in shares.items()},
    }


def fitted_runs(runs: list[SweepRun]) -> list[SweepRun]:
    """The runs that importance is told from."""
    return [run for run in runs if run.state == "succeeded" and run.val_accuracy is not None]


def last_importance(workspace: Workspace, sweep: Sweep) -> Job | None:
    """The last job that was asked for the importance of a sweep's settings."""
    jobs = list_jobs(workspace, limit=100_000)
    return next((job for job in jobs if job.kind == KIND and job.spec["sweep"] == sweep.id), None)
