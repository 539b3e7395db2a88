"""Batches come in an order of seed and epoch alone."""

import numpy as np

from wbc_core.splitting import load_split
from wbc_core.training.data import Batches, load_training_data
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
    weights = data.class_weights()
    counts = np.bincount(data.train.labels)
    np.testing.assert_allclose([weights[k] * counts[k] for k in range(3)], counts.sum() / 3)
