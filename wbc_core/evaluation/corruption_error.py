"""The error of a run on shifted images as MedMNIST-C sums it up, with intervals; needs no model.

Di Salvo, Doerrich and Ledig (arXiv 2406.17536): the error is 1 - balanced accuracy; a corruption's error is
the mean over its strengths, the mean corruption error the mean over the corruptions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.evaluation.intervals import NORMAL_QUANTILE, Interval
from wbc_core.evaluation.metrics import Floats, Integers, overall_scores

Cell = tuple[str, int]
"""A shift and its strength."""


@dataclass(frozen=True)
class Relative:
    """A run's errors against those of a baseline run on the same shifted images.

    Attributes:
        cells: Shifts and strengths that both were evaluated on.
        mean_error: Mean corruption error of the run over these.
        baseline_mean_error: The baseline's.
        difference: Run minus baseline, below 0 where the run is better.
        difference_ci: Its 95 % interval, paired by image.
        ratio: BE of MedMNIST-C, the mean over shifts of error / baseline's error; 1 as good as the baseline.
        degradation_ratio: rBE, the same of what each loses against its own clean images.
        undefined: Name of a figure to why it has no value.
    """

    cells: tuple[Cell, ...]
    mean_error: float
    baseline_mean_error: float
    difference: float
    difference_ci: Interval | None
    ratio: float | None
    degradation_ratio: float | None
    undefined: dict[str, str]


def balanced_error(confusion: Sequence[Sequence[int]]) -> float:
    """1 - balanced accuracy of a confusion matrix [true][predicted]; NaN without images.

    Example:
        >>> balanced_error([[8, 2], [3, 1]])
        0.475
    """
    return 1 - float(overall_scores(np.asarray(confusion))["balanced_accuracy"])


def shift_errors(errors: Mapping[Cell, float]) -> dict[str, float]:
    """The error of each shift, the mean over the strengths that are there.

    Example:
        >>> shift_errors({("occlusion", 1): 0.1, ("occlusion", 5): 0.3})
        {'occlusion': 0.2}
    """
    by_shift: dict[str, list[float]] = {}
    for (shift, _), error in errors.items():
        by_shift.setdefault(shift, []).append(error)
    return {shift: float(np.mean(values)) for shift, values in by_shift.items()}


def mean_corruption_error(errors: Mapping[Cell, float]) -> float | None:
    """The mean over shifts of their errors; None where there is none."""
    return float(np.mean(list(shift_errors(errors).values()))) if errors else None


def share_right(right: Mapping[Cell, NDArray[np.bool_]]) -> Floats:
    """How often each image was named right: the mean over shifts of the mean over strengths.

    Args:
        right: For each cell whether each image (n,) was named right, the same images in the same order.

    Returns:
        float64 (n,) in 0..1; its mean within each class, averaged over the classes, is 1 - mean corruption
        error.
    """
    by_shift: dict[str, list[NDArray[np.bool_]]] = {}
    for (shift, _), values in right.items():
        by_shift.setdefault(shift, []).append(values)
    result: Floats = np.mean([np.mean(values, axis=0) for values in by_shift.values()], axis=0)
    return result


def class_mean_interval(values: Floats, labels: Integers) -> tuple[float, Interval | None]:
    """The mean over classes of a figure's mean within the class, with its 95 % interval.

    Images are drawn within their class, so the variance is the sum over the K classes of s_k^2 / n_k, divided
    by K^2 (Cochran, Sampling Techniques, 1977, eq. 5.8), and the interval is the normal one.

    Args:
        values: A figure of each image, floats (n,).
        labels: Classes of the images, integers (n,).

    Returns:
        The mean, and its interval, which is None where a class has but one image.
    """
    groups = [values[labels == label] for label in np.unique(labels)]
    mean = float(np.mean([group.mean() for group in groups]))
    if min(len(group) for group in groups) < 2:
        return mean, None
    variance = sum(group.var(ddof=1) / len(group) for group in groups) / len(groups) ** 2
    margin = NORMAL_QUANTILE * math.sqrt(variance)
    return mean, (mean - margin, mean + margin)


def _ratio(own: Mapping[Cell, float], baseline: Mapping[Cell, float], what: str) -> tuple[float | None, str]:
    ours, theirs = shift_errors(own), shift_errors(baseline)
    if empty := [shift for shift, error in theirs.items() if error <= 0]:
        return None, f"the baseline {what} under {', '.join(empty)}"
    return float(np.mean([ours[shift] / theirs[shift] for shift in ours])), ""


def relative(
    labels: Integers,
    right: Mapping[Cell, NDArray[np.bool_]],
    baseline_right: Mapping[Cell, NDArray[np.bool_]],
    clean_error: float | None,
    baseline_clean_error: float | None,
) -> Relative | None:
    """Compare a run with a baseline on the cells that both were evaluated on.

    Args:
        labels: Classes of the images, integers (n,).
        right: For each cell whether the run named each image (n,) right.
        baseline_right: The same of the baseline, for the same images in the same order.
        clean_error: 1 - balanced accuracy of the run on the images as they are; None where not evaluated.
        baseline_clean_error: The baseline's.

    Returns:
        The comparison; None where they have no cell in common.
    """
    cells = tuple(cell for cell in right if cell in baseline_right)
    if not cells:
        return None
    own = {cell: 1 - class_mean_interval(right[cell].astype(float), labels)[0] for cell in cells}
    base = {cell: 1 - class_mean_interval(baseline_right[cell].astype(float), labels)[0] for cell in cells}
    gap = share_right({cell: baseline_right[cell] for cell in cells})
    gap = gap - share_right({cell: right[cell] for cell in cells})
    difference, ends = class_mean_interval(gap, labels)
    ratio, why = _ratio(own, base, "makes no error")
    undefined = {"ratio": why} if why else {}
    lost, why = None, "one of the two has no report on the images as they are"
    if clean_error is not None and baseline_clean_error is not None:
        lost, why = _ratio(
            {cell: error - clean_error for cell, error in own.items()},
            {cell: error - baseline_clean_error for cell, error in base.items()},
            "loses nothing",
        )
    if why:
        undefined["degradation_ratio"] = why
    means = [float(np.mean(list(shift_errors(errors).values()))) for errors in (own, base)]
    return Relative(cells, means[0], means[1], difference, ends, ratio, lost, undefined)
