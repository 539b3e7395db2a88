"""Every figure of a report from one sum over the images, so that any weights of the images give it too.

A bootstrap draw says how often each image was drawn: it is a weighting. All figures follow from weighted sums
over images, so 2,000 draws are one product of a sparse matrix, built once, with the draws' weights.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from wbc_core.evaluation.metrics import (
    Floats,
    Integers,
    class_scores,
    image_losses,
    mean_over_classes,
    overall_scores,
    ratio,
)
from wbc_core.evaluation.resampling import stratified_weights

Figures = Callable[[Floats], dict[str, Floats]]
"""From weights of the images (n, draws) to figures whose first axis is the draws."""


class _Ranking:
    """One class against the rest, its images sorted by their probability of it once and for all.

    The rows of `matrix` (rows, n) sum, for each distinct probability that an image of the class has, highest
    first: the class's own images with it; the others from it up to the next higher; the others with it
    exactly (ties), only where there are any.
    """

    def __init__(self, own: npt.NDArray[np.bool_], chances: Floats) -> None:
        levels = -np.unique(-chances[own])
        place = np.searchsorted(-levels, -chances)
        self.levels = len(levels)
        hits, others = np.flatnonzero(own), np.flatnonzero(~own & (place < self.levels))
        tied = others[chances[others] == levels[place[others]]]
        self.tied_levels, tie_place = np.unique(place[tied], return_inverse=True)
        rows = np.concatenate(
            [place[hits], self.levels + place[others], 2 * self.levels + tie_place.astype(np.intp)]
        )
        columns = np.concatenate([hits, others, tied])
        shape = (2 * self.levels + len(self.tied_levels), len(own))
        self.matrix = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)

    def areas(self, sums: Floats, total: Floats) -> tuple[Floats, Floats]:
        """AUC and average precision (draws,) from the sums (rows, draws) and the weight of all images."""
        own, others = sums[: self.levels], sums[self.levels : 2 * self.levels]
        own_above, others_above = np.cumsum(own, axis=0), np.cumsum(others, axis=0)
        support = own.sum(axis=0)
        wrongly_ordered = (own * others_above).sum(axis=0)
        # A tied pair is ordered half rightly, half wrongly.
        wrongly_ordered -= (own[self.tied_levels] * sums[2 * self.levels :]).sum(axis=0) / 2
        auc = 1 - ratio(wrongly_ordered, support * (total - support))
        # Where nothing is above, `own` is 0 too.
        above = own_above + others_above
        above += above == 0
        return auc, ratio((own * own_above / above).sum(axis=0), support)


class WeightedFigures:
    """The figures of one table of predictions, for any weights of its images.

    Args:
        labels: True labels, integers (n,) in 0..K-1.
        probabilities: Floats (n, K), rows summing to 1; the predicted class is the most probable one, the
            first of them where two are equal.

    Example:
        >>> figures = WeightedFigures(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))
        >>> each_once = figures(np.ones((3, 1)))
        >>> each_once["auc"].tolist(), each_once["average_precision"].tolist()
        ([[1.0, 1.0]], [[1.0, 1.0]])
    """

    def __init__(self, labels: Integers, probabilities: Floats) -> None:
        images, self._classes = probabilities.shape
        cells = labels * self._classes + probabilities.argmax(axis=1)
        everything = np.arange(images)
        shape = (self._classes**2, images)
        losses = image_losses(labels, probabilities)
        self._rankings = [_Ranking(labels == k, probabilities[:, k]) for k in range(self._classes)]
        self._losses = tuple(losses)
        self._matrix = sparse.vstack(
            [
                sparse.csr_array((np.ones(images), (cells, everything)), shape=shape),
                sparse.csr_array(np.stack(list(losses.values()))),
                *(ranking.matrix for ranking in self._rankings),
            ],
            format="csr",
        )

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """Compute every figure for each column of weights.

        Args:
            weights: Floats (n, draws), 0 or more: how often each image counts.

        Returns:
            Of the whole, (draws,): those of `overall_scores`, `log_loss`, `brier_score`, `macro_auc` and
            `macro_average_precision`. Of each class, (draws, K): those of `class_scores`, `auc` (the chance
            that an image of the class has a higher probability of it than one of the rest, ties counting
            half; Hanley & McNeil, Radiology 143, 1982) and `average_precision` (mean over the class's images
            of the precision at their rank, ties sharing one rank). NaN where undefined.
        """
        sums = np.asarray(self._matrix @ weights)
        draws, first = weights.shape[1], self._classes**2
        confusion = sums[:first].T.reshape(draws, self._classes, self._classes)
        total = confusion.sum(axis=-1).sum(axis=-1)
        figures = overall_scores(confusion)
        for name in self._losses:
            figures[name] = ratio(sums[first], total)
            first += 1
        auc, precision = np.empty((2, draws, self._classes))
        for k, ranking in enumerate(self._rankings):
            rows = ranking.matrix.shape[0]
            auc[:, k], precision[:, k] = ranking.areas(sums[first : first + rows], total)
            first += rows
        of_classes = class_scores(confusion) | {"auc": auc, "average_precision": precision}
        means = {
            f"macro_{name}": mean_over_classes(of_classes[name]) for name in ("auc", "average_precision")
        }
        return figures | means | of_classes


def bootstrap_figures(
    labels: Integers, figures: Figures, generator: np.random.Generator, draws: int
) -> dict[str, Floats]:
    """Draw images with replacement within their true class, and compute every figure of each draw.

    Args:
        labels: True labels, integers (n,).
        figures: The figures of these images: `WeightedFigures`, or any others that follow from weights.
        generator: Source of randomness; the same seed gives the same draws.
        draws: Number of bootstrap draws.

    Returns:
        As `figures` gives them, for all draws.
    """
    parts = [figures(weights) for weights in stratified_weights(labels, generator, draws)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
