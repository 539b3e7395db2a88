"""What is gained when the least certain predictions go to a person: risk, coverage and a reject option."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.intervals import wilson
from wbc_core.evaluation.metrics import Floats, ratio
from wbc_core.records import Json

SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Shares sent to a person that a report lists."""
_POINTS = 100


class RankedErrors:
    """The errors among predictions, the surest first; equal confidences share their errors.

    Args:
        confidence: Probability of the predicted class, floats (n,) in 0..1.
        correct: Whether the prediction is right, (n,) of bool.
    """

    def __init__(self, confidence: npt.ArrayLike, correct: npt.ArrayLike) -> None:
        values, wrong = np.asarray(confidence, dtype=np.float64), ~np.asarray(correct, dtype=bool)
        self._order = np.argsort(-values, kind="stable")
        self._wrong: Floats = wrong[self._order].astype(np.float64)
        _, self._ties = np.unique(-values, return_counts=True)

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """The area under the risk-coverage curve for each column of weights (n, draws): see `aurc`."""
        chosen = weights[self._order]
        total = np.cumsum(chosen, axis=0)
        risk = np.cumsum(chosen * self._errors(chosen), axis=0)
        np.divide(risk, total, out=risk, where=total > 0)
        return {"aurc": ratio((chosen * risk).sum(axis=0), total[-1])}

    def _errors(self, weights: Floats) -> Floats:
        """The error of each image under each column of weights, floats (n, draws) or (n, 1).

        Among equal confidences no order is known: each stands for their mean.
        """
        if len(self._ties) == len(self._wrong):
            return self._wrong[:, None]
        starts = np.cumsum(self._ties) - self._ties
        errors = np.add.reduceat(weights * self._wrong[:, None], starts, axis=0)
        drawn = np.add.reduceat(weights, starts, axis=0)
        np.divide(errors, drawn, out=errors, where=drawn > 0)
        return np.repeat(errors, self._ties, axis=0)

    def curve(self) -> dict[str, list[float]]:
        """The risk-coverage curve at up to 100 coverages, the last of them 1: `coverage` and `risk`, 0..1.

        Risk is the share of errors among the surest predictions that make up the coverage (Geifman &
        El-Yaniv, "Selective classification for deep neural networks", NIPS 2017, equations 1 and 2).
        """
        images = len(self._wrong)
        errors = self._errors(np.ones((images, 1)))[:, 0]
        kept = np.unique(np.ceil(np.arange(1, _POINTS + 1) * images / _POINTS).astype(np.int64))
        kept = kept[kept > 0]
        risk = np.cumsum(errors)[kept - 1] / kept
        return {"coverage": (kept / images).tolist(), "risk": risk.tolist()} if images else _EMPTY


_EMPTY: dict[str, list[float]] = {"coverage": [], "risk": []}


def aurc(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float | None:
    """Area under the risk-coverage curve: the mean over i = 1..n of the risk of the i surest predictions.

    Geifman, Uziel & El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019.
    Lower is better; the order of equal confidences does not matter.

    Args:
        confidence: Probability of the predicted class, floats (n,) in 0..1.
        correct: Whether the prediction is right, (n,) of bool.

    Returns:
        The area in 0..1, or None without predictions.

    Example:
        >>> aurc([0.9, 0.8, 0.7, 0.6], [True, True, True, False])
        0.0625
    """
    images = np.asarray(confidence).size
    return float(RankedErrors(confidence, correct)(np.ones((images, 1)))["aurc"][0]) if images else None


def threshold_for(confidence: npt.ArrayLike, share: float) -> float:
    """The least confidence that is named when at most this share of predictions goes to a person.

    Args:
        confidence: Of the images that the threshold is chosen on (validation), floats (n,).
        share: 0 or more, below 1.

    Returns:
        Predictions with a confidence below it go to a person; 0 where none does.

    Example:
        >>> threshold_for([0.5, 0.9, 0.99, 0.7], 0.25)
        0.7
    """
    values = np.sort(np.asarray(confidence, dtype=np.float64))
    # A share of 0.05 of 100 is 5, which floating point may put just below.
    sent = int(np.floor(share * values.size + 1e-9))
    return float(values[sent]) if 0 < sent < values.size else 0.0


def reject_option(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    chosen_on: npt.ArrayLike,
    shares: Sequence[float] = SHARES,
) -> list[Json]:
    """What becomes of the accuracy when the least certain predictions go to a person.

    Args:
        confidence: Probability of the predicted class, floats (n,) in 0..1, of the images reported on.
        correct: Whether the prediction is right, (n,) of bool.
        chosen_on: Confidences of the images that the thresholds are chosen on: those of validation.
        shares: Shares sent, 0 or more and below 1.

    Returns:
        One entry a share: `share`, `threshold`, then of the images reported on `sent` and `kept` (counts),
        `sent_share`, `errors_sent`, `errors_kept`, and of those kept `accuracy` with Wilson's 95 %
        `accuracy_ci`, None where none is kept.
    """
    values, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=bool)
    entries = []
    for share in shares:
        threshold = threshold_for(chosen_on, share)
        keeps = values >= threshold
        kept, hits = int(keeps.sum()), int(right[keeps].sum())
        interval = wilson(hits, kept)
        entries.append(
            {
                "share": share,
                "threshold": threshold,
                "sent": len(values) - kept,
                "kept": kept,
                "sent_share": (len(values) - kept) / len(values) if len(values) else None,
                "errors_sent": int((~right).sum()) - (kept - hits),
                "errors_kept": kept - hits,
                "accuracy": hits / kept if kept else None,
                "accuracy_ci": list(interval) if interval else None,
            }
        )
    return entries
