"""Procedural cells: the same seed gives the same pixels, and the classes can be told apart."""

import numpy as np

from wbc_core.datasets.synthetic import DEMO_CLASSES, draw_cells


def test_the_seed_decides_every_pixel() -> None:
    labels = np.arange(8)
    first = draw_cells(np.random.default_rng(5), labels)
    assert first.shape == (8, 96, 96, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, draw_cells(np.random.default_rng(5), labels))
    assert (first != draw_cells(np.random.default_rng(6), labels)).any(axis=(1, 2, 3)).all()


def test_no_two_cells_are_alike() -> None:
    images = draw_cells(np.random.default_rng(0), np.repeat(np.arange(8), 6))
    assert len(np.unique(images.reshape(48, -1), axis=0)) == 48


def test_classes_differ_as_in_a_smear() -> None:
    count = 15
    labels = np.repeat(np.arange(8), count)
    images = draw_cells(np.random.default_rng(1), labels).astype(np.float32)
    middle = images[:, 24:72, 24:72]
    # Nucleus and dark granules: less than half of the slide's green.
    dark = (middle[..., 1] < 100).mean(axis=(1, 2)).reshape(8, count).mean(axis=1)
    redness = (middle[..., 0] - middle[..., 2]).mean(axis=(1, 2)).reshape(8, count).mean(axis=1)
    named_dark = dict(zip(DEMO_CLASSES, dark, strict=True))
    named_red = dict(zip(DEMO_CLASSES, redness, strict=True))
    assert named_dark["platelet"] == min(dark)
    assert named_dark["basophil"] > named_dark["neutrophil"]
    assert named_red["eosinophil"] > named_red["neutrophil"] > named_red["monocyte"]
