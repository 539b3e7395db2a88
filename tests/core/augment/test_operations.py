"""The operations by hand, on pictures of a few pixels."""

import numpy as np

from wbc_core.augment.operations import OPERATIONS
from wbc_core.augment.preview import preview
from wbc_core.augment.recipe import PRESETS


def pixels(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.array(colours, dtype=np.uint8).reshape(1, 1, -1, 3)


def test_auto_contrast_stretches_each_channel() -> None:
    images = pixels((100, 50, 7), (150, 60, 7), (200, 55, 7))
    result = OPERATIONS.get("auto_contrast").apply(images, {})
    assert result.reshape(-1, 3).tolist() == [[0, 0, 7], [128, 255, 7], [255, 128, 7]]


def test_saturation_of_zero_is_grey_and_of_one_unchanged() -> None:
    images = pixels((200, 100, 50), (10, 20, 30))
    operation = OPERATIONS.get("random_saturation")
    grey = operation.apply(images, {"gain": np.array([0.0])})
    assert grey.reshape(-1, 3).tolist() == [[200] * 3, [30] * 3]
    np.testing.assert_array_equal(operation.apply(images, {"gain": np.array([1.0])}), images)
    strongest = operation.apply(images, {"gain": np.array([1e7])})
    assert strongest.reshape(-1, 3).tolist() == [[200, 67, 0], [0, 15, 30]]


def test_solarization_inverts_from_the_threshold_up() -> None:
    images = pixels((0, 99, 100), (101, 200, 255))
    drawn = {"addition": np.array([0.0]), "threshold": np.array([100.0])}
    result = OPERATIONS.get("solarization").apply(images, drawn)
    assert result.reshape(-1).tolist() == [0, 99, 155, 154, 55, 0]


def test_cutout_covers_the_drawn_rectangle_and_is_cut_at_the_border() -> None:
    images = np.full((2, 6, 6, 3), 9, dtype=np.uint8)
    drawn = {
        "centre_x": np.array([3.0, 0.0]),
        "centre_y": np.array([2.0, 5.0]),
        "width": np.array([2.0, 4.0]),
        "height": np.array([3.0, 4.0]),
        "fill": np.array([0.0, 255.0]),
    }
    result = OPERATIONS.get("random_cutout").apply(images, drawn)
    expected = np.full((2, 6, 6, 3), 9, dtype=np.uint8)
    expected[0, 1:4, 2:4] = 0
    expected[1, 3:, :2] = 255
    np.testing.assert_array_equal(result, expected)


def test_preview_depends_on_the_place_and_the_seed_only() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
    operations = PRESETS.get("an2dl").operations
    whole = preview(images, operations, 3)
    assert [name for name, _, _ in whole] == OPERATIONS.names()
    for (_, every, _), (_, some, _) in zip(
        whole, preview(images[[4, 1]], operations, 3, positions=[4, 1]), strict=True
    ):
        np.testing.assert_array_equal(every[[4, 1]], some)
    redrawn = preview(images, operations, 4)
    assert any((a[1] != b[1]).any() for a, b in zip(whole, redrawn, strict=True))
    assert preview(images, (), 3) == []
