"""The compiled loops beside plain NumPy."""

from collections.abc import Callable

import numpy as np
import pytest

from wbc_core.curation import pair_loops, similarity
from wbc_core.curation.compiled import compiled
from wbc_core.curation.measures import pixel_loops
from wbc_core.curation.measures.base import Chunk
from wbc_core.curation.measures.blocks import _SIEVES, _hard_edges
from wbc_core.curation.measures.features import FEATURES
from wbc_core.curation.measures.matrix_logarithms import take_logarithms


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 13, 22), dtype=np.uint8)


def test_levels_are_counted(pictures: np.ndarray) -> None:
    counts = np.zeros((3, 256), dtype=np.int64)
    pixel_loops.count_levels(pictures.reshape(3, -1), counts)
    np.testing.assert_array_equal(counts, [np.bincount(one.ravel(), minlength=256) for one in pictures])


@pytest.mark.parametrize("width", [3, 22, 2500])
def test_second_differences_are_summed(width: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 11, width), dtype=np.uint8)
    pictures[1] = np.indices((11, width)).sum(axis=0) % 2 * 255  # The strongest there are.
    wide = min(8, width - 2)
    sums, squares = np.empty((2, 2), dtype=np.int64)
    blocks = np.zeros((2, 1, (width - 2) // wide), dtype=np.int64)
    pixel_loops.sum_second_differences(pictures, 8, wide, sums, squares, blocks)
    plain = pictures.astype(np.int64)
    across = np.diff(plain, 2, axis=2)[:, 1:-1]
    laplacian = across + np.diff(plain, 2, axis=1)[:, :, 1:-1]
    np.testing.assert_array_equal(sums, laplacian.sum(axis=(1, 2)))
    np.testing.assert_array_equal(squares, (laplacian**2).sum(axis=(1, 2)))
    mixed = np.abs(np.diff(np.diff(plain, 2, axis=2), 2, axis=1))[:, :8, : blocks.shape[2] * wide]
    np.testing.assert_array_equal(blocks[:, 0], mixed.reshape(2, 8, -1, wide).sum(axis=(1, 3)))


def _hard_edge_length(picture: np.ndarray) -> int:
    """The definition, place by place."""
    total = 0
    for flat, jump, run, forgiven in _SIEVES.tolist():
        for turned in (picture, picture.T):
            steps = np.abs(np.diff(turned.astype(int), axis=1))
            for column in range(steps.shape[1] - 2):
                first, second, third = steps[:, column : column + 3].T
                rising, falling = (first <= flat) & (third >= jump), (first >= jump) & (third <= flat)
                edge = (second <= flat) & (rising | falling)
                bounds = np.flatnonzero(np.diff(np.concatenate([[0], edge, [0]])))
                lengths = bounds[1::2] - bounds[::2]
                total += int((lengths[lengths >= run] - forgiven).sum())
    return total


def test_hard_edges_are_measured() -> None:
    generator = np.random.default_rng(0)
    pictures = np.kron(generator.integers(0, 256, (6, 3, 4)), np.ones((1, 14, 9))).astype(np.uint8)
    pictures[3:] += generator.integers(0, 5, pictures[3:].shape).astype(np.uint8)
    pictures[5, 10:20, 5:30] = 77
    found = _hard_edges(pictures)
    assert found[:3].min() > 0
    np.testing.assert_array_equal(found, [_hard_edge_length(one) for one in pictures])


def test_colours_are_described() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 77, 3), dtype=np.uint8)
    positions = np.array([0, 5, 5, 40, 76])
    percentiles = np.empty((3, 3, 5), dtype=np.float32)
    sums, products = np.empty((3, 3), dtype=np.int64), np.empty((3, 3, 3), dtype=np.int64)
    pixel_loops.describe_colours(pictures, positions, percentiles, sums, products)
    plain = pictures.astype(np.int64)
    np.testing.assert_array_equal(percentiles, np.sort(plain, axis=1)[:, positions].swapaxes(1, 2))
    np.testing.assert_array_equal(sums, plain.sum(axis=1))
    np.testing.assert_array_equal(products, plain.swapaxes(1, 2) @ plain)


def test_edges_are_described(pictures: np.ndarray) -> None:
    pictures[0, :, 11:], pictures[0, :, :11] = 255, 0
    positions = np.array([0, 100, 219])
    quarters, moments = np.empty((3, 3), dtype=np.float32), np.empty((3, 3), dtype=np.int64)
    pixel_loops.describe_edges(pictures, positions, quarters, moments)
    plain = pictures.astype(np.int64)
    across = (plain[:, 1:-1, 2:] - plain[:, 1:-1, :-2]).reshape(3, -1)
    down = (plain[:, 2:, 1:-1] - plain[:, :-2, 1:-1]).reshape(3, -1)
    strengths = np.sort(np.floor(4 * np.sqrt(across**2 + down**2)), axis=1)
    np.testing.assert_array_equal(quarters, strengths[:, positions])
    products = [across**2, down**2, across * down]
    np.testing.assert_array_equal(moments, np.stack(products, axis=2).sum(axis=1))


def test_regions_are_described() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    lab = Chunk(images).lab.astype(np.float64)
    found = FEATURES.compute(Chunk(images))["features"]
    lightness = lab[..., 0]
    slope = np.hypot(
        lightness[:, 2:, 1:-1] - lightness[:, :-2, 1:-1], lightness[:, 1:-1, 2:] - lightness[:, 1:-1, :-2]
    )
    np.testing.assert_allclose(found[:, 132], lightness[:, 1:-1, 1:-1].mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found[:, 135], slope.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found[:, 143], lightness[:, 10:38, 10:38].mean(axis=(1, 2)), rtol=1e-5)
    # The determinant is the sum of the logarithm's diagonal: here of a covariance that NumPy computes.
    covariances, means = np.empty((1, 2, 11, 11), np.float32), np.empty((1, 2, 11), np.float32)
    values = np.random.default_rng(1).normal(size=(11, 300)).astype(np.float32)
    expected = np.cov(values, bias=True)
    pixel_loops._moments(values, covariances[0, 0], means[0, 0])
    np.testing.assert_allclose(covariances[0, 0], expected, atol=1e-5)


def test_the_tangent_distance_is_that_of_least_squares() -> None:
    one, other = np.random.default_rng(0).normal(size=(2, 4, 6, 6)).astype(np.float32)
    tangents = np.concatenate([one[1:], other[1:]]).reshape(6, 36).astype(np.float64)
    apart = (one[0] - other[0]).ravel().astype(np.float64)
    moves = np.linalg.solve(tangents @ tangents.T + 0.5 * np.eye(6), tangents @ apart)
    left = apart - moves @ tangents
    assert pair_loops._tangent_distance(one, other, np.float32(0.5)) == pytest.approx(
        np.linalg.norm(left), rel=1e-5
    )


@pytest.mark.parametrize("symmetry", range(8))
def test_a_turned_picture_is_found_by_its_symmetry(symmetry: int) -> None:
    thumbnails = np.random.default_rng(0).integers(0, 256, (1, 32, 32), dtype=np.uint8)
    turned = similarity.apply_symmetry(thumbnails[0], symmetry)
    layouts = similarity._layouts(np.stack([turned, thumbnails[0]]))
    pairs, symmetries, distances = similarity._sieve(layouts, np.array([[0, 1]]))
    assert len(pairs) == 1
    assert symmetries[0] == symmetry
    assert distances[0] == pytest.approx(0.0, abs=1e-3)


def test_a_loop_whose_code_cannot_be_kept_is_compiled_for_the_process() -> None:
    names: dict[str, Callable[[np.ndarray], None]] = {}
    exec("def double(values):\n    for place in range(len(values)):\n        values[place] *= 2\n", names)  # noqa: S102
    values = np.ones(3)
    compiled(names["double"])(values)
    np.testing.assert_array_equal(values, 2.0)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (3, 2), (64, 11), (130, 11)])
def test_logarithms_are_those_of_the_eigenvalues(count: int, size: int) -> None:
    generator = np.random.default_rng(0)
    axes = np.linalg.qr(generator.normal(size=(count, size, size)))[0]
    eigenvalues = 10 ** generator.uniform(0, 4, size=(count, size))
    eigenvalues[0] = 1.0
    eigenvalues[-1] = 1e4
    matrices = ((axes * eigenvalues[:, None]) @ axes.swapaxes(1, 2)).astype(np.float32)
    found = np.empty_like(matrices)
    take_logarithms(matrices, found)
    expected = (axes * np.log(eigenvalues)[:, None]) @ axes.swapaxes(1, 2)
    # What rounding a matrix itself does to the logarithm of its smallest eigenvalue is larger than this.
    np.testing.assert_allclose(found, expected, atol=2e-3)
    np.testing.assert_array_equal(found, found.swapaxes(1, 2))


def test_channels_that_are_constant_or_all_the_same_have_logarithms() -> None:
    covariances = np.zeros((4, 11, 11), dtype=np.float32)
    covariances[1] = 1e4
    scales = np.linspace(1, 1e3, 11, dtype=np.float32)
    covariances[3] = scales[:, None] * scales
    covariances[2, 4, 4] = 1e4
    matrices = covariances + np.eye(11, dtype=np.float32)
    found = np.empty_like(matrices)
    take_logarithms(matrices, found)
    values, axes = np.linalg.eigh(matrices.astype(np.float64))
    expected = (axes * np.log(np.maximum(values, 1.0))[:, None]) @ axes.swapaxes(1, 2)
    np.testing.assert_allclose(found[:3], expected[:3], atol=2e-3)
    # Rounding alone moves the small eigenvalues of the last one by a tenth.
    np.testing.assert_allclose(found[3], expected[3], atol=0.3)


@pytest.mark.parametrize("widths", [[7], [3, 40], [1, 1, 5, 2]])
def test_the_smallest_are_kept_over_several_parts(widths: list[int]) -> None:
    values = np.random.default_rng(0).integers(0, 20, (4, sum(widths))).astype(np.float32)  # With ties.
    count = min(5, values.shape[1])
    places, smallest = np.zeros((4, count), dtype=np.int64), np.full((4, count), np.inf, dtype=np.float32)
    for last, width in zip(np.cumsum(widths), widths, strict=True):
        pair_loops.keep_smallest(values[:, last - width : last].copy(), int(last - width), places, smallest)
    np.testing.assert_array_equal(places, np.argsort(values, axis=1, kind="stable")[:, :count])
    np.testing.assert_array_equal(smallest, np.sort(values, axis=1)[:, :count])
