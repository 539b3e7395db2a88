"""A bootstrap whose draws all classifiers share: how often each image was drawn, and scores of such draws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.intervals import DRAWS, Interval, percentile_interval
from wbc_core.evaluation.metrics import Floats, Integers, defined, f1_of_counts, mean_over_classes, ratio

_BLOCK = 2**18
"""Weights in one block: what stays in a processor's cache while its figures are computed."""
_LEAST_DRAWS = 16


def stratified_weights(labels: Integers, generator: np.random.Generator, draws: int) -> Iterator[Floats]:
    """Draw images with replacement within their true class, and say how often each was drawn.

    Stratified, so that every draw has the classes' own sizes (Efron & Tibshirani, An introduction to the
    bootstrap, 1993, ch. 13; Davison & Hinkley, Bootstrap methods, 1997, ch. 3).

    Args:
        labels: True labels, integers (n,).
        generator: Source of randomness; the same seed and labels give the same weights.
        draws: Number of bootstrap draws.

    Yields:
        Blocks (n, some draws) of whole numbers, as floats; `draws` columns in all.

    Example:
        >>> blocks = list(stratified_weights(np.array([0, 0, 1]), np.random.default_rng(0), 5))
        >>> [block.sum(axis=0).tolist() for block in blocks], blocks[0][2].tolist()
        ([[3.0, 3.0, 3.0, 3.0, 3.0]], [1.0, 1.0, 1.0, 1.0, 1.0])
    """
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    block = max(_LEAST_DRAWS, _BLOCK // max(1, len(labels)))
    for start in range(0, draws, block):
        count = min(block, draws - start)
        weights = np.empty((len(labels), count))
        for rows in classes:
            drawn = generator.integers(0, len(rows), (count, len(rows)))
            cells = drawn * count + np.arange(count)[:, None]
            weights[rows] = np.bincount(cells.ravel(), minlength=len(rows) * count).reshape(-1, count)
        yield weights


@dataclass(frozen=True)
class PairedDifference:
    """Second minus first, as shares, with 95 % percentile intervals; None where undefined."""

    accuracy: float | None
    accuracy_ci: Interval | None
    macro_f1: float | None
    macro_f1_ci: Interval | None

    def turned(self) -> "PairedDifference":
        """First minus second."""
        return PairedDifference(
            None if self.accuracy is None else 0.0 - self.accuracy,
            _turned(self.accuracy_ci),
            None if self.macro_f1 is None else 0.0 - self.macro_f1,
            _turned(self.macro_f1_ci),
        )


def _turned(interval: Interval | None) -> Interval | None:
    return None if interval is None else (0.0 - interval[1], 0.0 - interval[0])


@dataclass(frozen=True)
class ResampledScores:
    """Scores of several classifiers on the same images, in 0..1; NaN where undefined.

    Attributes:
        accuracy: Floats (classifiers, 1 + draws): on the images themselves, then on each draw.
        macro_f1: Macro-F1, likewise.
    """

    accuracy: Floats
    macro_f1: Floats

    def difference(self, first: Sequence[int], second: Sequence[int]) -> PairedDifference:
        """The mean score of some classifiers minus that of others, on the same images of every draw.

        Args:
            first: Places of the classifiers that are subtracted: one, or the seeds of one way of training.
            second: Places of those that they are subtracted from.
        """
        accuracy, macro = (
            scores[list(second)].mean(axis=0) - scores[list(first)].mean(axis=0)
            for scores in (self.accuracy, self.macro_f1)
        )
        return PairedDifference(
            accuracy=defined(accuracy[0]),
            accuracy_ci=percentile_interval(accuracy[1:]),
            macro_f1=defined(macro[0]),
            macro_f1_ci=percentile_interval(macro[1:]),
        )


def resampled_scores(
    true: npt.ArrayLike,
    predicted: npt.ArrayLike,
    classes: int,
    generator: np.random.Generator,
    draws: int = DRAWS,
) -> ResampledScores:
    """Score classifiers on the same bootstrap draws, so that any two of them can be compared in pairs.

    A draw weighs the images; hits and predictions of each class are weighted sums over images, so that all
    classifiers and many draws are one product of matrices. The draws depend on the labels alone: what a
    classifier scores on them does not depend on which others are compared.

    Args:
        true: Labels, integers (n,) in 0..classes-1.
        predicted: Predictions of each classifier for these images, integers (classifiers, n).
        classes: Number of classes K.
        generator: Source of randomness; the same seed gives the same draws.
        draws: Number of bootstrap draws.

    Example:
        >>> scores = resampled_scores([0, 0, 1], [[0, 0, 1], [0, 1, 1]], 2, np.random.default_rng(0))
        >>> scores.accuracy.shape, scores.accuracy[:, 0].round(3).tolist()
        ((2, 2001), [1.0, 0.667])
    """
    labels, tables = np.asarray(true, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    named = tables[:, None, :] == np.arange(classes)[None, :, None]
    hit = named & (labels == np.arange(classes)[:, None])
    # Sums of whole numbers below 2^24 are exact in float32, so that no order of summing changes them.
    indicators = np.concatenate([hit, named], axis=1).astype(np.float32)
    indicators = indicators.reshape(2 * classes * len(tables), len(labels))
    blocks = [np.ones((len(labels), 1)), *stratified_weights(labels, generator, draws)]
    sums = np.concatenate([indicators @ weights.astype(np.float32) for weights in blocks], axis=1)
    hits, predictions = sums.astype(np.float64).reshape(len(tables), 2, classes, -1).transpose(1, 0, 3, 2)
    support = np.bincount(labels, minlength=classes)
    return ResampledScores(
        accuracy=ratio(hits.sum(axis=-1), np.full(hits.shape[:-1], len(labels))),
        macro_f1=mean_over_classes(f1_of_counts(hits, support, predictions)),
    )
