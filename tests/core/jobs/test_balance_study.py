"""One job that prepares a set under every balance plan and queues a run on each."""

import numpy as np
import pytest

from wbc_core.augment.prepare import load_prepared
from wbc_core.augment.recipe import PRESETS
from wbc_core.datasets.store import DatasetWriter
from wbc_core.errors import WbcError
from wbc_core.jobs import order, queue
from wbc_core.jobs.balance_study import (
    recipes_of,
    run_balance_study,
    seconds_needed,
    start_balance_study,
)
from wbc_core.jobs.paired_study import BALANCE, list_studies, study_runs
from wbc_core.jobs.study_comparison import study_comparison
from wbc_core.progress import silent
from wbc_core.records import Recipe
from wbc_core.splitting import load_split, make_split
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

PLAIN = PRESETS.get("plain")


@pytest.fixture
def split(workspace: Workspace) -> str:
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat([0, 1], (30, 20)))
    images = generator.integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    with DatasetWriter(workspace, "noise", ("a", "b"), (32, 32, 3)) as writer:
        writer.append(images, labels, [f"{row}.png" for row in range(50)], np.full((50, 2), 32))
        return make_split(workspace, writer.finish("noise").id).id


def test_every_plan_gets_a_set_and_a_run_of_each_seed_in_one_sweep(workspace: Workspace, split: str) -> None:
    job = start_balance_study(workspace, split, "cnn", PLAIN, settings={"epochs": "2"}, seeds=(3, 4))
    order.set_priority(workspace, job.id, "high")
    assert study_runs(workspace, job.id) == {}
    result = run_balance_study(workspace, job.id, job.spec, silent)
    assert list(result["runs"]) == ["none", "class_weights", "random_over", "smote"]
    for plan, runs in result["runs"].items():
        for run, seed in zip(runs, (3, 4), strict=True):
            spec = RunSpec.from_json(queue.get_job(workspace, run).spec)
            prepared = load_prepared(workspace, spec.prepared)
            assert prepared.recipe.balance == plan
            assert (spec.epochs, spec.class_weight, spec.seed) == (2, "recipe", seed)
            assert queue.get_job(workspace, run).spec["sweep"]["id"] == result["sweep"]
            assert queue.get_job(workspace, run).priority == "high"
    asked = {"settings": {"epochs": "2"}, "seeds": (3, 4)}
    foreseen = [
        queue.get_job(workspace, run).spec["foreseen"] for one in result["runs"].values() for run in one
    ]
    needed = seconds_needed(workspace, load_split(workspace, split), "cnn", PLAIN, **asked)
    assert needed == pytest.approx(sum(cost["seconds"] for cost in foreseen))
    # A worker that died in between starts it again, and no run is queued twice.
    assert run_balance_study(workspace, job.id, job.spec, silent) == result
    assert len(queue.list_jobs(workspace)) == 9
    # So does a person, when it failed: one study still.
    again = queue.submit(workspace, job.kind, {**job.spec, "resumes": job.id})
    assert run_balance_study(workspace, again.id, again.spec, silent) == result
    assert [study.id for study in list_studies(workspace, BALANCE, split)] == [again.id]


def test_its_cost_grows_with_seeds_and_images(workspace: Workspace, split: str) -> None:
    asked = {"split": load_split(workspace, split), "backbone": "cnn", "recipe": PLAIN}
    one, three = (seconds_needed(workspace, **asked, seeds=range(count)) for count in (1, 3))
    assert three == pytest.approx(3 * one)
    assert one < seconds_needed(workspace, **{**asked, "recipe": PRESETS.get("an2dl")})


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"plans": ["smote"]}, "at least two"),
        ({"plans": ["none", "smoke"]}, "smoke"),
        ({"settings": {"class_weight": "balanced"}}, "class_weight"),
        ({"settings": {"epochs": "many"}}, "epochs"),
        ({"settings": {"seed": "1"}}, "seed"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"backbone": "vgg99"}, "vgg99"),
    ],
)
def test_what_is_wrong_queues_nothing(workspace: Workspace, split: str, changes: dict, word: str) -> None:
    asked = {"backbone": "cnn", "recipe": PLAIN, **changes}
    with pytest.raises(WbcError, match=word):
        start_balance_study(workspace, split, **asked)
    assert queue.list_jobs(workspace) == []


def test_recipes_are_named_after_recipe_and_plan() -> None:
    long = Recipe("x" * 40, "smote", balance_parameters={"cap": 3})
    recipes = recipes_of(long, ["none", "borderline_smote"])
    assert [len(recipe.name) for recipe in recipes] == [40, 40]
    assert [recipe.balance_parameters for recipe in recipes] == [{}, {}]


def test_a_comparison_waits_for_the_study(workspace: Workspace, split: str) -> None:
    job = start_balance_study(workspace, split, "cnn", PLAIN)
    with pytest.raises(WbcError, match="not finished"):
        study_comparison(workspace, job.id)
