"""What a classifier got right: the confusion matrix and every score that is read off it, in plain NumPy.

A score whose denominator is zero is undefined: it comes back as `None` and never as 0, because "no image was
predicted as this class" and "every such prediction was wrong" are different findings.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from wbc_core.errors import WbcError

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def confusion_matrix(true: npt.ArrayLike, predicted: npt.ArrayLike, classes: int) -> Integers:
    """Count how often each class was taken for each other.

    Args:
        true: Labels, integers (n,) in 0..classes-1.
        predicted: Predicted labels, likewise.
        classes: Number of classes.

    Returns:
        Integers (classes, classes); entry [i, j] counts the images of class i that were predicted as j.

    Raises:
        WbcError: The two differ in length, or a label is outside 0..classes-1.

    Example:
        >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
        [[1, 1], [0, 1]]
    """
    rows, columns = np.asarray(true, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if rows.shape != columns.shape or rows.ndim != 1:
        raise WbcError(
            "Labels and predictions do not belong together.",
            expected="two lists of equal length",
            got=f"shapes {rows.shape} and {columns.shape}",
        )
    for labels in (rows, columns):
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            raise WbcError(
                "A label names no class.",
                expected=f"integers from 0 to {classes - 1}",
                got=f"{labels.min()} to {labels.max()}",
            )
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScores:
    """How well one class is recognised; a score is None where it is undefined.

    Attributes:
        support: Images of this class.
        predicted: Images that were predicted as this class.
        hits: Images of this class that were predicted as it (true positives).
        rest: Images of the other classes.
        precision: hits / predicted.
        recall: hits / support (sensitivity).
        specificity: Share of the other classes' images that were not predicted as this one.
        f1: 2 hits / (support + predicted), the harmonic mean of precision and recall.
        undefined: Why, for each score that is None.
    """

    support: int
    predicted: int
    hits: int
    rest: int
    precision: float | None
    recall: float | None
    specificity: float | None
    f1: float | None
    undefined: dict[str, str] = field(default_factory=dict)


def _share(part: float, whole: float) -> float | None:
    return float(part) / float(whole) if whole else None


def per_class(confusion: Integers) -> list[ClassScores]:
    """Read precision, recall, specificity and F1 of every class off a confusion matrix.

    Args:
        confusion: Integers (K, K), [true][predicted].

    Returns:
        One `ClassScores` a class, in class order.

    Example:
        >>> scores = per_class(np.array([[3, 0, 0], [1, 2, 0], [0, 0, 0]]))
        >>> scores[0].precision, scores[2].f1, scores[2].undefined["recall"]
        (0.75, None, 'no image has this class')
    """
    matrix = np.asarray(confusion)
    total = int(matrix.sum())
    scores = []
    for index in range(len(matrix)):
        hits, support, predicted = (
            int(value) for value in (matrix[index, index], matrix[index].sum(), matrix[:, index].sum())
        )
        rest = total - support
        reasons = {
            "precision": None if predicted else "no image was predicted as this class",
            "recall": None if support else "no image has this class",
            "specificity": None if rest else "every image has this class",
            "f1": None if support + predicted else "no image has this class or was predicted as it",
        }
        scores.append(
            ClassScores(
                support=support,
                predicted=predicted,
                hits=hits,
                rest=rest,
                precision=_share(hits, predicted),
                recall=_share(hits, support),
                specificity=_share(rest - (predicted - hits), rest),
                f1=_share(2 * hits, support + predicted),
                undefined={name: reason for name, reason in reasons.items() if reason},
            )
        )
    return scores


def _mean_defined(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def accuracy(confusion: Integers) -> float | None:
    """Share of images whose class was named: trace(C) / sum(C). None without images."""
    return _share(int(np.trace(confusion)), int(np.sum(confusion)))


def macro_f1(confusion: Integers) -> float | None:
    """Mean of the classes' F1, each class counting once; classes where F1 is undefined are left out.

    Example:
        >>> macro_f1(np.array([[3, 0, 0], [1, 2, 0], [0, 0, 0]])) == (6 / 7 + 4 / 5) / 2
        True
    """
    return _mean_defined([scores.f1 for scores in per_class(confusion)])


def balanced_accuracy(confusion: Integers) -> float | None:
    """Mean of the classes' recall over the classes that have images (Brodersen et al., ICPR 2010)."""
    return _mean_defined([scores.recall for scores in per_class(confusion)])


def matthews_correlation(confusion: Integers) -> float | None:
    """Matthews correlation coefficient for K classes, in -1..1.

    With c correct of s images, t_k of class k and p_k predicted as k:
    (c s - sum t_k p_k) / sqrt((s^2 - sum p_k^2) (s^2 - sum t_k^2)) (Gorodkin, Comput. Biol. Chem. 28, 2004).
    None where all images have one class or were all predicted as one.
    """
    matrix = np.asarray(confusion, dtype=np.float64)
    true, predicted, images = matrix.sum(axis=1), matrix.sum(axis=0), matrix.sum()
    spread = (images**2 - predicted @ predicted) * (images**2 - true @ true)
    return float((np.trace(matrix) * images - true @ predicted) / np.sqrt(spread)) if spread > 0 else None


def cohen_kappa(confusion: Integers) -> float | None:
    """Cohen's kappa: agreement beyond chance, (p_o - p_e) / (1 - p_e) (Cohen 1960).

    None where chance alone would agree on every image (one class on both sides), or without images.
    """
    matrix = np.asarray(confusion, dtype=np.float64)
    images = matrix.sum()
    by_chance = matrix.sum(axis=1) @ matrix.sum(axis=0)
    room = images**2 - by_chance
    return float((np.trace(matrix) * images - by_chance) / room) if room > 0 else None


def log_loss(true: npt.ArrayLike, probabilities: npt.ArrayLike) -> float | None:
    """Mean of -ln(probability given to the true class), in nats; lower is better.

    Args:
        true: Labels, integers (n,).
        probabilities: Floats (n, K), rows summing to 1; clipped to the float64 epsilon so that one
            probability of 0 does not make the mean infinite.

    Returns:
        The loss, or None without images.
    """
    labels, table = np.asarray(true, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    if not labels.size:
        return None
    smallest = float(np.finfo(np.float64).eps)
    given = np.clip(table[np.arange(len(labels)), labels], smallest, 1 - smallest)
    return float(-np.log(given).mean())
