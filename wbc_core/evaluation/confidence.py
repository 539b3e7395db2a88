"""What a report says about confidence: calibration before and after, and the reject option."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from wbc_core.evaluation import reports
from wbc_core.evaluation.calibration import expected_calibration_error, reliability_of
from wbc_core.evaluation.figures import bootstrap_figures
from wbc_core.evaluation.intervals import DRAWS, percentile_interval
from wbc_core.evaluation.metrics import Floats, Integers, image_losses
from wbc_core.evaluation.risk_coverage import SHARES, RankedErrors, reject_option
from wbc_core.evaluation.temperature import Temperature, fit_temperature, with_temperature
from wbc_core.records import Json
from wbc_core.workspace import Workspace

OWN_IMAGES = "these images"
VALIDATION = "validation"
Predictions = tuple[Integers, Floats]
"""Labels (n,) and probabilities (n, K) of the same images."""


def _losses(labels: Integers, probabilities: Floats) -> Json:
    confidence, correct = probabilities.max(axis=1, initial=0.0), probabilities.argmax(axis=1) == labels
    means = {name: float(values.mean()) for name, values in image_losses(labels, probabilities).items()}
    return means | {
        "ece": expected_calibration_error(confidence, correct, binning="equal_width"),
        "ece_equal_mass": expected_calibration_error(confidence, correct, binning="equal_mass"),
        "reliability": reliability_of(confidence, correct),
    }


def _with_intervals(labels: Integers, ranked: RankedErrors, changes: dict[str, Floats]) -> Json:
    """`aurc` and the means of the changes (n,), each with its interval of one stratified bootstrap."""
    if not labels.size:
        return {"aurc": None, "aurc_ci": None}

    def weighted(weights: Floats) -> dict[str, Floats]:
        means = {name: values @ weights / weights.sum(axis=0) for name, values in changes.items()}
        return ranked(weights) | means

    once = weighted(np.ones((len(labels), 1)))
    drawn = bootstrap_figures(labels, weighted, np.random.default_rng(0), DRAWS)
    scores: Json = {}
    for name, values in once.items():
        interval = percentile_interval(drawn[name])
        scores |= {name: float(values[0]), f"{name}_ci": list(interval) if interval else None}
    return scores


def confidence_figures(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    validation: Predictions | None,
    *,
    of_validation: bool = False,
    shares: Sequence[float] = SHARES,
) -> Json:
    """Compute what a report says about confidence.

    Args:
        labels: True labels of the images reported on, integers (n,).
        probabilities: Their predicted probabilities, floats (n, K).
        validation: Those of the validation images; None where there are none, or where the images reported
            on are the validation images.
        of_validation: Whether they are. A temperature is then fitted, for other images to use, but no figure
            is given after it: it would flatter.
        shares: Shares sent to a person that are listed.

    Returns:
        `temperature` (with `temperature_images` and, where it is None, `temperature_undefined`); `before` and
        `after` it (None where that would flatter): log loss, Brier score, both calibration errors and the
        reliability bins; `change` of log loss and Brier score with 95 % intervals; the risk-coverage curve
        and `aurc` with its interval; `reject_option` with what `threshold_chosen_on`.
    """
    truth, raw = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    fitted = fit_temperature(*((truth, raw) if of_validation else validation or (truth[:0], raw[:0])))
    figures: Json = {
        "temperature": fitted.value,
        "temperature_images": fitted.images,
        "temperature_undefined": fitted.undefined,
        "before": _losses(truth, raw) if truth.size else None,
        "after": None,
        "change": None,
        "threshold_chosen_on": VALIDATION if validation else OWN_IMAGES,
    }
    used, chosen_on = raw, validation[1] if validation else raw
    changes: dict[str, Floats] = {}
    if validation and fitted.value and truth.size:
        used, chosen_on = (with_temperature(table, fitted.value) for table in (raw, validation[1]))
        before, after = image_losses(truth, raw), image_losses(truth, used)
        changes = {name: after[name] - before[name] for name in before}
        figures["after"] = _losses(truth, used)
    confidence, correct = used.max(axis=1, initial=0.0), used.argmax(axis=1) == truth
    ranked = RankedErrors(confidence, correct)
    scores = _with_intervals(truth, ranked, changes)
    figures |= {
        "change": scores if changes else None,
        "aurc": scores.pop("aurc"),
        "aurc_ci": scores.pop("aurc_ci"),
    }
    chances = np.asarray(chosen_on).max(axis=1, initial=0.0)
    return figures | {
        "risk_coverage": ranked.curve(),
        "reject_option": reject_option(confidence, correct, chances, shares),
    }


def labels_and_probabilities(table: pd.DataFrame) -> Predictions:
    """The labels and the probabilities, as float64, of a table of predictions."""
    return table["label"].to_numpy(dtype=np.int64), reports.probabilities_of(table).astype(np.float64)


def validation_predictions(workspace: Workspace, run_id: str, *, tta: bool = False) -> Predictions | None:
    """The validation predictions of a run's present model, None where they were not made yet."""
    name = reports.report_name(VALIDATION, tta=tta)
    if name not in reports.list_reports(workspace, run_id) or reports.is_outdated(workspace, run_id, name):
        return None
    return labels_and_probabilities(reports.load_predictions(workspace, run_id, name))


def run_temperature(workspace: Workspace, run_id: str, *, tta: bool = False) -> Temperature:
    """The temperature of a run, fitted on its validation predictions.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        tta: That of probabilities averaged over the symmetries of every image, which are less sure.
    """
    return fit_temperature(*(validation_predictions(workspace, run_id, tta=tta) or ((), np.empty((0, 1)))))


def is_of_validation(report: Json) -> bool:
    """Whether a report is of the very predictions that a temperature is fitted on; shifted ones are not."""
    return bool(report["part"] == VALIDATION and not report.get("shift"))


def _validation_for(workspace: Workspace, report: Json) -> Predictions | None:
    """What a report may choose on: validation predictions of the same model, not its own images."""
    name = reports.report_name(
        report["part"], tta=report["tta"], shift=report.get("shift"), strength=report.get("strength")
    )
    # A run that was resumed has predictions of an older model beside those of today.
    if is_of_validation(report) or reports.is_outdated(workspace, report["run"], name):
        return None
    return validation_predictions(workspace, report["run"], tta=report["tta"])


def report_temperature(workspace: Workspace, report: Json) -> float | None:
    """The temperature that may calibrate a report's predictions; None where no honest one is to be had."""
    validation = _validation_for(workspace, report)
    return fit_temperature(*validation).value if validation else None


def report_confidence(workspace: Workspace, run_id: str, name: str, shares: Sequence[float] = SHARES) -> Json:
    """What the report `name` says about confidence, computed from its predictions; see `confidence_figures`.

    An older report, made before its run had validation predictions, gets what can be said without.

    Raises:
        WbcError: The run has no such report.
    """
    report = reports.load_report(workspace, run_id, name)
    labels, probabilities = labels_and_probabilities(reports.load_predictions(workspace, run_id, name))
    of_validation = is_of_validation(report)
    validation = _validation_for(workspace, report)
    return confidence_figures(labels, probabilities, validation, of_validation=of_validation, shares=shares)
