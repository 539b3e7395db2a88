"""Drawn trials and Optuna's study in the lab's database, on SQLite and on PostgreSQL; nothing is trained."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from tests.results_lab import NAMES, prepared_id
from wbc_core.errors import Cancelled, WbcError
from wbc_core.jobs import launching, queue
from wbc_core.jobs.sweep import start_sweep
from wbc_core.jobs.sweep_trial import Trial, open_study, settle_trials, trial_of
from wbc_core.training.runs import HISTORY_COLUMNS, Run, write_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

GRID = {"learning_rate": ["1e-4..1e-1"], "epochs": ["4", "5"]}


def start(workspace: Workspace, trials: int, **asked: object) -> list[str]:
    return start_sweep(workspace, prepared_id(workspace), "cnn", GRID, search="tpe", trials=trials, **asked)[
        1
    ]


def record(
    workspace: Workspace, job: str, spec: RunSpec, accuracies: Sequence[float], ended: str = ""
) -> None:
    """Leave what a training leaves after so many epochs."""
    folder = workspace.run_dir(job)
    if not (folder / "spec.json").exists():
        workspace.write_json(folder / "spec.json", spec.to_json())
    rows = [{"epoch": epoch, "val_accuracy": value} for epoch, value in enumerate(accuracies, start=1)]
    pd.DataFrame(rows, columns=list(HISTORY_COLUMNS)).to_csv(folder / "history.csv", index=False)
    write_run(
        workspace,
        Run(
            job, spec, "ds-000000000000", "sp-000000000000", NAMES, (32, 32, 3), 1, 1, 1,
            epochs=len(accuracies), best_epoch=1, val_accuracy=max(accuracies), seconds=1.0, device="cpu",
            device_name="", created="", finished=bool(ended), ended=ended,
        ),
    )  # fmt: skip


@contextmanager
def opened(workspace: Workspace, job: str) -> Iterator[Trial]:
    with trial_of(workspace, job, queue.get_job(workspace, job).spec) as trial:
        yield trial


def run_trial(workspace: Workspace, job: str, accuracies: Sequence[float]) -> tuple[RunSpec, str | None]:
    """Go through the epochs of a trial as its training would; returns its spec and why it ended early."""
    _, claim = queue.claim_next(workspace, ["train"], "cpu", only=job)
    with opened(workspace, job) as trial:
        reason, seen = None, []
        for epoch, value in enumerate(accuracies, start=1):
            seen.append(value)
            reason = trial.watch({"epoch": epoch, "val_accuracy": value})
            if reason:
                break
        record(workspace, job, trial.spec, seen, reason or "all epochs done")
    result = {"val_accuracy": max(seen), "epochs": len(seen), "ended": reason or "all epochs done"}
    queue.finish(workspace, job, claim, "succeeded", result=result)
    return trial.spec, reason


def interrupt(workspace: Workspace, job: str, error: BaseException, accuracies: Sequence[float] = ()) -> None:
    """Begin a trial, and end it by an error after some recorded epochs."""
    with opened(workspace, job) as trial:
        if accuracies:
            record(workspace, job, trial.spec, accuracies)
        raise error


def told(workspace: Workspace, job: str) -> list[optuna.trial.FrozenTrial]:
    study, _ = open_study(workspace, queue.get_job(workspace, job).spec["sweep"])
    return study.get_trials()


def test_trials_draw_report_and_are_pruned_below_the_median(workspace: Workspace) -> None:
    runs = start(workspace, 7, settings={"seed": "9"})
    good = [0.5, 0.6, 0.7, 0.8]
    specs = [
        run_trial(workspace, run, [value + place / 100 for value in good])[0]
        for place, run in enumerate(runs[:5])
    ]
    assert all(
        1e-4 <= spec.learning_rate <= 1e-1 and spec.epochs in (4, 5) and spec.seed == 9 for spec in specs
    )
    assert len({spec.learning_rate for spec in specs}) == 5
    _, reason = run_trial(workspace, runs[5], [0.1, 0.1, 0.1, 0.1])
    assert reason == "pruned: validation accuracy 0.100 after 3 epochs, below the sweep's median"
    assert run_trial(workspace, runs[6], [0.9, 0.1, 0.1, 0.1])[1] is None
    trials = told(workspace, runs[0])
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 5 + [
        TrialState.PRUNED,
        TrialState.COMPLETE,
    ]
    assert [trial.user_attrs["job"] for trial in trials] == runs
    assert trials[0].value == pytest.approx(0.8)
    assert trials[5].intermediate_values == {1: 0.1, 2: 0.1, 3: 0.1}
    # Optuna's tables lie beside the lab's, which still work.
    assert len(queue.list_jobs(workspace, states=("succeeded",))) == 7


def test_a_trial_that_is_killed_keeps_its_parameters_and_its_optuna_trial(workspace: Workspace) -> None:
    (run,) = start(workspace, 1)
    _, claim = queue.claim_next(workspace, ["train"], "cpu")
    # Its worker stops it before spec.json was written, then after two epochs.
    with pytest.raises(Cancelled):
        interrupt(workspace, run, Cancelled())
    drawn = told(workspace, run)[0].params
    with pytest.raises(Cancelled):
        interrupt(workspace, run, Cancelled(), [0.3, 0.4])
    queue.release(workspace, run, claim, "waiting")
    spec, _ = run_trial(workspace, run, [0.3, 0.4, 0.5])
    assert {name: getattr(spec, name) for name in GRID} == drawn
    (trial,) = told(workspace, run)
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.5)
    assert trial.intermediate_values == {1: 0.3, 2: 0.4, 3: 0.5}


def test_a_failed_or_cancelled_trial_is_not_left_running_and_can_be_resumed(workspace: Workspace) -> None:
    failing, cancelled, killed = start(workspace, 3)
    for run, error in ((failing, WbcError("diverged")), (cancelled, Cancelled())):
        _, claim = queue.claim_next(workspace, ["train"], "cpu", only=run)
        queue.cancel(workspace, run) if run == cancelled else None
        with pytest.raises(type(error)):
            interrupt(workspace, run, error, [0.3])
        queue.finish(workspace, run, claim, "cancelled" if run == cancelled else "failed")
    assert [trial.state for trial in told(workspace, failing)] == [TrialState.FAIL] * 2
    # Killed for good: nobody was left to tell, so the next one to look does.
    _, claim = queue.claim_next(workspace, ["train"], "cpu", only=killed)
    with pytest.raises(Cancelled):
        interrupt(workspace, killed, Cancelled())
    queue.finish(workspace, killed, claim, "failed")
    assert told(workspace, killed)[2].state == TrialState.RUNNING
    settle_trials(workspace, open_study(workspace, queue.get_job(workspace, killed).spec["sweep"])[0])
    assert told(workspace, killed)[2].state == TrialState.FAIL

    resumed = launching.resume(workspace, failing).id
    before = RunSpec.from_json(workspace.read_json(workspace.run_dir(failing) / "spec.json", "run"))
    assert run_trial(workspace, resumed, [0.3, 0.4])[0] == before
    assert told(workspace, resumed)[-1].state == TrialState.COMPLETE
    assert told(workspace, resumed)[-1].params == told(workspace, resumed)[0].params


def test_repeats_of_a_trial_share_what_was_drawn(workspace: Workspace) -> None:
    runs = start(workspace, 2, seeds=(3, 4))
    specs = [run_trial(workspace, run, [0.5])[0] for run in runs]
    assert [spec.seed for spec in specs] == [3, 4, 3, 4]
    assert (
        specs[0].learning_rate == specs[1].learning_rate != specs[2].learning_rate == specs[3].learning_rate
    )


def test_trials_that_start_at_once_on_a_new_database_all_get_in(any_workspace: Workspace) -> None:
    runs = start(any_workspace, 2, seeds=(0, 1))

    def begin(run: str) -> float:
        # A thread of its own opens connections of its own, as a process does.
        with suppress(Cancelled), opened(any_workspace, run) as trial:
            for epoch in (1, 2, 3):
                trial.watch({"epoch": epoch, "val_accuracy": epoch / 20})
            raise Cancelled
        return trial.spec.learning_rate

    with ThreadPoolExecutor(4) as pool:
        rates = list(pool.map(begin, runs))
    assert rates[0] == rates[1]
    assert rates[2] == rates[3]
    alive = [trial for trial in told(any_workspace, runs[0]) if trial.state == TrialState.RUNNING]
    assert sorted(trial.user_attrs["job"] for trial in alive) == sorted(runs)
    assert all(len(trial.intermediate_values) == 3 for trial in alive)


def test_a_database_that_is_away_does_not_end_a_training(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = start(workspace, 1)

    def away(*_: object, **__: object) -> None:
        raise optuna.exceptions.StorageInternalError("locked")

    _, claim = queue.claim_next(workspace, ["train"], "cpu")
    with monkeypatch.context() as patched, opened(workspace, run) as trial:
        patched.setattr(optuna.storages.RDBStorage, "set_trial_intermediate_value", away)
        patched.setattr(optuna.storages.RDBStorage, "set_trial_state_values", away)
        assert trial.watch({"epoch": 1, "val_accuracy": 0.5}) is None
        record(workspace, run, trial.spec, [0.5], "all epochs done")
    # Back again, it is told by whoever opens the study next.
    assert told(workspace, run)[0].state == TrialState.RUNNING
    queue.finish(workspace, run, claim, "succeeded", result={"val_accuracy": 0.5, "ended": "all epochs done"})
    settle_trials(workspace, open_study(workspace, queue.get_job(workspace, run).spec["sweep"])[0])
    assert [(trial.state, trial.value) for trial in told(workspace, run)] == [(TrialState.COMPLETE, 0.5)]
