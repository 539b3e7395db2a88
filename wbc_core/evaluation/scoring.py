"""From predictions to the figures of a report: one function, no model and no file."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wbc_core.errors import WbcError
from wbc_core.evaluation.calibration import expected_calibration_error, reliability_of
from wbc_core.evaluation.figures import WeightedFigures, bootstrap_figures
from wbc_core.evaluation.intervals import DRAWS, Interval, percentile_interval, wilson
from wbc_core.evaluation.metrics import Floats, Integers, confusion_matrix, defined
from wbc_core.records import Json

CLASS_SCORES = ("precision", "recall", "specificity", "f1", "auc", "average_precision")
_NO_IMAGES = "there are no images"
WHY_UNDEFINED = {
    "accuracy": _NO_IMAGES,
    "macro_precision": _NO_IMAGES,
    "macro_recall": _NO_IMAGES,
    "macro_f1": _NO_IMAGES,
    "weighted_precision": "no class that has images was ever predicted",
    "weighted_recall": _NO_IMAGES,
    "weighted_f1": _NO_IMAGES,
    "balanced_accuracy": _NO_IMAGES,
    "matthews_correlation": "all images have one class, or were all predicted as one",
    "cohen_kappa": "all images have one class and were all predicted as it",
    "log_loss": _NO_IMAGES,
    "brier_score": _NO_IMAGES,
    "macro_auc": "no class has both images of its own and of others",
    "macro_average_precision": _NO_IMAGES,
    "ece": _NO_IMAGES,
    "ece_equal_mass": _NO_IMAGES,
}
_WITHOUT_INTERVAL = ("ece", "ece_equal_mass")


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _class_undefined(support: int, predicted: int, images: int) -> dict[str, str]:
    """Why scores of a class are undefined, for each that is."""
    no_image, no_rest = "no image has this class", "every image has this class"
    reasons = {
        "precision": None if predicted else "no image was predicted as this class",
        "recall": None if support else no_image,
        "specificity": None if support < images else no_rest if images else "there are no images",
        "f1": None if support + predicted else "no image has this class or was predicted as it",
        "auc": None if 0 < support < images else no_rest if support else no_image,
        "average_precision": None if support else no_image,
    }
    return {name: reason for name, reason in reasons.items() if reason}


def _class_entries(confusion: Integers, once: dict[str, Floats], drawn: dict[str, Floats]) -> list[Json]:
    """The entry of each class: every score with its interval."""
    hits, support, predicted = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    images = int(confusion.sum())
    entries = []
    for k in range(len(confusion)):
        right, own, named = int(hits[k]), int(support[k]), int(predicted[k])
        rates = {
            "precision": wilson(right, named),
            "recall": wilson(right, own),
            "specificity": wilson(images - own - named + right, images - own),
        }
        entry: Json = {"support": own}
        for name in CLASS_SCORES:
            entry[name] = defined(once[name][0, k])
            interval = rates[name] if name in rates else percentile_interval(drawn[name][:, k])
            entry[f"{name}_ci"] = _ends(interval)
        entries.append(entry | {"undefined": _class_undefined(own, named, images)})
    return entries


def _checked(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, class_names: Sequence[str]
) -> tuple[Integers, Floats]:
    truth = np.asarray(labels, dtype=np.int64)
    table = np.asarray(probabilities, dtype=np.float64)
    if table.shape != (len(truth), len(class_names)):
        raise WbcError(
            "The probabilities do not fit the labels.",
            expected=f"{len(truth):,} rows of {len(class_names)} classes",
            got=f"shape {table.shape}",
        )
    if not np.isfinite(table).all():
        raise WbcError(
            "The model predicts what is no probability.",
            expected="numbers from 0 to 1",
            got=f"{int((~np.isfinite(table).all(axis=1)).sum()):,} images with a value that is not finite",
            fix="Its training diverged: train again with a smaller learning rate.",
        )
    return truth, table


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
        Plain JSON types. The figures of the whole and of each class under `per_class` are those of
        `figures.WeightedFigures`, each with its 95 % interval `NAME_ci`: Wilson's for accuracy (which is
        weighted recall), precision, recall and specificity; of all others the percentiles of one stratified
        bootstrap of 2,000 draws. Then the calibration errors, the confusion matrix [true][predicted] and the
        reliability bins. Undefined scores are None, each with its reason under `undefined`.

    Raises:
        WbcError: Labels and probabilities do not fit each other or the classes, or are no numbers.
    """
    truth, table = _checked(labels, probabilities, class_names)
    predicted = table.argmax(axis=1)
    confidence, correct = table.max(axis=1, initial=0.0), predicted == truth
    confusion = confusion_matrix(truth, predicted, len(class_names))
    weighted = WeightedFigures(truth, table)
    once = weighted(np.ones((len(truth), 1)))
    drawn = bootstrap_figures(truth, weighted, np.random.default_rng(seed), DRAWS)
    figures: Json = {"images": len(truth)}
    for name in WHY_UNDEFINED:
        if name not in _WITHOUT_INTERVAL:
            figures[name] = defined(once[name][0])
            figures[f"{name}_ci"] = _ends(percentile_interval(drawn[name]))
    of_accuracy = _ends(wilson(int(correct.sum()), len(truth)))
    figures |= {"accuracy_ci": of_accuracy, "weighted_recall_ci": of_accuracy}
    figures |= {
        "ece": expected_calibration_error(confidence, correct, binning="equal_width"),
        "ece_equal_mass": expected_calibration_error(confidence, correct, binning="equal_mass"),
        "per_class": dict(zip(class_names, _class_entries(confusion, once, drawn), strict=True)),
        "confusion": confusion.tolist(),
        "reliability": reliability_of(confidence, correct),
    }
    figures["undefined"] = {name: why for name, why in WHY_UNDEFINED.items() if figures[name] is None}
    return figures
