"""From predictions to the figures of a report: one function, no model and no file."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from wbc_core.errors import WbcError
from wbc_core.evaluation.calibration import BINNINGS, expected_calibration_error, reliability_bins
from wbc_core.evaluation.intervals import Interval, bootstrap_f1, wilson
from wbc_core.evaluation.metrics import (
    ClassScores,
    accuracy,
    balanced_accuracy,
    cohen_kappa,
    confusion_matrix,
    log_loss,
    macro_f1,
    matthews_correlation,
    per_class,
)
from wbc_core.records import Json

WHY_UNDEFINED = {
    "accuracy": "there are no images",
    "macro_f1": "no class has an image or a prediction",
    "balanced_accuracy": "no class has an image",
    "matthews_correlation": "all images have one class, or were all predicted as one",
    "cohen_kappa": "all images have one class and were all predicted as it",
    "log_loss": "there are no images",
    "ece": "there are no images",
    "ece_equal_mass": "there are no images",
}


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _class_entry(scores: ClassScores, f1_interval: Interval | None) -> Json:
    return {
        "support": scores.support,
        "precision": scores.precision,
        "precision_ci": _ends(wilson(scores.hits, scores.predicted)),
        "recall": scores.recall,
        "recall_ci": _ends(wilson(scores.hits, scores.support)),
        "specificity": scores.specificity,
        "specificity_ci": _ends(wilson(scores.rest - scores.predicted + scores.hits, scores.rest)),
        "f1": scores.f1,
        "f1_ci": _ends(f1_interval),
        "undefined": scores.undefined,
    }


def score(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, class_names: Sequence[str], *, seed: int = 0
) -> Json:
    """Compute every figure of a report from labels and predicted probabilities.

    Args:
        labels: True labels, integers (n,).
        probabilities: Floats (n, K), rows summing to 1; the predicted class is the most probable one, the
            first of them where two are equal.
        class_names: K names, in class order.
        seed: Seed of the bootstrap.

    Returns:
        Plain JSON types: the scores with their 95 % intervals (accuracy, precision, recall and specificity
        Wilson; F1 bootstrap), the confusion matrix [true][predicted] and the reliability bins. Undefined
        scores are None, each with its reason under `undefined`.

    Raises:
        WbcError: Labels and probabilities do not fit each other or the classes.
    """
    truth = np.asarray(labels, dtype=np.int64)
    table = np.asarray(probabilities, dtype=np.float64)
    if table.shape != (len(truth), len(class_names)):
        raise WbcError(
            "The probabilities do not fit the labels.",
            expected=f"{len(truth):,} rows of {len(class_names)} classes",
            got=f"shape {table.shape}",
        )
    predicted = table.argmax(axis=1)
    confidence, correct = table.max(axis=1, initial=0.0), predicted == truth
    confusion = confusion_matrix(truth, predicted, len(class_names))
    f1_intervals, macro_interval = bootstrap_f1(confusion, np.random.default_rng(seed))
    figures: Json = {
        "images": len(truth),
        "accuracy": accuracy(confusion),
        "accuracy_ci": _ends(wilson(int(correct.sum()), len(truth))),
        "macro_f1": macro_f1(confusion),
        "macro_f1_ci": _ends(macro_interval),
        "balanced_accuracy": balanced_accuracy(confusion),
        "matthews_correlation": matthews_correlation(confusion),
        "cohen_kappa": cohen_kappa(confusion),
        "log_loss": log_loss(truth, table),
        "ece": expected_calibration_error(confidence, correct, binning="equal_width"),
        "ece_equal_mass": expected_calibration_error(confidence, correct, binning="equal_mass"),
        "per_class": {
            name: _class_entry(scores, interval)
            for name, scores, interval in zip(class_names, per_class(confusion), f1_intervals, strict=True)
        },
        "confusion": confusion.tolist(),
        "reliability": {
            binning: [
                asdict(entry) | {"accuracy_ci": list(entry.accuracy_ci)}
                for entry in reliability_bins(confidence, correct, binning=binning)
            ]
            for binning in BINNINGS
        },
    }
    figures["undefined"] = {name: why for name, why in WHY_UNDEFINED.items() if figures[name] is None}
    return figures
