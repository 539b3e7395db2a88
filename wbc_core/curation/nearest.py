"""Nearest neighbours of many points, at a cost that grows about linearly with their number.

The points are divided by k-means, again and again, into leaves of some dozen (the vocabulary tree of Nister
and Stewenius, "Scalable recognition with a vocabulary tree", CVPR 2006); those of a leaf are then compared
with those of the leaves around it. Coordinates are whole numbers, small enough for every square and sum to be
exact in float32, so that neither threads nor their order change a result.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from wbc_core.curation.pair_loops import find_nearest
from wbc_core.curation.spread import over_threads

DIMENSIONS = 24
"""Most coordinates a point may have."""

_LARGEST = 400
"""Largest coordinate: 3 times 24 squares of it stay below 2**24."""

_DIVIDED_BY = 8
"""Leaves are cut in the first coordinates only: further ones tell neighbours apart, but blur the borders."""

_LEAF = 96
_SEARCHED = 64
_BRANCHES = 64
_LEARNT_FROM = 64
_ROUNDS = 4
_BLOCK = 8192
_STRIP = 32

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def whole_numbers(points: NDArray[np.floating], unit: float) -> FloatArray:
    """Bring points (n, up to 24) to whole units, clipped to what `nearest_pairs` computes exactly."""
    return np.asarray(np.clip(np.rint(points / unit), -_LARGEST, _LARGEST), dtype=np.float32)


def _nearest_centre(points: FloatArray, centres: FloatArray) -> IntArray:
    squares = (centres**2).sum(axis=1)
    blocks = [points[start : start + _BLOCK] for start in range(0, len(points), _BLOCK)]
    return np.concatenate([(squares - 2 * (block @ centres.T)).argmin(axis=1) for block in blocks])


def _divide(points: FloatArray) -> list[IntArray]:
    """Positions of the points in several parts, by k-means learnt from an even sample."""
    branches = min(_BRANCHES, -(-len(points) // (_LEAF // 2)))
    sample = points[
        np.linspace(0, len(points) - 1, min(len(points), _LEARNT_FROM * branches)).astype(np.int64)
    ]
    centres = sample[np.linspace(0, len(sample) - 1, branches).astype(np.int64)]
    for _ in range(_ROUNDS):
        nearest = _nearest_centre(sample, centres)
        counts = np.bincount(nearest, minlength=len(centres))
        sums = np.stack([np.bincount(nearest, column, len(centres)) for column in sample.T], axis=1)
        centres = np.rint(sums[counts > 0] / counts[counts > 0, None]).astype(np.float32)
    nearest = _nearest_centre(points, centres)
    order = np.argsort(nearest, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(nearest[order])) + 1)
    if max(map(len, parts)) > 0.9 * len(points):  # Hardly any two differ: one division is as good as another.
        parts = np.array_split(order, branches)
    return parts


def _leaves(points: FloatArray) -> Iterator[IntArray]:
    waiting = [np.arange(len(points))]
    while waiting:
        rows = waiting.pop()
        if len(rows) <= _LEAF:
            yield rows
        else:
            waiting.extend(rows[part] for part in _divide(points[rows]))


def _around(centres: FloatArray) -> Iterator[IntArray]:
    """For each leaf the leaves to search, itself among them."""
    squares = (centres**2).sum(axis=1)
    for start in range(0, len(centres), 512):
        yield from _smallest(squares - 2 * (centres[start : start + 512] @ centres.T), _SEARCHED)


def _smallest(values: FloatArray, count: int) -> IntArray:
    """Columns of the smallest values of each row of (m, n), int64 (m, min(count, n)), in no order."""
    rows, columns = values.shape
    if columns <= max(count, 8 * _STRIP):
        return np.argpartition(values, min(count, columns) - 1, axis=1)[:, :count]
    # The smallest lie in the strips with the smallest minima: most columns are read once and never sorted.
    strips = -(-columns // _STRIP)
    padded = np.full((rows, strips * _STRIP), np.inf, dtype=np.float32)
    padded[:, :columns] = values
    padded = padded.reshape(rows, _STRIP, strips)
    taken = min(count, strips)
    near = np.argpartition(padded.min(axis=1), taken - 1, axis=1)[:, :taken]
    few = np.take_along_axis(padded, near[:, None, :], axis=2).reshape(rows, -1)
    place = np.argpartition(few, count - 1, axis=1)[:, :count]
    return np.asarray(
        place // taken * strips + np.take_along_axis(near, place % taken, axis=1), dtype=np.int64
    )


def nearest_pairs(points: FloatArray, neighbours: int, farthest: float) -> IntArray:
    """Find pairs of near points.

    Args:
        points: Whole numbers, float32 (n, up to 24), see `whole_numbers`; the first coordinates tell most.
        neighbours: How many neighbours of each point are looked for.
        farthest: Largest Euclidean distance, in the same units.

    Returns:
        Pairs of positions, int64 (m, 2), rising; each pair once and the lower position first. Nearly all of
        the true neighbours are among them, not all.
    """
    leading = np.ascontiguousarray(points[:, :_DIVIDED_BY])
    leaves = list(_leaves(leading))
    centres = np.stack([np.rint(leading[leaf].mean(axis=0, dtype=np.float64)) for leaf in leaves])
    order = np.concatenate(leaves)
    starts = np.cumsum([0, *map(len, leaves)])
    columns = np.ascontiguousarray(points[order].T)

    def search(task: tuple[int, IntArray]) -> IntArray:
        leaf, around = task
        shape = (len(leaves[leaf]), neighbours + 1)  # Each point finds itself.
        near, squares = np.zeros(shape, dtype=np.int64), np.full(shape, np.inf, dtype=np.float32)
        find_nearest(columns, starts, around, leaf, near, squares)
        one = np.broadcast_to(leaves[leaf][:, None], shape)
        other = order[near]
        real = (squares <= farthest**2) & (one != other)
        codes: IntArray = np.minimum(one, other)[real] * len(points) + np.maximum(one, other)[real]
        return codes

    tasks = enumerate(_around(centres.astype(np.float32)))
    with threadpool_limits(1, user_api="blas"):
        codes = np.unique(np.concatenate(list(over_threads(search, tasks))))
    return np.stack(np.divmod(codes, len(points)), axis=1)
