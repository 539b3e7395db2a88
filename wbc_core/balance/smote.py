"""SMOTE on images: neighbours by blockwise float32 GEMM, samples as uint8, every draw kept."""

import mmap
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent

Images = NDArray[np.uint8]
Rows = NDArray[np.int64]

BLOCK_BYTES = 32 * 2**20
"""Largest float32 block of images held at once, in bytes; two of them live at a time."""

_SPARE_CANDIDATES = 8
# Rounding of a float32 dot product, relative to the squared norms: sqrt(27,648) * 2^-24, four times over.
_ROUNDING = 4e-5


@dataclass(frozen=True)
class SmoteDraw:
    """What was drawn for each new image, before any pixel is computed.

    Attributes:
        base: Row of the image that the new one starts from, int64 (m,).
        neighbour: Row of its neighbour in the same class, int64 (m,); -1 makes a plain copy of the base.
        factor: How far towards the neighbour, 0..1, float64 (m,).
    """

    base: Rows
    neighbour: Rows
    factor: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.base)

    @classmethod
    def copies(cls, rows: Rows) -> Self:
        """The draw that copies these rows unchanged."""
        rows = np.asarray(rows, dtype=np.int64)
        return cls(rows, np.full(len(rows), -1, dtype=np.int64), np.zeros(len(rows)))

    @classmethod
    def join(cls, draws: list[Self]) -> Self:
        """Put draws one after the other."""
        return cls(
            np.concatenate([draw.base for draw in draws]),
            np.concatenate([draw.neighbour for draw in draws]),
            np.concatenate([draw.factor for draw in draws]),
        )


def release_pages(images: Images) -> None:
    """Give back the memory of the part of a memory-mapped array that was read; it is read anew when needed.

    The system would do so only under pressure, and until then the whole file counts as this process's memory.
    """
    if isinstance(images.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        images.base.madvise(mmap.MADV_DONTNEED)


def nearest_neighbours(images: Images, rows: Rows, k: int, progress: Progress = silent) -> Rows:
    """Find the k nearest images of the same class for each image, by Euclidean distance of the pixels.

    Distances come from ||a||^2 + ||b||^2 - 2ab over pairs of blocks, after the mean image is taken off so
    that float32 keeps its digits. Rows where two distances lie within the rounding are ranked again in
    exact integers, so that the answer does not depend on the machine; equal distances go by position.

    Args:
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Rows of one class, int64 (c,), c > k.
        k: Number of neighbours.
        progress: Told the fraction of block pairs done.

    Returns:
        Positions in `rows`, nearest first, int64 (c, k). An image is never its own neighbour.
    """
    count, pixels = len(rows), int(np.prod(images.shape[1:]))
    block = max(1, BLOCK_BYTES // (4 * pixels))
    starts = range(0, count, block)
    mean = np.rint(_mean_image(images, rows, block)).astype(np.float32)
    norms = np.empty(count)
    best = _Nearest(count, min(count - 1, k + _SPARE_CANDIDATES))
    pairs, done = len(starts) * (len(starts) + 1) // 2, 0
    for first in starts:
        left = _centred(images, rows[first : first + block], mean)
        norms[first : first + block] = np.einsum("ij,ij->i", left, left, dtype=np.float64)
        for second in range(0, first + 1, block):
            right = left if second == first else _centred(images, rows[second : second + block], mean)
            distances = (left @ right.T).astype(np.float64)
            distances *= -2
            distances += norms[first : first + block, None]
            distances += norms[None, second : second + block]
            if first == second:
                np.fill_diagonal(distances, np.inf)
            else:
                best.offer(second, first, distances.T)
            best.offer(first, second, distances)
            done += 1
            progress(done / pairs, "searching neighbours")
    return _settled(images, rows, np.arange(count), best, norms, k)


def neighbours_of(images: Images, rows: Rows, asked: Rows, k: int) -> Rows:
    """Find the neighbours of a few images of a class only: the same answer as for all, in one pass.

    Args:
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Rows of one class, int64 (c,), c > k.
        asked: Positions in `rows`, int64 (m,).
        k: Number of neighbours.

    Returns:
        Positions in `rows`, nearest first, int64 (m, k).
    """
    count, pixels = len(rows), int(np.prod(images.shape[1:]))
    block = max(1, BLOCK_BYTES // (4 * pixels))
    mean = np.rint(images[rows[asked]].reshape(len(asked), -1).mean(axis=0, dtype=np.float64))
    left = _centred(images, rows[asked], mean.astype(np.float32))
    own = np.einsum("ij,ij->i", left, left, dtype=np.float64)
    norms = np.empty(count)
    best = _Nearest(len(asked), min(count - 1, k + _SPARE_CANDIDATES))
    for start in range(0, count, block):
        right = _centred(images, rows[start : start + block], mean.astype(np.float32))
        norms[start : start + block] = np.einsum("ij,ij->i", right, right, dtype=np.float64)
        distances = own[:, None] + norms[None, start : start + block] - 2 * (left @ right.T)
        inside = np.flatnonzero((asked >= start) & (asked < start + len(right)))
        distances[inside, asked[inside] - start] = np.inf
        best.offer(0, start, distances)
    return _settled(images, rows, asked, best, norms, k)


class _Nearest:
    """The nearest candidates seen so far, for every image."""

    def __init__(self, count: int, candidates: int) -> None:
        self.distance = np.full((count, candidates), np.inf)
        self.index = np.full((count, candidates), -1, dtype=np.int64)

    def offer(self, start: int, other: int, distances: NDArray[np.float64]) -> None:
        """Take in the distances from images start.. to images other.., squared."""
        stop, candidates = start + distances.shape[0], self.index.shape[1]
        indices = np.broadcast_to(np.arange(other, other + distances.shape[1]), distances.shape)
        distance = np.concatenate([self.distance[start:stop], distances], axis=1)
        index = np.concatenate([self.index[start:stop], indices], axis=1)
        order = np.argpartition(distance, candidates - 1, axis=1)[:, :candidates]
        self.distance[start:stop] = np.take_along_axis(distance, order, axis=1)
        self.index[start:stop] = np.take_along_axis(index, order, axis=1)


def _centred(images: Images, rows: Rows, mean: NDArray[np.float32]) -> NDArray[np.float32]:
    block = images[rows].reshape(len(rows), -1).astype(np.float32)
    block -= mean
    release_pages(images)
    return block


def _mean_image(images: Images, rows: Rows, block: int) -> NDArray[np.float64]:
    total = np.zeros(int(np.prod(images.shape[1:])))
    for start in range(0, len(rows), block):
        chunk = images[rows[start : start + block]]
        total += chunk.reshape(len(chunk), -1).sum(axis=0, dtype=np.int64)
        release_pages(images)
    return total / len(rows)


def _settled(
    images: Images, rows: Rows, asked: Rows, best: _Nearest, norms: NDArray[np.float64], k: int
) -> Rows:
    """Sort the candidates, ranking in exact integers where float32 cannot tell two of them apart."""
    order = np.lexsort((best.index, best.distance), axis=1)
    distance = np.take_along_axis(best.distance, order, axis=1)
    index = np.take_along_axis(best.index, order, axis=1)
    tolerance = _ROUNDING * (norms[asked] + norms[index].max(axis=1))
    close = (np.diff(distance[:, : k + 1], axis=1) <= tolerance[:, None]).any(axis=1)
    for position in np.flatnonzero(close):
        candidates = np.sort(index[position])
        base = images[rows[asked[position]]].astype(np.int32)
        exact = [int(np.square(images[rows[c]] - base).sum(dtype=np.int64)) for c in candidates]
        index[position] = candidates[np.argsort(exact, kind="stable")]
    return np.ascontiguousarray(index[:, :k])


def draw(
    images: Images,
    rows: Rows,
    count: int,
    generator: np.random.Generator,
    k_neighbors: int = 5,
    progress: Progress = silent,
    first: int | None = None,
) -> SmoteDraw:
    """Draw the parents and factors of new images of one class.

    The rule of Chawla et al. 2002 (SMOTE, JAIR 16, section 4.2) as imbalanced-learn draws it: one of the
    class's (image, neighbour) pairs, each as likely, and a factor uniform in [0, 1).

    Args:
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Rows of one class, int64 (c,).
        count: How many new images.
        generator: Source of the randomness.
        k_neighbors: Neighbours considered; falls to c - 1 in a smaller class.
        progress: Told how far the search for neighbours is.
        first: Return only the first so many of the draw, which spares the search for all the others.

    Raises:
        WbcError: The class has a single image, so that there is no neighbour, or none at all.
    """
    rows = np.asarray(rows, dtype=np.int64)
    if count == 0:
        return SmoteDraw.copies(rows[:0])
    if len(rows) < 2:
        raise WbcError(
            "SMOTE cannot make images for a class of fewer than two.",
            expected="at least 2 train images, better 6 or more",
            got=len(rows),
            fix="Import more images of it, or choose the plan random_over, which copies.",
        )
    k = min(k_neighbors, len(rows) - 1)
    base, rank = np.divmod(generator.integers(0, len(rows) * k, size=count), k)
    factor = generator.random(count)
    if first is None:
        neighbour = nearest_neighbours(images, rows, k, progress)[base, rank]
    else:
        base, rank, factor = base[:first], rank[:first], factor[:first]
        neighbour = neighbours_of(images, rows, base, k)[np.arange(len(base)), rank]
    return SmoteDraw(rows[base], rows[neighbour], factor)


def interpolate(images: Images, drawn: SmoteDraw, start: int, stop: int) -> Images:
    """Compute the images start..stop of a draw: base + factor * (neighbour - base), rounded to even.

    Computed in float64 per pixel, because uint8 differences would wrap round.

    Args:
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        drawn: What was drawn.
        start: First image of the draw.
        stop: One past the last.

    Returns:
        uint8 (stop - start, H, W, 3).

    Example:
        >>> pair = np.array([10, 20], dtype=np.uint8).reshape(2, 1, 1, 1).repeat(3, axis=3)
        >>> drawn = SmoteDraw(np.array([0]), np.array([1]), np.array([0.26]))
        >>> interpolate(pair, drawn, 0, 1).ravel()
        array([13, 13, 13], dtype=uint8)
    """
    result = images[drawn.base[start:stop]]
    for position in np.flatnonzero(drawn.neighbour[start:stop] >= 0):
        neighbour = images[drawn.neighbour[start + position]]
        change = np.subtract(neighbour, result[position], dtype=np.int16) * drawn.factor[start + position]
        result[position] = np.rint(change + result[position])
    return result
