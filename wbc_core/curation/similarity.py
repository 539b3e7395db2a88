"""Pairs of images that may show the same picture, found without comparing every pair.

Two sieves before anything is read from the pictures themselves:

1. Every picture becomes a short vector that flips and quarter turns do not change. The directions in which
   crops, JPEG, brightness, resizing and noise move it are learnt from the set's own images and divided out
   (within-class whitening, as in Fisher's discriminant); then nearest neighbours are looked up.
2. The eight symmetries of the square are signs and a transposition of a cosine transform: the best of them
   is taken, and with it the two-sided tangent distance of Simard, LeCun and Denker, "Efficient pattern
   recognition using a new transformation distance", NIPS 1992: both may shift and scale, to first order.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from wbc_core.curation.alteration import altered
from wbc_core.curation.measure import Measurements, chunk_size, measure_chunk
from wbc_core.curation.measures.appearance import APPEARANCE
from wbc_core.curation.measures.thumbnails import THUMBNAIL, THUMBNAILS
from wbc_core.curation.nearest import DIMENSIONS, nearest_pairs, whole_numbers
from wbc_core.curation.pair_loops import sieve_pairs
from wbc_core.curation.spread import over_threads
from wbc_core.datasets.store import release_pages

SYMMETRIES = (
    "as it is",
    "mirrored left to right",
    "mirrored top to bottom",
    "turned by 180 degrees",
    "mirrored along the diagonal",
    "turned by 90 degrees clockwise",
    "turned by 90 degrees counterclockwise",
    "mirrored along the other diagonal",
)
"""Symmetry number 4 t + 2 v + h transposes if t, then mirrors top to bottom if v, left to right if h."""

INVERSES = (0, 1, 2, 3, 4, 6, 5, 7)
"""Number of the symmetry that undoes each."""

NEIGHBOURS = 8
"""How many neighbours of each picture are looked at."""

_ORDER = 6
_TANGENTS = 3
_UNIT = 0.25
_FARTHEST = 24.0
_LEARNT_FROM = 512
_LEAST_CORRELATION = 0.7
_RIVAL = 0.05
_RIVALS_TRIED_BELOW = 0.35
_LARGEST_DISTANCE = 0.2
_RIDGE = 1e-3
_BLOCK = 2048
_THUMBNAILS_BLOCK = 256
_ALL_COMPARED = 200
"""So few pictures are sieved pair by pair: sooner than what copies do to them is learnt."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Candidate rows: `second`, put through `symmetry` (index into `SYMMETRIES`), may be `first`.

    `distance` is their tangent distance, from 0 (the same) to the square root of 2 (nothing in common).
    """

    first: IntArray
    second: IntArray
    symmetry: IntArray
    distance: FloatArray


def apply_symmetry(array: NDArray[np.generic], symmetry: int) -> NDArray[np.generic]:
    """Transpose and mirror a picture (height, width, ..) as `SYMMETRIES[symmetry]` says."""
    turned = array.swapaxes(0, 1) if symmetry & 4 else array
    turned = turned[::-1] if symmetry & 2 else turned
    return turned[:, ::-1] if symmetry & 1 else turned


def _operators() -> FloatArray:
    """What turns a thumbnail into the low frequencies of itself and of its changes, float32 (1024, 4 * 36).

    The columns are the cosine transform (type II) without the mean; the same of the derivatives across and
    down; and of the change under scaling. They are rounded to whole 64ths of the largest, so that their
    products with whole grey levels add up exactly in float32, whatever the order.
    """
    position = np.arange(THUMBNAIL)
    waves = np.cos(np.pi * (position[None] + 0.5) * np.arange(_ORDER)[:, None] / THUMBNAIL)
    waves[0] /= np.sqrt(2)
    slope = np.gradient(np.eye(THUMBNAIL), axis=0)  # Row i: the derivative at i of a row of pixels.
    place = (position - (THUMBNAIL - 1) / 2) / (THUMBNAIL / 2)
    moved, scaled = waves @ slope, (waves * place) @ slope
    groups = (
        [(waves, waves)],
        [(waves, moved)],
        [(moved, waves)],
        [(waves, scaled), (scaled, waves)],
    )
    columns = []
    for group in groups:
        operator = sum(np.einsum("uy,vx->yxuv", down, across) for down, across in group)
        operator = np.asarray(operator).reshape(THUMBNAIL**2, _ORDER**2)
        operator[:, 0] = 0.0
        columns.append(np.rint(64 * operator / np.abs(operator).max()))
    return np.concatenate(columns, axis=1).astype(np.float32)


def _layouts(thumbnails: NDArray[np.uint8]) -> FloatArray:
    """Low frequencies of pictures and of their changes, of the pictures' own length 1: (n, 4, 6, 6)."""
    operators = _operators()

    def transform(block: NDArray[np.uint8]) -> FloatArray:
        centred = block.reshape(len(block), -1).astype(np.float32) - 128
        layout = (centred @ operators).reshape(len(block), 1 + _TANGENTS, -1)
        # Half a grey level of the lowest frequency keeps a flat picture's noise from filling the unit length.
        layout /= np.sqrt((layout**2).sum(axis=2))[:, :, None] + 64 * THUMBNAIL**2 / 8
        return layout.reshape(len(block), 1 + _TANGENTS, _ORDER, _ORDER)

    starts = range(0, len(thumbnails), _THUMBNAILS_BLOCK)
    blocks = [thumbnails[start : start + _THUMBNAILS_BLOCK] for start in starts]
    return np.concatenate(list(over_threads(transform, blocks)))


def _invariants(features: FloatArray, layouts: FloatArray) -> NDArray[np.float64]:
    """Colour, edges and the shape of the lowest frequencies, the same for all eight symmetries."""
    spectrum = layouts[:, 0].astype(np.float64)
    rows, columns = (index[1:] for index in np.triu_indices(_ORDER))
    one, other = spectrum[:, rows, columns], spectrum[:, columns, rows]
    # A mirror changes the sign of odd frequencies, a transposition swaps the two: what is left unchanged
    # are sums and differences, without their signs where these may change.
    odd, mixed = (rows % 2 == 1) & (columns % 2 == 1), (rows + columns) % 2 == 1
    one, other = np.where(mixed, np.abs(one), one), np.where(mixed, np.abs(other), other)
    total = np.where(odd, np.abs(one + other), one + other)
    return np.concatenate([features, total, np.abs(one - other)[:, rows != columns]], axis=1)


def _learn_noise(
    images: NDArray[np.uint8], rows: IntArray, invariants: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Whitening matrix of what sloppy copies do to invariants, which were divided by their scale."""
    chosen = np.random.default_rng(0).choice(len(rows), size=_LEARNT_FROM, replace=True)

    def copy(turn: int) -> NDArray[np.uint8]:
        return altered(np.array(images[rows[chosen[turn]]]), np.random.default_rng((0, turn)))

    # Few at a time: each that is read brings its neighbours in the file into memory.
    size = min(64, chunk_size(images.shape[1:]))
    parts = []
    for start in range(0, _LEARNT_FROM, size):
        copies = np.stack(list(over_threads(copy, range(start, min(start + size, _LEARNT_FROM)))))
        parts.append(measure_chunk((APPEARANCE, THUMBNAILS), copies))
        release_pages(images)
    features, thumbnails = (
        np.concatenate([part[name] for part in parts]) for name in ("appearance", "thumbnails")
    )
    moved = _invariants(features, _layouts(thumbnails))
    noise = moved / scale - invariants[chosen]
    covariance = noise.T @ noise / len(noise)
    covariance += np.eye(len(covariance)) * (1e-3 * np.trace(covariance) / len(covariance) + 1e-9)
    values, axes = np.linalg.eigh(covariance)
    whitening: NDArray[np.float64] = axes / np.sqrt(values)
    return whitening


def _sieve(layouts: FloatArray, pairs: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Which of some pairs of positions (m, 2) pass, with their symmetries and distances."""
    symmetry, distance = np.empty(len(pairs), dtype=np.int64), np.empty(len(pairs), dtype=np.float32)
    limits = (_LEAST_CORRELATION, _RIVAL, _RIVALS_TRIED_BELOW, _RIDGE)
    sieve_pairs(layouts, pairs, *limits, symmetry, distance)
    near = distance <= _LARGEST_DISTANCE
    return pairs[near], symmetry[near], distance[near]


def may_show(image: NDArray[np.uint8], others: NDArray[np.uint8]) -> Pairs:
    """Those of a few images that may show the same picture as one, judged by their layouts alone.

    Args:
        image: uint8 (height, width, 3).
        others: uint8 (n, height, width, 3).

    Returns:
        Pairs of which `first` is 0 and `second` is 1 + the position in `others`.
    """
    thumbnails = measure_chunk((THUMBNAILS,), np.concatenate([image[None], others]))["thumbnails"]
    pairs = np.stack([np.zeros(len(others), np.int64), np.arange(1, len(others) + 1)], axis=1)
    with threadpool_limits(1, user_api="blas"):
        near, symmetry, distance = _sieve(_layouts(thumbnails), pairs)
    return Pairs(near[:, 0], near[:, 1], symmetry, distance)


class Similarity:
    """What tells near which pictures of a data set lie.

    Args:
        measurements: What was measured: `appearance` and `thumbnails`.
        images: The images, uint8 (n, height, width, 3); a few hundred are read.
        rows: Rows of distinct pictures, rising.
    """

    def __init__(self, measurements: Measurements, images: NDArray[np.uint8], rows: IntArray) -> None:
        self.rows = rows
        self._features, self._images = measurements["appearance"][rows], images
        with threadpool_limits(1, user_api="blas"):
            self._layouts = _layouts(measurements["thumbnails"][rows])

    @cached_property
    def descriptors(self) -> FloatArray:
        """Whole numbers, near each other for copies, float32 (n, up to 24), those that tell most first.

        One unit is a quarter of the standard deviation by which a sloppy copy moves.
        """
        with threadpool_limits(1, user_api="blas"):
            invariants = _invariants(self._features, self._layouts)
            scale = invariants.std(axis=0) + 1e-6
            invariants /= scale
            whitened = invariants @ _learn_noise(self._images, self.rows, invariants, scale)
            whitened -= whitened.mean(axis=0)
            _, axes = np.linalg.eigh(whitened.T @ whitened)
            return whole_numbers(whitened @ axes[:, ::-1][:, :DIMENSIONS], _UNIT)

    def near(self, among: IntArray | None = None) -> Pairs:
        """Find the pairs that deserve a look at their pixels, of many pictures without comparing every pair.

        Args:
            among: Only these of the rows, rising; all where None.

        Returns:
            Pairs of neighbours that pass `sieve`, the same whatever the number of threads. About 200 pairs of
            12,000 unlike blood cells do, and 99 in 100 of sloppy copies.
        """
        positions = np.arange(len(self.rows)) if among is None else np.searchsorted(self.rows, among)
        if len(positions) <= _ALL_COMPARED:
            return self._passing(positions[np.stack(np.triu_indices(len(positions), 1), axis=1)])
        near = nearest_pairs(self.descriptors[positions], NEIGHBOURS, _FARTHEST / _UNIT)
        return self._passing(positions[near])

    def sieve(self, first: IntArray, second: IntArray) -> Pairs:
        """Those of some pairs of rows that may show the same picture, judged by their layouts alone."""
        return self._passing(np.searchsorted(self.rows, np.stack([first, second], axis=1)))

    def _passing(self, pairs: IntArray) -> Pairs:
        blocks = [pairs[start : start + _BLOCK] for start in range(0, max(1, len(pairs)), _BLOCK)]
        with threadpool_limits(1, user_api="blas"):
            passed = list(over_threads(lambda block: _sieve(self._layouts, block), blocks))
        near, symmetry, distance = (np.concatenate(parts) for parts in zip(*passed, strict=True))
        return Pairs(self.rows[near[:, 0]], self.rows[near[:, 1]], symmetry, distance)
