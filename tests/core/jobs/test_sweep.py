"""Sweeps: what is planned and queued, what is refused."""

import pytest

from tests.results_lab import prepared_id
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.jobs.sweep import cross_validation_spec, plan_sweep, start_sweep
from wbc_core.jobs.sweep_space import Range, draws, read_space, space_from_json, space_to_json
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

NOWHERE = "pr-0123456789ab"
MANY = [str(seed) for seed in range(1000)]


def test_a_grid_is_every_combination(workspace: Workspace) -> None:
    grid = {"epochs": ["1", "2"], "seed": ["0", "7"]}
    sweep, runs = start_sweep(workspace, prepared_id(workspace), "cnn", grid, settings={"dropout": "0.1"})
    specs = [RunSpec.from_json(queue.get_job(workspace, run).spec) for run in runs]
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
        start_sweep(workspace, NOWHERE, "cnn", grid)
    assert queue.list_jobs(workspace) == []
    assert len(start_sweep(workspace, prepared_id(workspace), "cnn", grid, trials=2)[1]) == 2


@pytest.mark.parametrize(
    ("grid", "asked", "words"),
    [
        ({"seed": ["1", "2"], "epochs": ["1", "two"]}, {"trials": 1}, "epochs cannot be 'two'"),
        ({"learning_rate": ["1e-5..1e-2"]}, {}, "grid cannot run through"),
        ({"learning_rate": ["1e-2..1e-5"]}, {"search": "random"}, "its lower end first"),
        ({"weight_decay": ["0..0.1:log"]}, {"search": "random"}, "above 0 to be logarithmic"),
        ({"dropout": ["0..2"]}, {"search": "tpe"}, "dropout cannot be"),
        ({"dropout": ["0.1..0.2", "0.5"]}, {"search": "tpe"}, "cannot be read"),
        ({"class_weight": ["none..recipe"]}, {"search": "tpe"}, "class_weight cannot be"),
        ({"epochs": ["1", "2"]}, {"settings": {"epochs": "3"}}, "both varied and set"),
        ({"seed": ["1", "2"]}, {"seeds": (0, 1)}, "seed is given twice"),
        ({"epochs": ["1", "2"]}, {"seeds": (1, 1)}, "different whole numbers"),
        ({"epochs": ["1", "2"]}, {"folds": 1}, "2 to 20"),
        ({"epochs": MANY[1:]}, {"seeds": (0, 1)}, "999 x 2"),
        ({}, {}, "needs settings to vary"),
    ],
)
def test_what_cannot_be_swept_queues_nothing(
    workspace: Workspace, grid: dict[str, list[str]], asked: dict[str, object], words: str
) -> None:
    with pytest.raises(WbcError, match=words):
        start_sweep(workspace, NOWHERE, "cnn", grid, **asked)
    assert queue.list_jobs(workspace) == []


def test_a_range_is_logarithmic_beyond_a_decade_and_keeps_its_ends() -> None:
    grid = {
        "learning_rate": ["1e-5..1e-2"],
        "dropout": ["0.1..0.5"],
        "batch_size": ["16..64:log"],
        "epochs": ["1..2"],
    }
    space = read_space("cnn", grid, {})
    assert space_from_json(space_to_json(space)) == space
    assert [(values.log, values.whole) for values in space.values() if isinstance(values, Range)] == [
        (True, False),
        (False, False),
        (True, True),
        (False, True),
    ]
    drawn = draws(space, 400, seed=3)
    assert drawn == draws(space, 400, seed=3)
    assert drawn != draws(space, 400, seed=4)
    assert all(1e-5 <= values["learning_rate"] <= 1e-2 for values in drawn)
    # Uniform in the logarithm: a third of the draws in each of three decades, give or take 4 deviations.
    assert 95 < sum(values["learning_rate"] < 1e-4 for values in drawn) < 172
    assert {values["epochs"] for values in drawn} == {1, 2}
    assert all(isinstance(values["batch_size"], int) and 16 <= values["batch_size"] <= 64 for values in drawn)


def test_a_random_search_of_few_combinations_draws_each_once() -> None:
    plan = plan_sweep(
        "pr-0123456789ab", "cnn", {"epochs": ["1", "2"], "seed": ["0..2"]}, search="random", trials=50
    )
    assert {(spec["epochs"], spec["seed"]) for spec in plan.specs} == {
        (e, s) for e in (1, 2) for s in (0, 1, 2)
    }
    assert plan.runs == 6


def test_every_trial_is_repeated_with_every_seed(workspace: Workspace) -> None:
    _, runs = start_sweep(workspace, prepared_id(workspace), "cnn", {"epochs": ["1", "2"]}, seeds=(4, 9))
    specs = [queue.get_job(workspace, run).spec for run in runs]
    assert [(spec["sweep"]["trial"], spec["epochs"], spec["seed"]) for spec in specs] == [
        (0, 1, 4),
        (0, 1, 9),
        (1, 2, 4),
        (1, 2, 9),
    ]
    assert len(start_sweep(workspace, prepared_id(workspace), "cnn", {}, seeds=(0, 1, 2))[1]) == 3


@pytest.mark.parametrize(
    ("backbone", "settings", "grid", "search"),
    [
        ("inception_v3", {}, {"seed": ["0", "1"]}, "grid"),
        ("cnn", {}, {"input_size": ["64", "2"]}, "grid"),
        ("cnn", {}, {"input_size": ["64", "2"]}, "tpe"),
        ("cnn", {}, {"input_size": ["0..64"]}, "tpe"),
        ("cnn", {}, {"precision": ["float32", "float16"]}, "tpe"),
        ("cnn", {}, {"weights": ["random", "imagenet"]}, "tpe"),
    ],
)
def test_a_trial_that_could_only_fail_queues_nothing(
    workspace: Workspace, backbone: str, settings: dict[str, str], grid: dict[str, list[str]], search: str
) -> None:
    asked = {"settings": settings, "search": search, "trials": 2}
    with pytest.raises(WbcError, match=r"too small|float16|no published"):
        start_sweep(workspace, prepared_id(workspace), backbone, grid, **asked)
    plan = plan_sweep(prepared_id(workspace), backbone, grid, folds=2, **asked)
    with pytest.raises(WbcError, match=r"too small|float16|no published"):
        cross_validation_spec(workspace, plan)
    assert queue.list_jobs(workspace) == []
    assert start_sweep(workspace, prepared_id(workspace), "inception_v3", {"input_size": ["96", "80"]})
