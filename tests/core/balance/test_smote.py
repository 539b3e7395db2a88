"""SMOTE on images, against scikit-learn and imbalanced-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE
from sklearn.neighbors import NearestNeighbors

from wbc_core.balance import neighbours as search
from wbc_core.balance import smote
from wbc_core.balance.neighbours import PixelSpace, VectorSpace, squared_distance
from wbc_core.errors import WbcError


def cells(seed: int, count: int, side: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def nearest(images: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    return PixelSpace(images).neighbours(rows, np.arange(len(rows)), k)


@pytest.mark.parametrize("tile_bytes", [1, 75 * 7, 2**20])
@pytest.mark.parametrize("slab_bytes", [1, 4 * 25 * 10, 2**20])
def test_neighbours_are_those_of_scikit_learn(
    monkeypatch: pytest.MonkeyPatch, tile_bytes: int, slab_bytes: int
) -> None:
    monkeypatch.setattr(search, "TILE_BYTES", tile_bytes)
    monkeypatch.setattr(search, "SLAB_BYTES", slab_bytes)
    images = cells(0, 30)
    rows = np.arange(3, 28)
    expected = (
        NearestNeighbors(n_neighbors=6)
        .fit(images[rows].reshape(25, -1).astype(float))
        .kneighbors(return_distance=False, n_neighbors=5)
    )
    vectors = images.reshape(30, -1).astype(np.float32)
    for space in (PixelSpace(images), VectorSpace(vectors)):
        for asked in (np.arange(25), np.arange(3, 24), np.array([24, 0, 13])):
            np.testing.assert_array_equal(space.neighbours(rows, asked, 5), expected[asked])


@pytest.mark.parametrize("side", [3, 224])
def test_distances_are_exact_at_the_extremes(side: int) -> None:
    black = np.zeros(side * side * 3, dtype=np.uint8)
    assert squared_distance(black, black + 255) == 65_025 * len(black)
    one, other = cells(9, 2, side).reshape(2, -1)
    assert squared_distance(one, other) == np.square(one.astype(np.int64) - other.astype(np.int64)).sum()


def test_neighbours_are_right_where_float32_cannot_tell() -> None:
    # Bright images that differ by a few grey levels: squared norms near 2e9, squared distances below 100.
    images = np.full((30, 96, 96, 3), 250, dtype=np.uint8)
    generator = np.random.default_rng(1)
    for image in images[:-1]:
        image.reshape(-1)[generator.choice(27_648, generator.integers(1, 90))] += 1
    images[-1] = 0
    neighbours = nearest(images, np.arange(30), 5)
    flat = images.reshape(30, -1).astype(np.int64)
    exact = np.square(flat[:, None] - flat[None]).sum(axis=2)
    np.fill_diagonal(exact, np.iinfo(np.int64).max)
    np.testing.assert_array_equal(
        np.take_along_axis(exact, neighbours, axis=1), np.sort(exact, axis=1)[:, :5]
    )


def test_samples_are_those_of_imbalanced_learn() -> None:
    images = cells(2, 40)
    labels = np.repeat([0, 1], [28, 12])
    flat = images.reshape(40, -1).astype(np.float64)
    theirs = SMOTE(k_neighbors=5, random_state=7).fit_resample(flat, labels)[0][40:]
    rows = np.flatnonzero(labels == 1)
    neighbours = nearest(images, rows, 5)
    state = np.random.RandomState(7)
    base, rank = np.divmod(state.randint(0, neighbours.size, size=16), 5)
    drawn = smote.SmoteDraw(rows[base], rows[neighbours[base, rank]], state.uniform(size=16))
    ours = smote.interpolate(images, drawn, 0, 16)
    np.testing.assert_array_equal(ours.reshape(16, -1), np.rint(theirs))


def test_draw_takes_every_pair_and_stays_in_the_class() -> None:
    images, rows = cells(3, 30), np.array([4, 9, 11, 20, 21, 22, 25])
    drawn = smote.draw(PixelSpace(images), rows, 4_000, np.random.default_rng(0))
    neighbours = nearest(images, rows, 5)
    allowed = {(int(rows[i]), int(rows[j])) for i in range(7) for j in neighbours[i]}
    assert set(zip(drawn.base.tolist(), drawn.neighbour.tolist(), strict=True)) == allowed
    assert drawn.factor.min() >= 0
    assert drawn.factor.max() < 1


def test_small_classes_use_the_neighbours_they_have() -> None:
    images = cells(4, 3)
    drawn = smote.draw(PixelSpace(images), np.array([0, 2]), 10, np.random.default_rng(0))
    assert set(zip(drawn.base.tolist(), drawn.neighbour.tolist(), strict=True)) <= {(0, 2), (2, 0)}
    with pytest.raises(WbcError, match="random_over"):
        smote.draw(PixelSpace(images), np.array([1]), 1, np.random.default_rng(0))
    assert len(smote.draw(PixelSpace(images), np.array([1]), 0, np.random.default_rng(0))) == 0


def test_identical_images_are_settled_by_position() -> None:
    images = np.zeros((20, 4, 4, 3), dtype=np.uint8)
    neighbours = nearest(images, np.arange(20), 5)
    assert all(row not in neighbours[row] for row in range(20))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.floats(0, 1))
def test_a_sample_lies_between_its_parents(base: int, neighbour: int, factor: float) -> None:
    images = np.array([base, neighbour], dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    drawn = smote.SmoteDraw(np.array([0]), np.array([1]), np.array([factor]))
    value = int(smote.interpolate(images, drawn, 0, 1)[0, 0, 0, 0])
    assert min(base, neighbour) <= value <= max(base, neighbour)
    assert value == np.rint(base + factor * (neighbour - base))
