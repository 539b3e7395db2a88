"""A map of all images: the first two principal components of what describes them, and which lie in a shape.

Principal components need no further dependency and no seed, and a new image never moves the others far. Maps
of neighbour graphs, such as UMAP (McInnes et al. 2018), have neither virtue.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from wbc_core.curation.checks import CHECKS
from wbc_core.curation.measure import EMBEDDING, measured_before
from wbc_core.curation.measures import MEASURES
from wbc_core.curation.scan import FEATURES, scanned_checks, settings_of
from wbc_core.datasets.store import read_dataset
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace

DESCRIPTIONS = (FEATURES, "appearance")
"""Measures that describe an image as a whole, the one to prefer first."""

DRAWN = 20_000
"""Largest number of points that are drawn; a larger set is sampled."""

_LEAST_SPREAD = 1e-9
_PART = 1024


@dataclass(frozen=True, eq=False)
class ImageMap:
    """Where each image lies.

    Attributes:
        measure: The measure that the components come from.
        embedding: Id of the network that stands in for the measure `features`, as in the findings; None for
            the lab's own measure.
        points: float32 (n, 2), in row order, each axis in standard deviations of the first component.
        explained: Share of the variance that each of the two axes shows, 0..1.
        drawn: Rows that are drawn, int64, rising: all, or a seeded sample of `DRAWN`.
    """

    measure: str
    embedding: str | None
    points: NDArray[np.float32]
    explained: tuple[float, float]
    drawn: NDArray[np.int64]


def principal_components(vectors: NDArray[np.floating]) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Project vectors onto their first two principal components, each column scaled to unit variance first.

    Pearson, K. (1901): On lines and planes of closest fit to systems of points in space. Philosophical
    Magazine 2, 559-572. The signs are fixed: the largest weight of each component is positive.

    Args:
        vectors: (n, dimensions), finite; infinite and undefined entries count as the column's mean.

    Returns:
        float32 (n, 2) in standard deviations of the first component, and the share of the variance that each
        component explains.

    Example:
        >>> points, explained = principal_components(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))
        >>> [round(float(x), 3) for x in points[:, 0]], [round(share, 3) for share in explained]
        ([-1.225, 0.0, 1.225], [1.0, 0.0])
    """
    count, width = vectors.shape
    finite = sum(np.isfinite(part).sum(axis=0) for part in _parts(vectors))
    means = sum(part.sum(axis=0) for part in _centred(vectors, np.zeros(width))) / np.maximum(1, finite)
    # BLAS's threads wait for each other in a loop: seconds on a busy machine, over .1 s of work.
    with threadpool_limits(1, user_api="blas"):
        covariance = sum(part.T @ part for part in _centred(vectors, means)) / max(1, count)
        spread = np.sqrt(np.diag(covariance))
        used = np.flatnonzero(spread > _LEAST_SPREAD)
        if not len(used):
            return np.zeros((count, 2), dtype=np.float32), (0.0, 0.0)
        correlation = covariance[np.ix_(used, used)] / np.outer(spread[used], spread[used])
        values, weights = np.linalg.eigh(correlation)
        values, weights = np.maximum(values[::-1][:2], 0), weights[:, ::-1][:, :2]
        weights *= np.sign(weights[np.abs(weights).argmax(axis=0), np.arange(weights.shape[1])])
        axes = np.zeros((width, 2))
        axes[used, : len(values)] = weights / spread[used, None] / np.sqrt(values[0])
        points = np.concatenate([(part @ axes).astype(np.float32) for part in _centred(vectors, means)])
    shares = [*(values / len(used)).tolist(), 0.0][:2]
    return points, (shares[0], shares[1])


def _parts(vectors: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Some rows at a time: a large embedding is never held twice."""
    return (vectors[start : start + _PART] for start in range(0, len(vectors), _PART))


def _centred(vectors: NDArray[np.floating], means: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Some rows at a time less the means, float64; 0 where infinite or undefined."""
    for part in _parts(vectors):
        centred = np.subtract(part, means, dtype=np.float64)
        centred[~np.isfinite(centred)] = 0
        yield centred


def image_map(workspace: Workspace, dataset_id: str, *, seed: int = 0) -> ImageMap | None:
    """Lay out all images of a data set by what an earlier scan measured.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        seed: Of the sample that is drawn of a large set.

    Returns:
        The map; None where no scan has measured what it needs. Nothing is measured here.

    Raises:
        WbcError: No such data set.
    """
    dataset = read_dataset(workspace, dataset_id)
    embedding = embedding_in_use(workspace, dataset.id)
    if embedding is not None:
        # It is kept like a measure, under the name of its network.
        one = replace(MEASURES.get(FEATURES), name=EMBEDDING.format(embedding), version=1)
        arrays = measured_before(workspace, dataset, one)
        if arrays is not None:
            return _laid_out(FEATURES, embedding, arrays[FEATURES], seed)
    for name in DESCRIPTIONS:
        arrays = measured_before(workspace, dataset, MEASURES.get(name)) if name in MEASURES.names() else None
        if arrays is not None:
            return _laid_out(name, None, arrays[name], seed)
    return None


def _laid_out(measure: str, embedding: str | None, vectors: NDArray[np.floating], seed: int) -> ImageMap:
    points, explained = principal_components(vectors)
    drawn = np.arange(len(vectors))
    if len(vectors) > DRAWN:
        drawn = np.sort(np.random.default_rng(seed).choice(len(vectors), DRAWN, replace=False))
    return ImageMap(measure, embedding, points, explained, drawn.astype(np.int64))


def embedding_in_use(workspace: Workspace, dataset_id: str) -> str | None:
    """Id of the network whose features a check's findings were made with; None where none was.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
    """
    for check in scanned_checks(workspace, dataset_id):
        settings = (
            settings_of(workspace, dataset_id, check) if FEATURES in CHECKS.get(check).measures else None
        )
        if settings and settings.get("embedding"):
            return str(settings["embedding"])
    return None


def inside(points: NDArray[np.floating], outline: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which points lie in a closed outline, by the even-odd rule.

    Args:
        points: (n, 2).
        outline: (corners, 2), at least 3 corners; the last is joined to the first.

    Returns:
        bool (n,).

    Raises:
        WbcError: The outline has fewer than 3 corners or a corner is not finite.

    Example:
        >>> inside(np.array([[0.5, 0.5], [2.0, 0.5]]), np.array([[0, 0], [1, 0], [1, 1], [0, 1]])).tolist()
        [True, False]
    """
    corners = np.asarray(outline, dtype=np.float64)
    if corners.ndim != 2 or len(corners) < 3 or corners.shape[1] != 2 or not np.isfinite(corners).all():
        raise WbcError("The outline is no shape.", expected="at least 3 corners", got=f"{corners.shape}")
    x, y = np.asarray(points, dtype=np.float64).T
    found = np.zeros(len(x), dtype=bool)
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    x, y = x[near], y[near]
    odd = np.zeros(len(near), dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 != y2:
            crosses = (y1 > y) != (y2 > y)
            odd ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    found[near] = odd
    return found
