"""Sweeps: what is queued, and what a drawn trial trains by."""

import pytest

from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.jobs.sweep import start_sweep, trial_spec
from wbc_core.workspace import Workspace

PREPARED = "pr-0123456789ab"
MANY = [str(seed) for seed in range(1000)]


def test_a_grid_is_every_combination(workspace: Workspace) -> None:
    grid = {"epochs": ["1", "2"], "seed": ["0", "7"]}
    sweep, runs = start_sweep(workspace, PREPARED, "cnn", grid, settings={"dropout": "0.1"})
    specs = [trial_spec(workspace, run, queue.get_job(workspace, run).spec) for run in runs]
    assert [(spec.epochs, spec.seed, spec.dropout) for spec in specs] == [
        (1, 0, 0.1),
        (1, 7, 0.1),
        (2, 0, 0.1),
        (2, 7, 0.1),
    ]
    assert {queue.get_job(workspace, run).spec["sweep"]["id"] for run in runs} == {sweep}


def test_a_grid_of_a_million_millions_is_refused_at_once(workspace: Workspace) -> None:
    grid = {"seed": MANY, "epochs": MANY[1:], "plateau_patience": MANY[1:], "batch_size": MANY[1:]}
    with pytest.raises(WbcError, match="1 to 1000"):
        start_sweep(workspace, PREPARED, "cnn", grid)
    assert queue.list_jobs(workspace) == []
    assert len(start_sweep(workspace, PREPARED, "cnn", grid, trials=2)[1]) == 2


def test_one_wrong_value_queues_nothing(workspace: Workspace) -> None:
    with pytest.raises(WbcError, match="epochs cannot be 'two'"):
        start_sweep(workspace, PREPARED, "cnn", {"seed": ["1", "2"], "epochs": ["1", "two"]}, trials=1)
    assert queue.list_jobs(workspace) == []


def test_a_drawn_trial_is_within_the_grid_and_keeps_the_shared_settings(workspace: Workspace) -> None:
    grid = {"learning_rate": ["0.1", "0.01"], "epochs": ["3", "4"]}
    _, runs = start_sweep(workspace, PREPARED, "cnn", grid, settings={"seed": "9"}, search="tpe", trials=5)
    assert len(runs) == 5
    for run in runs:
        spec = trial_spec(workspace, run, queue.get_job(workspace, run).spec)
        assert spec.learning_rate in (0.1, 0.01)
        assert spec.epochs in (3, 4)
        assert spec.seed == 9
        assert spec == trial_spec(workspace, run, queue.get_job(workspace, run).spec)
