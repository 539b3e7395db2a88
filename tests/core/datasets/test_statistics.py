"""The summary of a data set against plain NumPy."""

import numpy as np
import pytest

from wbc_core.datasets.statistics import dataset_summary
from wbc_core.datasets.store import DatasetWriter
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace


def test_it_equals_what_numpy_says(workspace: Workspace) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (30, 8, 9, 3), dtype=np.uint8)
    labels = generator.integers(0, 2, 30)
    sizes = np.array([[20, 30]] * 10 + [[9, 8]] * 20)
    with DatasetWriter(workspace, "x", ["a", "b", "empty"], (8, 9, 3)) as writer:
        writer.append(images, labels, ["s"] * 30, sizes)
        dataset = writer.finish("test")
    seen: list[float] = []
    summary = dataset_summary(workspace, dataset.id, lambda fraction, message: seen.append(fraction))
    assert summary["images"] == 30
    assert summary["classes"] == {"a": int((labels == 0).sum()), "b": int((labels == 1).sum()), "empty": 0}
    np.testing.assert_array_equal(summary["mean_image"], np.round(images.mean(axis=0)).astype(np.uint8))
    expected = np.round(images[labels == 1].mean(axis=0)).astype(np.uint8)
    np.testing.assert_array_equal(summary["class_mean_images"]["b"], expected)
    assert summary["class_mean_images"]["empty"] is None
    assert summary["class_brightness"]["empty"] is None
    assert summary["sizes"] == [
        {"width": 9, "height": 8, "images": 20},
        {"width": 20, "height": 30, "images": 10},
    ]
    each = images.reshape(30, -1)
    np.testing.assert_allclose(summary["image_brightness"], each.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(summary["contrast"][2], np.median(each.std(axis=1)), atol=0.01)
    green = images[..., 1].mean(axis=(1, 2))
    np.testing.assert_allclose(summary["colour"]["green"][0], np.quantile(green, 0.05), atol=0.01)
    assert seen


def test_a_missing_set_is_named(workspace: Workspace) -> None:
    with pytest.raises(WbcError, match="data set ds-000000"):
        dataset_summary(workspace, "ds-000000")
