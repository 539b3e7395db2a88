"""Sweeps whose runs are really trained: one that is killed and pruned, and a cross-validation."""

import pytest

from tests.results_lab import prepared_id
from wbc_core.errors import Cancelled
from wbc_core.jobs import queue
from wbc_core.jobs.sweep import cross_validation_spec, plan_sweep, start_sweep
from wbc_core.jobs.sweep_importance import importance
from wbc_core.jobs.sweep_results import best_trial, find_sweep, flat_table, list_sweeps, summarise, sweep_runs
from wbc_core.jobs.sweep_trial import open_study
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import Progress, silent
from wbc_core.training.runs import load_run
from wbc_core.workspace import Workspace

SHORT = {"epochs": "2", "batch_size": "32"}


def run_job(workspace: Workspace, job_id: str, progress: Progress = silent) -> None:
    """Do a job in this process, as its own would."""
    claimed = queue.claim_next(workspace, ["train", "cross_validation"], "cpu", only=job_id)
    assert claimed
    job, claim = claimed
    try:
        result = TASKS.get(job.kind)(workspace, job.id, job.spec, progress)
    except Cancelled:
        queue.release(workspace, job.id, claim, "stopped")
        raise
    queue.finish(workspace, job.id, claim, "succeeded", result=result)


def cancel_in_the_second_epoch(fraction: float, message: str) -> None:
    if message.startswith("epoch 2"):
        raise Cancelled


def test_a_drawn_run_that_is_killed_goes_on_and_is_pruned(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    grid = {"learning_rate": ["1e-7..1e-6"], "epochs": ["9"]}
    sweep, (run, other) = start_sweep(workspace, prepared, "cnn", grid, search="tpe", trials=2)
    with pytest.raises(Cancelled):
        run_job(workspace, run, cancel_in_the_second_epoch)
    begun = load_run(workspace, run)
    # Five completed trials that did better than any run can.
    study, _ = open_study(workspace, queue.get_job(workspace, run).spec["sweep"])
    best = study.trials[0]
    import optuna

    for number in range(5):
        study.add_trial(
            optuna.trial.create_trial(
                params=best.params,
                distributions=best.distributions,
                value=1.0,
                intermediate_values=dict.fromkeys(range(1, 10), 1.1),
                user_attrs={"job": run, "trial": 100 + number},
            )
        )
    run_job(workspace, run)
    ended = load_run(workspace, run)
    assert ended.spec == begun.spec
    assert ended.finished
    assert ended.epochs == 3
    assert ended.ended.startswith("pruned: validation accuracy")
    trial = study.trials[0]
    assert (trial.state.name, sorted(trial.intermediate_values)) == ("PRUNED", [1, 2, 3])
    standing = sweep_runs(workspace, find_sweep(workspace, sweep))
    assert [(one.state, one.epochs) for one in standing] == [("pruned", 3), ("queued", 0)]
    assert standing[0].parameters == {"learning_rate": ended.spec.learning_rate, "epochs": 9}
    assert standing[1].job.id == other
    assert standing[1].parameters == {}


def test_a_cross_validation_prepares_each_fold_and_tells_mean_and_spread(
    training_workspace: tuple[Workspace, str],
) -> None:
    workspace, prepared = training_workspace
    plan = plan_sweep(prepared, "cnn", {}, settings=SHORT, folds=2)
    job = queue.submit(workspace, "cross_validation", cross_validation_spec(workspace, plan))
    run_job(workspace, job.id)
    result = queue.get_job(workspace, job.id).result
    assert len(set(result["prepared"])) == len(result["runs"]) == 2
    # A worker that died in between starts it again, and no run is queued twice.
    assert TASKS.get("cross_validation")(workspace, job.id, job.spec, silent) == result
    for run in result["runs"]:
        run_job(workspace, run)
    sweep = find_sweep(workspace, result["sweep"])
    assert [one.id for one in list_sweeps(workspace)] == [sweep.id]
    runs = sweep_runs(workspace, sweep)
    assert [run.fold for run in runs] == [0, 1]
    (summary,) = summarise(runs)
    assert best_trial([summary]) == summary
    assert summary["finished"] == 2
    low, high = sorted(run.macro_f1 for run in runs)
    assert summary["macro_f1"] == pytest.approx((low + high) / 2)
    assert summary["macro_f1_sd"] == pytest.approx((high - low) / 2**0.5)
    assert flat_table(runs)["run"].tolist() == result["runs"]


def test_importance_tells_which_setting_matters(workspace: Workspace) -> None:
    grid = {"dropout": ["0", "0.1", "0.2", "0.3"], "weight_decay": ["1e-4", "1e-3"]}
    sweep, runs = start_sweep(workspace, prepared_id(workspace), "cnn", grid)
    for run in runs:
        job, claim = queue.claim_next(workspace, ["train"], "cpu", only=run)
        result = {"val_accuracy": 0.9 - job.spec["dropout"], "epochs": 1, "ended": "all epochs done"}
        queue.finish(workspace, run, claim, "succeeded", result=result)
    told = importance(workspace, sweep)
    assert told["runs"] == 8
    assert list(told["importance"]) == ["dropout", "weight_decay"]
    assert told["importance"]["dropout"] > 0.95
