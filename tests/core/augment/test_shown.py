"""What the page shows is what the disk holds and what training gets, byte for byte."""

import numpy as np
import pytest

from tests.results_lab import build_dataset, build_split
from wbc_core.augment.foreseen import ForeseenImages, foresee_balanced
from wbc_core.augment.operations import OPERATIONS
from wbc_core.augment.prepare import open_prepared, prepare, train_rows
from wbc_core.augment.recipe import check_recipe
from wbc_core.augment.shown import PreparedView, sweep_values
from wbc_core.datasets.store import find_dataset, open_images
from wbc_core.errors import WbcError
from wbc_core.records import Operation, Recipe, Split
from wbc_core.training.data import load_training_data
from wbc_core.workspace import Workspace

MATERIALISED = (
    Operation("solarization", probability=0.5),
    Operation("random_cutout", {"width_factor": 0.3}),
    Operation("rand_augment"),
)
ONLINE = (
    Operation("rotation", {"degrees": 90.0}),
    Operation("gaussian_noise", probability=0.4),
    Operation("mix_up", probability=0.5),
    Operation("fourier_mix", probability=0.7),
)


@pytest.fixture
def split(workspace: Workspace) -> Split:
    return build_split(workspace, build_dataset(workspace))[0]


def view(workspace: Workspace, split: Split, recipe: Recipe) -> tuple[PreparedView, np.ndarray]:
    dataset, recipe = find_dataset(workspace, split.dataset), check_recipe(recipe)
    images = open_images(workspace, dataset.id)
    rows = train_rows(workspace, split.id, len(dataset.class_names))
    part = foresee_balanced(workspace, split, recipe, dataset, images, rows)
    foreseen = ForeseenImages(images, part, recipe, dataset.class_names)
    return PreparedView(recipe, foreseen, foreseen.labels, dataset.class_names), part.examples(24)


@pytest.mark.parametrize(
    ("balance", "leaky"), [("smote", False), ("none", False), ("random_under", False), ("smote", True)]
)
def test_a_set_is_foreseen_whole(workspace: Workspace, split: Split, balance: str, leaky: bool) -> None:
    recipe = Recipe("mine", balance, MATERIALISED, seed=7, leaky=leaky)
    foreseen, chosen = view(workspace, split, recipe)
    images, labels = open_prepared(workspace, prepare(workspace, split.id, recipe).id)
    assert foreseen.images.shape == images.shape
    np.testing.assert_array_equal(foreseen.labels, labels)
    order = np.random.default_rng(0).permutation(len(labels))
    np.testing.assert_array_equal(foreseen.images[order], images[order])
    count = len(labels) // (1 + len(MATERIALISED))
    for index in range(len(MATERIALISED)):
        shown = foreseen.copies(index, chosen)
        np.testing.assert_array_equal(shown.before, images[chosen])
        np.testing.assert_array_equal(shown.after, images[chosen + (index + 1) * count])


def test_a_plan_that_leaves_images_out_is_foreseen(workspace: Workspace, split: Split) -> None:
    recipe = Recipe("mine", "tomek_links", MATERIALISED[:1])
    foreseen, _ = view(workspace, split, recipe)
    images, labels = open_prepared(workspace, prepare(workspace, split.id, recipe).id)
    np.testing.assert_array_equal(foreseen.images[np.arange(len(labels))], images)


def test_what_is_shown_is_what_training_gets(workspace: Workspace, split: Split) -> None:
    recipe = Recipe("mine", "smote", MATERIALISED[:2], seed=3, online=ONLINE)
    foreseen, chosen = view(workspace, split, recipe)
    data = load_training_data(workspace, prepare(workspace, split.id, recipe).id, batch_size=16, seed=5)
    changed = 0
    for epoch in (0, 3):
        data.train.epoch = epoch
        got = [data.train[index] for index in range(len(data.train))]
        _, order = data.train._order_now()
        images = np.empty(foreseen.images.shape, dtype=np.uint8)
        images[order] = np.concatenate([batch for batch, _ in got])
        shown = foreseen.trained_on(chosen, epoch)
        np.testing.assert_array_equal(shown.after, images[chosen])
        np.testing.assert_array_equal(foreseen.trained_on(np.arange(len(images)), epoch).after, images)
        shares = np.empty((len(images), len(data.dataset.class_names)))
        shares[order] = np.concatenate([labels for _, labels in got])
        mixed = (shares[chosen].round(2).max(axis=1) < 1).tolist()
        assert [bool(words) for words in shown.labels] == mixed
        changed += (shown.after != shown.before).any(axis=(1, 2, 3)).sum()
    assert changed > 24


def test_cards_of_the_online_stage_follow_each_other(workspace: Workspace, split: Split) -> None:
    foreseen, chosen = view(workspace, split, Recipe("mine", "none", (), online=ONLINE[:3]))
    steps = [foreseen.drawn_anew(index, chosen, 1) for index in range(3)]
    np.testing.assert_array_equal(steps[0].before, foreseen.images[chosen])
    np.testing.assert_array_equal(steps[0].after, steps[1].before)
    np.testing.assert_array_equal(steps[2].after, foreseen.trained_on(chosen, 1).after)
    untouched = [(was == now).all() for was, now in zip(steps[1].before, steps[1].after, strict=True)]
    assert [caption == "as it is" for caption in steps[1].captions] == untouched


@pytest.mark.parametrize("stage", ["operations", "online"])
def test_a_sweep_meets_the_picture_at_its_own_setting(workspace: Workspace, split: Split, stage: str) -> None:
    operation = Operation("rotation", {"degrees": 180.0})
    foreseen, chosen = view(workspace, split, Recipe("mine", **{stage: (operation,)}))
    (parameter,) = OPERATIONS.get("rotation").parameters
    strip = foreseen.sweep(stage, 0, parameter.name, int(chosen[2]), 0)
    assert [value for value, _ in strip] == sweep_values(parameter)
    assert strip[0][0] == parameter.low
    assert strip[-1][0] == parameter.high
    shown = foreseen.copies(0, chosen) if stage == "operations" else foreseen.drawn_anew(0, chosen, 0)
    (same,) = [image for value, image in strip if value == 180.0]
    np.testing.assert_array_equal(same, shown.after[2])


def test_what_keras_cv_makes_is_not_foreseen(workspace: Workspace, split: Split) -> None:
    recipe = Recipe("mine", "none", MATERIALISED[:1], engine="keras_cv")
    foreseen, chosen = view(workspace, split, recipe)
    assert foreseen.images[chosen].shape == (len(chosen), *foreseen.images.shape[1:])
    with pytest.raises(WbcError, match="cannot be foreseen"):
        foreseen.images[chosen + len(foreseen.labels) // 2]
