"""One job that prepares a set under every balance plan and queues a run on each."""

import numpy as np
import pytest

from wbc_core.augment.prepare import load_prepared
from wbc_core.augment.recipe import PRESETS
from wbc_core.datasets.store import DatasetWriter
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.jobs.balance_study import recipes_of, run_balance_study, start_balance_study, study_comparison
from wbc_core.jobs.sweep import trial_spec
from wbc_core.progress import silent
from wbc_core.records import Recipe
from wbc_core.splitting import make_split
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


def test_every_plan_gets_a_set_and_a_run_of_one_sweep(workspace: Workspace, split: str) -> None:
    job = start_balance_study(workspace, split, "cnn", PLAIN, settings={"epochs": "2"})
    result = run_balance_study(workspace, job.id, job.spec, silent)
    assert list(result["runs"]) == ["none", "class_weights", "random_over", "smote"]
    for plan, run in result["runs"].items():
        spec = trial_spec(workspace, run, queue.get_job(workspace, run).spec)
        prepared = load_prepared(workspace, spec.prepared)
        assert prepared.recipe.balance == plan
        assert (spec.epochs, spec.class_weight) == (2, "recipe")
        assert queue.get_job(workspace, run).spec["sweep"]["id"] == result["sweep"]
    # A worker that died in between starts it again, and no run is queued twice.
    assert run_balance_study(workspace, job.id, job.spec, silent) == result
    assert len(queue.list_jobs(workspace)) == 5


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"plans": ["smote"]}, "at least two"),
        ({"plans": ["none", "smoke"]}, "smoke"),
        ({"settings": {"class_weight": "balanced"}}, "class_weight"),
        ({"settings": {"epochs": "many"}}, "epochs"),
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
    with pytest.raises(WbcError, match="queued"):
        study_comparison(workspace, job.id)
