"""The features tell one kind of cell from another, of any image, alone or among others."""

import numpy as np
import pytest

from wbc_core.curation.measures.base import Chunk
from wbc_core.curation.measures.features import FEATURES
from wbc_core.curation.quick_classifier import out_of_fold, standardise
from wbc_core.datasets.synthetic import draw_cells


def _features(images: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return FEATURES.compute(Chunk(images))["features"]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 200), (48, 48), (96, 96), (130, 97)])
def test_any_size_has_finite_features(size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, *size, 3), dtype=np.uint8)
    images[0] = 0
    images[1] = 255
    features = _features(images)
    assert features.shape == (5, 175)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_an_image_has_the_same_features_in_any_company() -> None:
    images = draw_cells(np.random.default_rng(0), np.arange(37) % 8)
    together = _features(images)
    np.testing.assert_array_equal(together[::-1], _features(images[::-1]))
    for row in (0, 17, 36):
        np.testing.assert_array_equal(together[row : row + 1], _features(images[row : row + 1]))


def test_a_turned_or_mirrored_cell_has_the_same_features() -> None:
    images = draw_cells(np.random.default_rng(1), np.arange(16) % 8)
    features = _features(images)
    turned = _features(np.ascontiguousarray(np.rot90(images, axes=(1, 2))))
    mirrored = _features(np.ascontiguousarray(images[:, :, ::-1]))
    spread = features.std(axis=0) + 1e-3
    assert np.abs((turned - features) / spread).max() < 0.2
    assert np.abs((mirrored - features) / spread).max() < 0.2
    assert np.abs((features[1] - features[0]) / spread).max() > 1


def test_kinds_of_cells_are_told_apart_by_who_did_not_see_them() -> None:
    labels = np.arange(400) % 8
    features = _features(draw_cells(np.random.default_rng(2), labels))
    responses = out_of_fold(features, labels, 8)
    assert responses.dtype == np.float32
    assert (responses.argmax(axis=1) == labels).mean() > 0.9
    np.testing.assert_array_equal(responses, out_of_fold(features, labels, 8))


def test_the_scale_of_the_features_does_not_matter() -> None:
    labels = np.arange(200) % 4
    features = _features(draw_cells(np.random.default_rng(3), labels))
    scale = np.random.default_rng(0).choice([2.0**-12, 1.0, 2.0**12], features.shape[1]).astype(np.float32)
    np.testing.assert_allclose(
        out_of_fold(features, labels, 4), out_of_fold(features * scale, labels, 4), atol=1e-3
    )
    constant = standardise(np.ones((9, 3), dtype=np.float32))
    np.testing.assert_array_equal(constant, np.zeros((9, 3)))


def test_a_held_out_response_knows_nothing_of_its_own_label() -> None:
    generator = np.random.default_rng(4)
    features = generator.normal(size=(300, 20)).astype(np.float32)
    labels = generator.integers(0, 2, 300)
    responses = out_of_fold(features, labels, 2)
    assert (responses.argmax(axis=1) == labels).mean() < 0.65
