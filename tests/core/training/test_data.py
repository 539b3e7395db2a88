"""Batches come in an order of seed and epoch alone."""

import numpy as np
import pytest

from wbc_core.augment.online import OnlineStage
from wbc_core.augment.prepare import load_prepared, open_prepared, prepare
from wbc_core.augment.shifts import SHIFTS, shift_images
from wbc_core.balance.weights import class_weights
from wbc_core.records import Operation, Recipe
from wbc_core.splitting import load_split
from wbc_core.training.data import Batches, as_keras_data, load_training_data
from wbc_core.training.loop import train
from wbc_core.training.network import data_of_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace


def order_of(batches: Batches, epoch: int) -> list[int]:
    batches.epoch = epoch
    return [int(label) for index in range(len(batches)) for label in batches[index][1]]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    images, rows = np.zeros((50, 2, 2, 3), np.uint8), np.arange(50)
    first, second = (Batches(images, rows, rows, batch_size=8, seed=seed) for seed in (1, 1))
    other = Batches(images, rows, rows, batch_size=8, seed=2)
    assert order_of(first, 0) == order_of(second, 0)
    assert sorted(order_of(first, 0)) == list(range(50))
    assert order_of(first, 1) != order_of(first, 0) != order_of(other, 0)
    second.epoch = 7
    assert order_of(second, 1) == order_of(first, 1)


def test_validation_is_the_held_out_part_with_effective_labels(
    training_workspace: tuple[Workspace, str],
) -> None:
    workspace, prepared = training_workspace
    data = load_training_data(workspace, prepared, batch_size=16, seed=0)
    parts = load_split(workspace, data.prepared.split).parts
    assert np.bincount(data.train.labels).tolist() == parts["train"]
    assert np.bincount(data.validation.labels).tolist() == parts["validation"]
    images, labels = data.validation[0]
    assert images.dtype == np.uint8
    # The fixture draws a class as its brighter channel.
    assert (images.mean(axis=(1, 2)).argmax(axis=1) == labels).all()


def test_class_weights_make_every_class_count_the_same(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    data = load_training_data(workspace, prepared, batch_size=16, seed=0)
    weights = data.class_weights("balanced")
    assert weights is not None
    counts = np.bincount(data.train.labels)
    np.testing.assert_allclose([weights[k] * counts[k] for k in range(3)], counts.sum() / 3)


def test_an_image_that_classes_share_counts_as_they_do_by_their_shares() -> None:
    rows, labels = np.arange(4), np.array([0, 1, 2, 1])
    images = np.zeros((4, 2, 2, 3), np.uint8)
    weights = {0: 0.5, 1: 3.0, 2: 1.5}
    plain = Batches(images, rows, labels, batch_size=4)
    assert as_keras_data(plain, weights)[0][2].tolist() == [0.5, 3.0, 1.5, 3.0]
    assert len(as_keras_data(plain)[0]) == 2

    class Mixed(Batches):
        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            images, shares = super().__getitem__(index)
            return images, np.asarray(0.75 * shares + 0.25 * shares[::-1], np.float32)

    mixed = Mixed(images, rows, labels, batch_size=4, shares_of=3)
    counted = as_keras_data(mixed, weights)[0][2]
    np.testing.assert_allclose(counted, [1.125, 2.625, 1.875, 2.375])


def test_an_online_stage_is_drawn_anew_each_epoch_and_mixes_labels(
    training_workspace: tuple[Workspace, str],
) -> None:
    workspace, plain = training_workspace
    online = (Operation("flip"), Operation("mix_up", probability=0.5))
    prepared = prepare(workspace, load_prepared(workspace, plain).split, Recipe("mixed", online=online)).id
    assert prepared != plain
    data = load_training_data(workspace, prepared, batch_size=16, seed=0)
    stage = OnlineStage(online, 0, *open_prepared(workspace, prepared), data.dataset.class_names)
    for epoch in (0, 1):
        data.train.epoch = epoch
        order = np.random.default_rng([0, epoch]).permutation(len(data.train.rows))
        images, shares = data.train[2]
        expected, labels = stage(order[32:48], epoch)
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(shares, labels)
    # The held-out part is never augmented; its labels only take the same form.
    plain_data = load_training_data(workspace, plain, batch_size=16, seed=0)
    np.testing.assert_array_equal(data.validation[0][0], plain_data.validation[0][0])
    np.testing.assert_array_equal(data.validation[0][1].argmax(axis=1), plain_data.validation[0][1])
    assert data.class_weights("balanced") == plain_data.class_weights("balanced")


def test_a_network_learns_from_mixed_labels(training_workspace: tuple[Workspace, str]) -> None:
    workspace, plain = training_workspace
    split = load_prepared(workspace, plain).split
    recipe = Recipe("mixed", online=(Operation("cut_mix", probability=0.5),))
    spec = RunSpec.parse(prepare(workspace, split, recipe).id, "cnn", {"epochs": "3", "seed": "1"})
    summary = train(workspace, "job-0123456789ab", spec)
    assert summary["epochs"] == 3
    assert summary["val_accuracy"] > 0.5


@pytest.mark.parametrize("shift", SHIFTS.names())
def test_validation_may_be_shifted_and_training_is_not(
    training_workspace: tuple[Workspace, str], shift: str
) -> None:
    workspace, prepared = training_workspace
    plain = load_training_data(workspace, prepared, batch_size=16, seed=0)
    # Every shift that the robustness report has is there to choose the best epoch by.
    asked = {"validation_shift": shift, "validation_strength": "5", "batch_size": "16"}
    shifted = data_of_run(workspace, RunSpec.parse(prepared, "cnn", asked))
    images, labels = plain.validation[0]
    changed, same = shifted.validation[0]
    np.testing.assert_array_equal(labels, same)
    np.testing.assert_array_equal(changed, shift_images(images, plain.validation.rows[:64], shift, 5))
    assert not np.array_equal(changed, images)
    np.testing.assert_array_equal(shifted.train[0][0], plain.train[0][0])


@pytest.mark.parametrize(
    ("recipe", "weighting"),
    [
        (Recipe("one", "class_weights"), "balanced"),
        (
            Recipe("two", "effective_number", (Operation("flip"),), balance_parameters={"beta": 0.9}),
            "effective_number",
        ),
        (Recipe("three", "random_over"), "none"),
    ],
)
def test_the_plan_of_a_recipe_weighs_the_loss_and_leaves_the_images(
    training_workspace: tuple[Workspace, str], recipe: Recipe, weighting: str
) -> None:
    workspace, plain = training_workspace
    split = load_split(workspace, load_prepared(workspace, plain).split)
    prepared = prepare(workspace, split.id, recipe)
    data = load_training_data(workspace, prepared.id, batch_size=16, seed=0)
    beta = recipe.balance_parameters.get("beta", 0.999)
    expected = class_weights(split.parts["train"], weighting, beta)
    assert data.class_weights("recipe") == expected
    assert data.class_weights("none") is None
    if recipe.balance == "class_weights":
        assert prepared.classes == tuple(split.parts["train"])
