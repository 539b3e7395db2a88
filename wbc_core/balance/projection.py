"""Images as points: the principal components of their coarse pixels, for neighbours, realism and the map."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from wbc_core.balance.neighbours import Images, Rows, Vectors, VectorSpace, gather
from wbc_core.balance.smote import SmoteDraw, interpolate

SIDE = 16
"""Images are averaged to so many squares a side before anything else."""
DIMENSIONS = 48
"""Principal components kept; on blood cells at 96 px they hold 87 % of the squares' variance."""
_CHUNK = 512


@dataclass(frozen=True, eq=False)
class Projection:
    """A linear map from images to points, learnt from real images only (PCA, Pearson 1901).

    Attributes:
        mean: Mean of the coarse images, float64 (SIDE * SIDE * 3,).
        components: Principal components by falling variance, float64 (d, SIDE * SIDE * 3).
        explained: Share of the variance that each holds, 0..1, float64 (d,).
    """

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    explained: NDArray[np.float64]

    def __call__(self, images: Images) -> Vectors:
        """Project images, uint8 (n, H, W, 3), to points, float32 (n, d), in grey levels."""
        points = (_coarse(images) - self.mean) @ self.components.T
        return points.astype(np.float32)


def _coarse(images: Images) -> NDArray[np.float64]:
    """Mean colour of SIDE x SIDE squares, float64 (n, SIDE * SIDE * 3)."""
    squares = [
        cv2.resize(image.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in images
    ]
    return np.stack(squares).reshape(len(images), -1).astype(np.float64)


def learn_projection(images: Images, rows: Rows, dimensions: int = DIMENSIONS) -> Projection:
    """Learn a projection from some images of a data set.

    Args:
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Which to learn from, int64 (m,), at least one: the train part, never what is held out.
        dimensions: Principal components to keep; at most SIDE * SIDE * 3.

    Returns:
        The projection. Each component's largest entry is positive, so that the same images give the same one.
    """
    size = SIDE * SIDE * 3
    total, products, count = np.zeros(size), np.zeros((size, size)), len(rows)
    for chunk in np.array_split(rows, -(-count // _CHUNK)):
        squares = _coarse(gather(images, chunk).reshape(len(chunk), *images.shape[1:])) - 128.0
        total += squares.sum(axis=0)
        products += squares.T @ squares
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    # More threads wait for each other in a loop: on a busy machine that takes 30 s instead of 0.1 s.
    with threadpool_limits(1, user_api="blas"):
        values, vectors = eigh(covariance, subset_by_index=(size - dimensions, size - 1))
    values, components = values[::-1], vectors.T[::-1]
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    return Projection(
        mean + 128.0,
        components * np.where(largest < 0, -1.0, 1.0),
        np.maximum(values, 0) / max(np.trace(covariance), np.finfo(float).tiny),
    )


def projected(images: Images, rows: Rows, projection: Projection) -> Vectors:
    """Project some images of a data set, in chunks: float32 (m, d)."""
    points = np.empty((len(rows), len(projection.components)), dtype=np.float32)
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        pictures = gather(images, chunk).reshape(len(chunk), *images.shape[1:])
        points[start : start + len(chunk)] = projection(pictures)
    return points


def feature_space(images: Images, rows: Rows) -> VectorSpace:
    """The space of `neighbours: features`: the projection learnt from these rows, the train part.

    Args:
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Every train row, int64 (m,); no other has a place in the space.
    """
    rows = np.sort(rows)
    points = projected(images, rows, learn_projection(images, rows))
    vectors = np.full((len(images), points.shape[1]), np.nan, dtype=np.float32)
    vectors[rows] = points
    return VectorSpace(vectors)


def sample(rows: Rows, count: int, seed: int) -> Rows:
    """At most so many of some rows, drawn without replacement, rising.

    Args:
        rows: Rows, int64 (m,).
        count: How many at most.
        seed: Seed of the draw.
    """
    if len(rows) <= count:
        return np.sort(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, count, replace=False))


@dataclass(frozen=True, eq=False)
class Map:
    """Real and synthetic images of one class in one plane.

    Attributes:
        real: Points of the real images, float32 (m, 2).
        synthetic: Points of the synthetic ones, float32 (s, 2), on the segments between their parents.
        explained: Share of the real images' variance that each axis holds, 0..1.
    """

    real: Vectors
    synthetic: Vectors
    explained: tuple[float, float]


def map_of(images: Images, rows: Rows, drawn: SmoteDraw) -> Map:
    """Place real images and what was drawn from them in the plane of the real ones' two main components.

    Args:
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Rows of the real images, int64 (m,), at least one.
        drawn: What was drawn; its pictures are computed and projected like the real ones.
    """
    projection = learn_projection(images, rows, 2)
    points = np.empty((len(drawn), 2), dtype=np.float32)
    for start in range(0, len(drawn), _CHUNK):
        stop = min(len(drawn), start + _CHUNK)
        points[start:stop] = projection(interpolate(images, drawn, start, stop))
    first, second = projection.explained[:2]
    return Map(projected(images, rows, projection), points, (float(first), float(second)))
