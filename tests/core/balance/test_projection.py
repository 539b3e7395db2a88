"""The projection of coarse pixels, against scikit-learn's PCA, and the map."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from wbc_core.balance.projection import SIDE, feature_space, learn_projection, map_of, projected
from wbc_core.balance.smote import SmoteDraw
from wbc_core.datasets.synthetic import draw_cells


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    return draw_cells(np.random.default_rng(0), np.repeat(np.arange(8), 12))


def squares(images: np.ndarray) -> np.ndarray:
    size = images.shape[1] // SIDE
    blocks = images.reshape(len(images), SIDE, size, SIDE, size, 3).mean(axis=(2, 4))
    return blocks.reshape(len(images), -1)


def test_the_components_are_those_of_scikit_learn(cells: np.ndarray) -> None:
    rows = np.arange(10, 90)
    ours = learn_projection(cells, rows, 5)
    theirs = PCA(5, svd_solver="full").fit(squares(cells[rows]))
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, rtol=1e-3)
    points = theirs.transform(squares(cells))
    np.testing.assert_allclose(np.abs(ours(cells)), np.abs(points), atol=0.05)
    np.testing.assert_array_equal(ours(cells)[rows], projected(cells, rows, ours))


def test_only_the_rows_asked_for_are_learnt_from(cells: np.ndarray) -> None:
    rows = np.arange(40)
    changed = cells.copy()
    changed[40:] = 0
    one, other = feature_space(cells, rows), feature_space(changed, rows)
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert np.isnan(one.vectors[40:]).all()
    asked = np.array([3, 30])
    distances = np.linalg.norm(one.vectors[asked, None] - one.vectors[None, :40], axis=2)
    distances[[0, 1], asked] = np.inf
    np.testing.assert_array_equal(one.neighbours(rows, asked, 4), np.argsort(distances, axis=1)[:, :4])


def test_synthetic_points_lie_between_their_parents(cells: np.ndarray) -> None:
    rows = np.arange(12)
    drawn = SmoteDraw(np.array([0, 3]), np.array([5, 7]), np.array([0.25, 0.5]))
    plane = map_of(cells, rows, drawn)
    assert plane.real.shape == (12, 2)
    expected = plane.real[[0, 3]] + drawn.factor[:, None] * (plane.real[[5, 7]] - plane.real[[0, 3]])
    np.testing.assert_allclose(plane.synthetic, expected, atol=1.0)
    assert 0 < plane.explained[1] <= plane.explained[0] < 1
