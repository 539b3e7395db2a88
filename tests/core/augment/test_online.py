"""The online stage: what an image becomes depends on seed, epoch and position alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from wbc_core.augment.online import OnlineStage
from wbc_core.augment.operations import OPERATIONS
from wbc_core.errors import WbcError
from wbc_core.records import Operation

CLASSES = ("basophil", "ig", "platelet")
OPERATIONS_ONLINE = (
    Operation("rotation"),
    Operation("brightness", probability=0.4),
    Operation("random_cutout", classes=("ig",)),
    Operation("mix_up", probability=0.5),
    Operation("cut_mix", probability=0.5),
)


def pictures(count: int = 40) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    generator = np.random.default_rng(3)
    coarse = generator.integers(40, 220, size=(count, 4, 4, 3)).repeat(5, axis=1).repeat(5, axis=2)
    return coarse.astype(np.uint8), np.arange(count) % 3


def stage(*operations: Operation, seed: int = 0) -> OnlineStage:
    return OnlineStage(operations, seed, *pictures(), CLASSES)


def test_neither_batch_nor_order_nor_resuming_matter() -> None:
    whole = stage(*OPERATIONS_ONLINE)
    images, labels = whole(np.arange(40), 3)
    again = stage(*OPERATIONS_ONLINE)
    again(np.arange(40), 1)
    order = np.random.default_rng(0).permutation(40)
    for start in range(0, 40, 7):
        some = order[start : start + 7]
        own_images, own_labels = again(some, 3)
        np.testing.assert_array_equal(own_images, images[some])
        np.testing.assert_array_equal(own_labels, labels[some])


@pytest.mark.parametrize("change", ["epoch", "seed"])
def test_another_epoch_or_seed_draws_anew(change: str) -> None:
    images, _ = stage(Operation("rotation"))(np.arange(40), 0)
    other, _ = stage(Operation("rotation"), seed=int(change == "seed"))(np.arange(40), int(change == "epoch"))
    assert (images != other).any(axis=(1, 2, 3)).mean() > 0.9


def test_operations_follow_each_other_in_the_recipes_order() -> None:
    originals, _ = pictures()
    both, _ = stage(Operation("solarization"), Operation("posterize"))(np.arange(40), 0)
    turned, _ = stage(Operation("posterize"), Operation("solarization"))(np.arange(40), 0)
    assert (both != turned).any()
    assert (both != originals).any()


def test_probability_and_classes_choose_the_images() -> None:
    originals, labels = pictures()
    half, _ = stage(Operation("rotation", probability=0.5))(np.arange(40), 0)
    assert 8 < (half != originals).any(axis=(1, 2, 3)).sum() < 32
    never, _ = stage(Operation("rotation", probability=0.0))(np.arange(40), 0)
    np.testing.assert_array_equal(never, originals)
    one, _ = stage(Operation("rotation", classes=("platelet",)))(np.arange(40), 0)
    np.testing.assert_array_equal((one != originals).any(axis=(1, 2, 3)), labels == 2)
    with pytest.raises(WbcError, match="does not have"):
        stage(Operation("rotation", classes=("monocyte",)))


def test_labels_are_numbers_until_something_mixes() -> None:
    _, labels = stage(Operation("rotation"))(np.arange(40), 0)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, pictures()[1])
    _, shares = stage(Operation("mix_up"))(np.arange(40), 0)
    assert shares.shape == (40, 3)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert (shares.max(axis=1) < 1).any()


def test_a_mix_blends_the_augmented_images_once() -> None:
    originals, labels = pictures()
    mixing = stage(Operation("mix_up", {"alpha": 5.0}), Operation("cut_mix"))
    images, shares = mixing(np.arange(40), 0)
    _, drawn = mixing._drawn(0, np.arange(40), 0)
    uniform = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(2, 0, 0, 1))).random((40, 2))
    partners = np.floor(uniform[:, 1] * 40).astype(int)
    share = drawn["share"][:, None, None, None]
    expected = (1 - share) * originals + share * originals[partners]
    assert np.abs(images - expected).max() <= 0.51
    mixed = np.eye(3)[labels] * (1 - drawn["share"][:, None]) + np.eye(3)[labels[partners]] * share[:, 0, 0]
    np.testing.assert_allclose(shares, mixed, atol=1e-6)


def test_an_operation_alone_does_what_the_registry_says() -> None:
    originals, _ = pictures()
    solarised, _ = stage(Operation("solarization"))(np.arange(40), 2)
    generator = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(2, 0, 2)))
    kind = OPERATIONS.get("solarization")
    drawn = kind.sample(generator, 40, originals.shape[1:])
    np.testing.assert_array_equal(solarised, kind.apply(originals, drawn))
