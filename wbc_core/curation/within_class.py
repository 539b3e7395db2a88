"""How unlike its own class a picture is, whatever the classes look like.

Regularised discriminant analysis (Friedman, Journal of the American Statistical Association 84, 1989): every
class has a covariance of its own, drawn towards that of all classes, the more so the fewer pictures it has.
Centres and covariances come from the nearest 60 % of a class, so that the odd pictures of a
class do not make up its norm.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.quick_classifier import standardise

_CORE_SHARE = 0.6
_STEPS = 2
_AXES = 80
_FEWEST = 10
_LEAST_VARIANCE = 1e-3

FloatArray = NDArray[np.float64]


def _core(distances: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray(distances <= np.quantile(distances, _CORE_SHARE), dtype=bool)


def _whitened(points: NDArray[np.float32], members: list[NDArray[np.int64]]) -> FloatArray:
    """Points around their class's median, along axes on which the classes' cores vary by 1 on average."""
    centred = np.zeros_like(points)
    product = np.zeros((points.shape[1], points.shape[1]))
    count = 0
    for rows in members:
        centred[rows] = points[rows] - np.median(points[rows], axis=0)
        core = centred[rows][_core((np.minimum(np.abs(centred[rows]), 3.0) ** 2).mean(axis=1))]
        product += core.T @ core
        count += len(core)
    values, axes = np.linalg.eigh(product / max(1, count))
    values, axes = values[::-1][:_AXES], axes[:, ::-1][:, :_AXES]
    scale = np.sqrt(np.maximum(values, max(_LEAST_VARIANCE * float(values.mean()), 1e-12)))
    return np.asarray(centred @ (axes / scale).astype(np.float32), dtype=np.float64)


def class_distances(
    features: NDArray[np.floating], labels: NDArray[np.int64], fewest: int = _FEWEST
) -> FloatArray:
    """Distance of each picture to the middle of its class over the median distance in that class.

    Args:
        features: (n, d), any scale.
        labels: Class of each, int64 (n,).
        fewest: Smallest class that is judged.

    Returns:
        float64 (n,), about 1 for most pictures; 0 in smaller classes and in those without any variation.
    """
    distances = np.zeros(len(labels))
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    members = [rows for rows in members if len(rows) >= fewest]
    if not members:
        return distances
    points = _whitened(standardise(features), members)
    size = points.shape[1]
    for rows in members:
        own = points[rows]
        squares = (own**2).mean(axis=1)
        for _ in range(_STEPS):
            core = own[_core(squares)]
            centre = core.mean(axis=0)
            covariance = (core - centre).T @ (core - centre) / len(core)
            shared = size / (len(core) + size)
            covariance *= 1 - shared
            covariance.flat[:: size + 1] += (
                shared * max(float(covariance.trace()) / size, 1e-9) / (1 - shared)
            )
            inverse = np.linalg.inv(np.linalg.cholesky(covariance))
            squares = (((own - centre) @ inverse.T) ** 2).mean(axis=1)
        usual = float(np.median(squares))
        distances[rows] = np.sqrt(squares / usual) if usual > 1e-6 else 0.0
    return distances
