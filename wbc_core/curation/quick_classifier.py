"""What a classifier that never saw an image makes of it: responses for every class, in closed form.

Ridge regression from Gaussian similarities with some hundreds of the images (the Nystroem method of
Williams and Seeger, "Using the Nystroem method to speed up kernel machines", NIPS 2000) to one indicator a
class, whose expected value is the class's probability. The sums that it is solved from are kept a fold of the
images, so that the model without a fold costs a subtraction and one solution of a linear system.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_FOLDS = 5
_LANDMARKS = 800
_NARROWING = 1.4
"""Squared distances are divided by their median over this."""

_RIDGE = 3e-4
"""Penalty, as a share of the mean diagonal of the normal equations."""

_CLIP = 6.0
_BLOCK = 512
_NEWTON_STEPS = 20

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def standardise(features: NDArray[np.floating]) -> FloatArray:
    """Bring features to one scale that a fifth of foreign pictures hardly moves.

    Args:
        features: (n, d), any scale.

    Returns:
        float32 (n, d): distance from the median, in units that make the 10th to the 90th percentile as far
        apart as those of a standard Gaussian; clipped to -6..6.
    """
    # Sorting lines of memory takes less than half as long as np.quantile does.
    ordered = np.array(features.T, order="C")
    ordered.sort(axis=1)
    places = [round(share * (len(features) - 1)) for share in (0.1, 0.5, 0.9)]
    low, centre, high = ordered[:, places].T.astype(np.float32)
    # Where nine tenths are equal, as with the zeros of a network's features, the rest still says something.
    spread = np.maximum((high - low) / np.float32(2.563), features.std(axis=0) * np.float32(0.3))
    spread[spread == 0] = 1.0
    standard: FloatArray = np.subtract(features, centre, dtype=np.float32)
    standard /= spread.astype(np.float32)
    return np.clip(standard, -_CLIP, _CLIP, out=standard)


def _folds(labels: IntArray) -> IntArray:
    """A fold of each image, the classes spread evenly."""
    shuffled = np.random.default_rng(0).permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % _FOLDS
    return fold


class _Similarities:
    """Gaussian similarities of points to landmarks, and a column of ones."""

    def __init__(self, points: FloatArray) -> None:
        chosen = np.random.default_rng(0).choice(len(points), min(_LANDMARKS, len(points)), replace=False)
        self._landmarks = points[np.sort(chosen)]
        self._squares = (self._landmarks**2).sum(axis=1)
        usual = float(np.median(self._distances(self._landmarks[:500])))
        self._scale = np.float32(-_NARROWING / usual if usual > 0 else 0.0)

    def _distances(self, points: FloatArray) -> FloatArray:
        squares = points @ self._landmarks.T
        squares *= np.float32(-2.0)
        squares += (points**2).sum(axis=1)[:, None]
        squares += self._squares
        return squares

    def __call__(self, points: FloatArray) -> FloatArray:
        similarities = np.ones((len(points), len(self._landmarks) + 1), dtype=np.float32)
        distances = self._distances(points)
        distances *= self._scale
        np.exp(distances, out=similarities[:, :-1])
        return similarities


def _blocks(rows: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]


def out_of_fold(features: NDArray[np.floating], labels: NDArray[np.int64], classes: int) -> FloatArray:
    """Responses of classifiers that did not see the image.

    Args:
        features: (n, d), any scale, of at least two distinct pictures; copies of one picture must not be
            among them, or their folds would know each other.
        labels: Class of each, int64 (n,), 0 to `classes` - 1.
        classes: Number of classes.

    Returns:
        float32 (n, classes): about 1 for the class the picture looks like and 0 for the others, not clipped.
        The same input gives the same output.
    """
    points = standardise(features)
    similarities = _Similarities(points)
    folds = [np.flatnonzero(_folds(labels) == number) for number in range(_FOLDS)]
    targets = np.eye(classes, dtype=np.float32)[labels]
    products, sums = [], []
    for fold in folds:
        size = min(_LANDMARKS, len(points)) + 1
        product, total = np.zeros((size, size)), np.zeros((size, classes))
        for rows in _blocks(fold):
            block = similarities(points[rows])
            product += block.T @ block
            total += block.T @ targets[rows]
        products.append(product.astype(np.float32))
        sums.append(total)
    all_products, all_sums = np.zeros((size, size)), sum(sums[1:], sums[0])
    for one in products:
        all_products += one
    responses = np.zeros((len(points), classes), dtype=np.float32)
    for fold, own, total in zip(folds, products, sums, strict=True):
        system = all_products - own
        system.flat[:: len(system) + 1] += _RIDGE * system.trace() / len(system)
        weights = np.linalg.solve(system, all_sums - total).astype(np.float32)
        for rows in _blocks(fold):
            responses[rows] = similarities(points[rows]) @ weights
    return responses


def calibrated(responses: FloatArray, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn responses into probabilities: a common temperature and an offset a class, of maximum likelihood.

    Vector scaling of Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2, with one
    temperature for all classes; by Newton's method, since the likelihood is concave.

    Args:
        responses: float32 (n, classes), of held-out images.
        labels: Their classes, int64 (n,).

    Returns:
        float64 (n, classes), rows that sum to 1.
    """
    count, classes = responses.shape
    values = responses.astype(np.float64)
    targets = np.eye(classes)[labels]
    scale, offsets = 1.0, np.zeros(classes)
    probabilities = _softmax(values)
    for _ in range(_NEWTON_STEPS):
        excess = probabilities - targets
        gradient = np.concatenate([[(excess * values).sum()], excess.sum(axis=0)]) / count
        weighted = probabilities * values
        mean = weighted.sum(axis=1)
        curvature = np.empty((classes + 1, classes + 1))
        curvature[0, 0] = (weighted * values).sum() - (mean**2).sum()
        curvature[0, 1:] = curvature[1:, 0] = (weighted - probabilities * mean[:, None]).sum(axis=0)
        curvature[1:, 1:] = np.diag(probabilities.sum(axis=0)) - probabilities.T @ probabilities
        # The floor keeps steps finite where a common offset, or a class that is not there, changes nothing.
        step = np.linalg.solve(curvature / count + 1e-4 * np.eye(classes + 1), gradient)
        step /= max(1.0, float(np.abs(step).max()) / 2.0)
        scale, offsets = scale - float(step[0]), offsets - step[1:]
        probabilities = _softmax(scale * values + offsets)
        if np.abs(step).max() < 1e-4:
            break
    return probabilities


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    exponents = np.exp(values - values.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities
