"""Exact nearest neighbours among images, by blockwise float32 GEMM on uint8 pixels, or among vectors."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.datasets.store import release_pages
from wbc_core.progress import Progress, silent

Images = NDArray[np.uint8]
Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

TILE_BYTES = 64 * 2**20
"""Pixels of the images compared at a time, in bytes; at most two such tiles are held."""
SLAB_BYTES = 24 * 2**20
"""Largest float32 block of them, in bytes: a band of the pixels of a whole tile; two are held."""

_SPARE_CANDIDATES = 8
# Pixels a float32 sum goes over at most, and its rounding then, relative to the squared norms: 5e-9 on cells;
# the worst case for 16 running sums and products in blocks of 384 is 384 * 2^-24.
_BAND = 4096
_ROUNDING = 4e-5
# From this share of all images on, the symmetric product of all is cheaper than the rectangular one.
_SYMMETRIC = 0.67


class Space(Protocol):
    """Where distances are taken."""

    def neighbours(self, rows: Rows, asked: Rows, k: int, progress: Progress = silent) -> Rows:
        """Find the k nearest of `rows` to some of them, by Euclidean distance; equal ones go by position.

        Args:
            rows: Rows of the data set, int64 (c,), c > k.
            asked: Positions in `rows`, int64 (m,), each once.
            k: Number of neighbours.
            progress: Told the fraction done.

        Returns:
            Positions in `rows`, nearest first, int64 (m, k). An image is never its own neighbour.
        """


@dataclass(frozen=True, eq=False)
class PixelSpace:
    """Distances between pixels, as in the source report: what imbalanced-learn measures on flat images.

    Distances come from ||a||^2 + ||b||^2 - 2ab, summed in float64 over bands of pixels, after each band's
    mean is taken off so that float32 keeps its digits. Where two distances lie within the rounding they are
    taken again in whole numbers, so that the answer does not depend on the machine.

    Attributes:
        images: All images of the data set, uint8 (n, H, W, 3); may be memory-mapped.
    """

    images: Images

    def neighbours(self, rows: Rows, asked: Rows, k: int, progress: Progress = silent) -> Rows:
        """Find neighbours; see `Space`."""
        rows, asked = np.asarray(rows, dtype=np.int64), np.asarray(asked, dtype=np.int64)
        if _SYMMETRIC * len(rows) < len(asked) < len(rows):
            return self.neighbours(rows, np.arange(len(rows)), k, progress)[asked]
        size = max(1, TILE_BYTES // int(np.prod(self.images.shape[1:])))
        best = _Nearest(len(asked), min(len(rows) - 1, k + _SPARE_CANDIDATES))
        everything = len(asked) == len(rows) and len(rows) <= size and bool((np.diff(asked) == 1).all())
        pairs, done = -(-len(rows) // size) * -(-len(asked) // size), 0
        for left_start in range(0, len(asked), size):
            own = asked[left_start : left_start + size]
            left = gather(self.images, rows[own])
            for start in range(0, len(rows), size):
                right = left if everything else gather(self.images, rows[start : start + size])
                distances, norms = _squared_distances(left, right)
                here = np.flatnonzero((own >= start) & (own < start + len(right)))
                distances[here, own[here] - start] = np.inf
                best.offer(left_start, start, distances, norms)
                done += 1
                progress(done / pairs, "searching neighbours")
        return _settled(self.images, rows, asked, best, k)


@dataclass(frozen=True, eq=False)
class VectorSpace:
    """Distances between vectors, such as the projection of `wbc_core.balance.projection`.

    Attributes:
        vectors: A vector for every row of the data set, float32 (n, d).
    """

    vectors: Vectors

    def neighbours(self, rows: Rows, asked: Rows, k: int, progress: Progress = silent) -> Rows:
        """Find neighbours; see `Space`."""
        rows, asked = np.asarray(rows, dtype=np.int64), np.asarray(asked, dtype=np.int64)
        others = self.vectors[rows].astype(np.float64)
        norms = np.einsum("ij,ij->i", others, others)
        step = max(1, TILE_BYTES // (8 * len(rows)))
        found = np.empty((len(asked), k), dtype=np.int64)
        for start in range(0, len(asked), step):
            own = asked[start : start + step]
            distances = norms[own, None] + norms[None] - 2 * (others[own] @ others.T)
            distances[np.arange(len(own)), own] = np.inf
            best = _Nearest(len(own), min(len(rows) - 1, k + _SPARE_CANDIDATES))
            best.offer(0, 0, distances, norms[own])
            order = np.lexsort((best.index, best.distance), axis=1)[:, :k]
            found[start : start + step] = np.take_along_axis(best.index, order, axis=1)
            progress((start + len(own)) / len(asked), "searching neighbours")
        return found


class _Nearest:
    """The nearest candidates seen so far, for every image."""

    def __init__(self, count: int, candidates: int) -> None:
        self.distance = np.full((count, candidates), np.inf)
        self.index = np.full((count, candidates), -1, dtype=np.int64)
        self.norm = np.zeros(count)

    def offer(
        self, start: int, other: int, distances: NDArray[np.float64], norms: NDArray[np.float64]
    ) -> None:
        """Take in squared distances from images start.. to images other.., and the sums behind them."""
        stop, candidates = start + distances.shape[0], self.index.shape[1]
        self.norm[start:stop] = np.maximum(self.norm[start:stop], norms)
        indices = np.broadcast_to(np.arange(other, other + distances.shape[1]), distances.shape)
        distance = np.concatenate([self.distance[start:stop], distances], axis=1)
        index = np.concatenate([self.index[start:stop], indices], axis=1)
        order = np.argpartition(distance, candidates - 1, axis=1)[:, :candidates]
        self.distance[start:stop] = np.take_along_axis(distance, order, axis=1)
        self.index[start:stop] = np.take_along_axis(index, order, axis=1)


def gather(images: Images, rows: Rows) -> Images:
    """Copy some images out of a memory-mapped array, flat, leaving little of it in memory.

    Args:
        images: uint8 (n, H, W, 3); may be memory-mapped.
        rows: Which, int64 (m,).

    Returns:
        uint8 (m, H * W * 3).
    """
    flat = np.empty((len(rows), int(np.prod(images.shape[1:]))), dtype=np.uint8)
    step = max(1, 2**23 // flat.shape[1])
    for start in range(0, len(rows), step):
        flat[start : start + step] = images[rows[start : start + step]].reshape(-1, flat.shape[1])
        release_pages(images)
    return flat


def _squared_distances(left: Images, right: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared distances between flat images, (m, p) and (c, p), and how large the sums behind them were.

    Returns:
        float64 (m, c), and float64 (m,): the largest sum of both squared norms of each row.
    """
    band = min(_BAND, max(1, SLAB_BYTES // (4 * max(len(left), len(right)))))
    result = np.zeros((len(left), len(right)))
    left_norms, right_norms = np.zeros(len(left)), np.zeros(len(right))
    for start in range(0, right.shape[1], band):
        theirs = right[:, start : start + band].astype(np.float32)
        centre = np.rint(theirs.mean(axis=0))
        theirs -= centre
        ours = theirs
        if left is not right:
            ours = left[:, start : start + band].astype(np.float32)
            ours -= centre
        # NumPy takes the symmetric product, half the work, where both are the same array.
        product = ours @ theirs.T
        product *= -2
        result += product
        left_norms += np.einsum("ij,ij->i", ours, ours)
        right_norms += np.einsum("ij,ij->i", theirs, theirs)
    result += left_norms[:, None]
    result += right_norms[None]
    return result, left_norms + right_norms.max()


def _settled(images: Images, rows: Rows, asked: Rows, best: _Nearest, k: int) -> Rows:
    """Sort the candidates, ranking in exact whole numbers where float32 cannot tell two of them apart."""
    order = np.lexsort((best.index, best.distance), axis=1)
    distance = np.take_along_axis(best.distance, order, axis=1)
    index = np.take_along_axis(best.index, order, axis=1)
    tolerance = _ROUNDING * best.norm
    close = (np.diff(distance[:, : k + 1], axis=1) <= tolerance[:, None]).any(axis=1)
    for position in np.flatnonzero(close):
        candidates = np.sort(index[position])
        base = images[rows[asked[position]]].reshape(-1)
        exact = [squared_distance(images[rows[one]].reshape(-1), base) for one in candidates]
        index[position] = candidates[np.argsort(exact, kind="stable")]
        release_pages(images)
    return np.ascontiguousarray(index[:, :k])


def squared_distance(one: Images, other: Images) -> int:
    """Squared Euclidean distance of two flat images, uint8 (p,), as an exact whole number."""
    # OpenCV sums whole numbers; what it returns went through a square root and back.
    return round(cv2.norm(one, other, cv2.NORM_L2SQR))
