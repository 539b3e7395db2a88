"""What a classifier got right: the confusion matrix and every score that is read off it, in plain NumPy.

A score whose denominator is zero is undefined: it comes back as NaN (`None` from the functions that give one
number) and never as 0, because "no image was predicted as this class" and "every such prediction was wrong"
are different findings. Any leading axes are many matrices at once, as a bootstrap draws them.
"""

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


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    """Part of a whole, elementwise; NaN where the whole is 0."""
    divisor = np.asarray(whole, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(divisor == 0, np.nan, np.asarray(part) / np.where(divisor == 0, 1, divisor))


def f1_of_counts(hits: npt.ArrayLike, support: npt.ArrayLike, predicted: npt.ArrayLike) -> Floats:
    """F1 = 2 hits / (support + predicted), elementwise; NaN where that is 0/0."""
    return ratio(2 * np.asarray(hits), np.asarray(support) + np.asarray(predicted))


def mean_over_classes(scores: Floats, weights: Floats | None = None) -> Floats:
    """Mean over the last axis (.., K) -> (..), of the defined scores alone; NaN where none counts.

    Args:
        scores: Floats (.., K).
        weights: How much each class counts, floats (.., K); equally by default.
    """
    defined = ~np.isnan(scores)
    counted = np.where(defined, 1.0 if weights is None else weights, 0.0)
    return ratio((counted * np.where(defined, scores, 0.0)).sum(axis=-1), counted.sum(axis=-1))


def class_scores(confusion: npt.ArrayLike) -> dict[str, Floats]:
    """Read every class's scores off confusion matrices.

    Args:
        confusion: Counts or sums of weights (.., K, K), [true][predicted].

    Returns:
        Floats (.., K), each in 0..1 or NaN: `precision` = hits / predicted, `recall` = hits / support
        (sensitivity), `specificity` = share of the other classes' images that were not predicted as this one,
        `f1` = 2 hits / (support + predicted), the harmonic mean of precision and recall.

    Example:
        >>> class_scores([[3, 0, 0], [1, 2, 0], [0, 0, 0]])["precision"].tolist()
        [0.75, 1.0, nan]
    """
    counts = np.asarray(confusion)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    support, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    rest = support.sum(axis=-1, keepdims=True) - support
    return {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, support),
        "specificity": ratio(rest - (predicted - hits), rest),
        "f1": f1_of_counts(hits, support, predicted),
    }


def _matthews_correlation(hits: Floats, support: Floats, predicted: Floats) -> Floats:
    """(c s - sum t_k p_k) / sqrt((s^2 - sum p_k^2) (s^2 - sum t_k^2)), with c of s images right."""
    images = support.sum(axis=-1, keepdims=True)
    agreed = (hits.sum(axis=-1, keepdims=True) * images)[..., 0] - (support * predicted).sum(axis=-1)
    # s^2 - sum t_k^2 as sum t_k (s - t_k): exactly 0 where one class has everything.
    spreads = [(counts * (images - counts)).sum(axis=-1) for counts in (support, predicted)]
    return ratio(agreed, np.sqrt(spreads[0] * spreads[1]))


def _cohen_kappa(hits: Floats, support: Floats, predicted: Floats) -> Floats:
    """(p_o - p_e) / (1 - p_e), with the shares multiplied by the square of the number of images."""
    images = support.sum(axis=-1, keepdims=True)
    by_chance = (support * predicted).sum(axis=-1)
    room = (support * (images - predicted)).sum(axis=-1)
    return ratio(hits.sum(axis=-1) * images[..., 0] - by_chance, room)


def overall_scores(confusion: npt.ArrayLike) -> dict[str, Floats]:
    """Read the scores of a classifier as a whole off confusion matrices.

    Args:
        confusion: Counts or sums of weights (.., K, K), [true][predicted].

    Returns:
        Floats (..), each NaN where it is undefined:

        - `accuracy`: trace(C) / sum(C).
        - `macro_precision`, `macro_recall`, `macro_f1`: means over the classes where the score is defined,
          each class counting once (scikit-learn's with `zero_division=np.nan`; by default it counts
          undefined ones as 0).
        - `weighted_precision`, `weighted_recall`, `weighted_f1`: the same, each class counting as often as it
          has images; `weighted_recall` is accuracy.
        - `balanced_accuracy`: macro recall (Brodersen et al., ICPR 2010).
        - `matthews_correlation`: in -1..1, for K classes (Gorodkin, Comput. Biol. Chem. 28, 2004); undefined
          where all images have one class or were all predicted as one.
        - `cohen_kappa`: agreement beyond chance (Cohen, Educ. Psychol. Meas. 20, 1960); undefined where
          chance alone would agree on every image.

    Example:
        >>> scores = overall_scores([[3, 0, 0], [1, 2, 0], [0, 0, 0]])
        >>> float(scores["accuracy"]) == 5 / 6, float(scores["macro_f1"]) == (6 / 7 + 4 / 5) / 2
        (True, True)
    """
    counts = np.asarray(confusion, dtype=np.float64)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    support, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    averaged = {name: score for name, score in class_scores(counts).items() if name != "specificity"}
    macro = {f"macro_{name}": mean_over_classes(score) for name, score in averaged.items()}
    weighted = {f"weighted_{name}": mean_over_classes(score, support) for name, score in averaged.items()}
    return {
        "accuracy": ratio(hits.sum(axis=-1), support.sum(axis=-1)),
        **macro,
        **weighted,
        "balanced_accuracy": macro["macro_recall"],
        "matthews_correlation": _matthews_correlation(hits, support, predicted),
        "cohen_kappa": _cohen_kappa(hits, support, predicted),
    }


def defined(value: npt.ArrayLike) -> float | None:
    """One number, None where it is NaN."""
    number = float(np.asarray(value))
    return None if np.isnan(number) else number


def accuracy(confusion: Integers) -> float | None:
    """Share of images whose class was named; see `overall_scores`. None without images."""
    return defined(overall_scores(confusion)["accuracy"])


def macro_f1(confusion: Integers) -> float | None:
    """Mean of the classes' F1, those where it is undefined left out; see `overall_scores`."""
    return defined(overall_scores(confusion)["macro_f1"])


def image_losses(true: npt.ArrayLike, probabilities: npt.ArrayLike) -> dict[str, Floats]:
    """What each image adds to the losses of a probabilistic prediction, whose means are the losses.

    Args:
        true: Labels, integers (n,) in 0..K-1.
        probabilities: Floats (n, K), rows summing to 1.

    Returns:
        Floats (n,), lower is better:

        - `log_loss`: -ln of the probability given to the true class, in nats, that probability clipped to the
          float64 epsilon so that one 0 does not make the mean infinite.
        - `brier_score`: sum over the classes of (probability - 1 if it is the true class, else 0)^2, in 0..2
          (Brier, Monthly Weather Review 78, 1950). scikit-learn's is the same for three classes and more, and
          half of it for two (`scale_by_half="auto"`).

    Example:
        >>> {name: values.round(3).tolist() for name, values in image_losses([0], [[0.5, 0.3, 0.2]]).items()}
        {'log_loss': [0.693], 'brier_score': [0.38]}
    """
    labels, table = np.asarray(true, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    smallest = float(np.finfo(np.float64).eps)
    given = np.clip(table[np.arange(len(labels)), labels], smallest, 1 - smallest)
    return {
        "log_loss": -np.log(given),
        "brier_score": np.square(table - np.eye(table.shape[1])[labels]).sum(axis=1),
    }
