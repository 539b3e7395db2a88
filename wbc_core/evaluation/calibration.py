"""Whether a probability means what it says: reliability bins and the expected calibration error."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.intervals import Interval, wilson
from wbc_core.records import Json

Binning = Literal["equal_width", "equal_mass"]
BINNINGS: tuple[Binning, ...] = ("equal_width", "equal_mass")
BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """The predictions whose confidence fell into one bin.

    Attributes:
        low: Lower end of the bin (equal width) or its smallest confidence (equal mass).
        high: Upper end of the bin or its largest confidence.
        images: Number of predictions.
        confidence: Their mean confidence.
        accuracy: The share of them that is right.
        accuracy_ci: Wilson's 95 % interval of that share.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float
    accuracy_ci: Interval


def _bin_numbers(confidence: npt.NDArray[np.float64], bins: int, binning: Binning) -> npt.NDArray[np.intp]:
    if binning == "equal_width":
        # Bins are ((m-1)/M, m/M] as in Guo et al., so that a confidence of exactly 1 is in the last one.
        numbers = np.ceil(confidence * bins).astype(np.intp) - 1
    else:
        # Ties share the bin of their middle rank: the error then does not depend on the images' order.
        _, inverse, counts = np.unique(confidence, return_inverse=True, return_counts=True)
        middle = np.cumsum(counts) - counts / 2
        numbers = (bins * middle / confidence.size).astype(np.intp)[inverse]
    return np.clip(numbers, 0, bins - 1)


def reliability_bins(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS, binning: Binning = "equal_width"
) -> list[ReliabilityBin]:
    """Group predictions by confidence and compare each group's mean confidence with its accuracy.

    Args:
        confidence: Probability of the predicted class, floats (n,) in 0..1.
        correct: Whether the prediction is right, (n,) of bool.
        bins: Number of bins M.
        binning: `equal_width` cuts 0..1 into M equal parts (Guo et al., ICML 2017); `equal_mass` puts about
            n/M predictions into each (Naeini et al., AAAI 2015).

    Returns:
        The bins that hold predictions, by rising confidence.
    """
    values = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct, dtype=bool)
    if not values.size:
        return []
    numbers = _bin_numbers(values, bins, binning)
    table = []
    for number in np.unique(numbers):
        chosen = numbers == number
        images, hits = int(chosen.sum()), int(right[chosen].sum())
        interval = wilson(hits, images)
        inside = values[chosen]
        ends = (int(number) / bins, (int(number) + 1) / bins)
        if binning == "equal_mass":
            ends = (float(inside.min()), float(inside.max()))
        if interval is not None:
            table.append(ReliabilityBin(*ends, images, float(inside.mean()), hits / images, interval))
    return table


def expected_calibration_error(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS, binning: Binning = "equal_width"
) -> float | None:
    """Expected calibration error: sum over bins of (n_m / n) |accuracy_m - confidence_m|.

    Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3 (equal width); Naeini,
    Cooper and Hauskrecht, AAAI 2015 (equal mass).

    Args:
        confidence: Probability of the predicted class, floats (n,) in 0..1.
        correct: Whether the prediction is right, (n,) of bool.
        bins: Number of bins M.
        binning: See `reliability_bins`.

    Returns:
        The error in 0..1, or None without predictions.

    Example:
        >>> expected_calibration_error([0.75, 0.75, 0.75, 0.75], [True, True, True, False])
        0.0
    """
    table = reliability_bins(confidence, correct, bins=bins, binning=binning)
    total = sum(entry.images for entry in table)
    if not total:
        return None
    return sum(entry.images / total * abs(entry.accuracy - entry.confidence) for entry in table)


def reliability_of(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> dict[str, list[Json]]:
    """The bins of `reliability_bins` under both binnings, as plain JSON types."""
    return {
        binning: [
            asdict(entry) | {"accuracy_ci": list(entry.accuracy_ci)}
            for entry in reliability_bins(confidence, correct, binning=binning)
        ]
        for binning in BINNINGS
    }
