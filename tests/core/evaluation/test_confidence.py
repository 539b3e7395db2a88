"""Temperature, risk against coverage and the reject option, against direct readings of their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from tests.results_lab import RUN, add_report, add_run, build_dataset, build_split
from wbc_core.evaluation.confidence import (
    confidence_figures,
    report_confidence,
    report_temperature,
    run_temperature,
    validation_predictions,
)
from wbc_core.evaluation.reports import load_report, reports_dir
from wbc_core.evaluation.risk_coverage import RankedErrors, aurc, reject_option, threshold_for
from wbc_core.evaluation.temperature import fit_temperature, with_temperature
from wbc_core.workspace import Workspace


def too_sure(images: int, factor: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(z), and the probabilities softmax(factor z)."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (images, 5))
    honest = softmax(logits, axis=1)
    labels = (honest.cumsum(axis=1) > generator.random((images, 1))).argmax(axis=1)
    return labels, softmax(factor * logits, axis=1).astype(np.float32)


def test_the_temperature_is_the_minimum_of_the_log_loss() -> None:
    labels, table = too_sure(400, 2.5, 0)
    logits = np.log(table.astype(np.float64))
    found = minimize_scalar(
        lambda value: -log_softmax(logits / value, axis=1)[np.arange(400), labels].mean(),
        bounds=(0.1, 10),
        method="bounded",
        options={"xatol": 1e-10},
    )
    fitted = fit_temperature(labels, table)
    assert fitted.value == pytest.approx(found.x, rel=1e-5)
    assert fitted.images == 400
    assert with_temperature(table, 1.7) == pytest.approx(softmax(logits / 1.7, axis=1), abs=1e-12)


def test_a_known_temperature_is_found_again_and_helps_on_other_images() -> None:
    figures = confidence_figures(*too_sure(1500, 2.5, 1), too_sure(1500, 2.5, 2))
    assert figures["temperature"] == pytest.approx(2.5, rel=0.12)
    for name in ("log_loss", "brier_score", "ece", "ece_equal_mass"):
        assert figures["after"][name] < figures["before"][name]
    low, high = figures["change"]["log_loss_ci"]
    change = figures["after"]["log_loss"] - figures["before"]["log_loss"]
    assert low < figures["change"]["log_loss"] < high < 0
    assert figures["change"]["log_loss"] == pytest.approx(change, abs=1e-12)


def test_no_temperature_where_the_log_loss_has_no_minimum() -> None:
    right = fit_temperature([0, 1], [[0.9, 0.1], [0.2, 0.8]])
    assert (right.value, "right on every" in right.undefined) == (None, True)
    assert fit_temperature([0, 1], [[0.1, 0.9], [0.8, 0.2]]).undefined.startswith("the run's probabilities")
    assert fit_temperature([], np.empty((0, 3))).undefined == "there are no validation predictions"


ranked = st.lists(st.tuples(st.sampled_from([0.4, 0.6, 0.7, 0.9, 1.0]), st.booleans()), min_size=1)


@settings(max_examples=60, deadline=None)
@given(ranked, st.randoms(use_true_random=False))
def test_the_area_is_the_mean_over_all_orders_of_ties(
    drawn: list[tuple[float, bool]], shuffler: object
) -> None:
    confidence, correct = (np.array(side) for side in zip(*drawn, strict=True))
    # An expectation is linear: each error's place is replaced by the share of errors of its tie.
    order = np.argsort(-confidence)
    wrong = np.array([(~correct)[confidence == value].mean() for value in confidence[order]])
    expected = np.mean([wrong[: count + 1].mean() for count in range(len(drawn))])
    assert aurc(confidence, correct) == pytest.approx(expected, abs=1e-12)
    shuffled = list(drawn)
    shuffler.shuffle(shuffled)
    assert aurc(*zip(*shuffled, strict=True)) == pytest.approx(expected, abs=1e-12)
    curve = RankedErrors(confidence, correct).curve()
    assert curve["coverage"][-1] == 1.0
    assert curve["risk"][-1] == pytest.approx((~correct).mean(), abs=1e-12)


def test_weights_repeat_images() -> None:
    confidence, correct = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    weighted = RankedErrors(confidence, correct)(np.array([[1.0], [0.0], [1.0], [1.0]]))["aurc"][0]
    kept = [0, 2, 3]
    assert weighted == pytest.approx(aurc(confidence[kept], correct[kept]), abs=1e-12)


def test_ties_are_drawn_with_the_images() -> None:
    correct = np.arange(200) % 5 > 0
    weights = np.random.default_rng(0).multinomial(200, [1 / 200] * 200, size=50).T.astype(np.float64)
    drawn = RankedErrors(np.ones(200), correct)(weights)["aurc"]
    # Where all are equally sure, the area is the share of errors among those that were drawn.
    np.testing.assert_allclose(drawn, (weights * ~correct[:, None]).sum(axis=0) / 200, atol=1e-12)


def test_the_least_certain_go_to_a_person() -> None:
    chosen_on = np.linspace(0.01, 1.0, 100)
    assert threshold_for(chosen_on, 0.05) == pytest.approx(0.06)
    assert (chosen_on < threshold_for(chosen_on, 0.05)).sum() == 5
    assert threshold_for(chosen_on, 0.0) == threshold_for([], 0.5) == 0.0
    (entry,) = reject_option([0.01, 0.5, 0.9, 0.02], [False, True, False, True], chosen_on, shares=[0.05])
    assert (entry["sent"], entry["kept"], entry["errors_sent"], entry["errors_kept"]) == (2, 2, 1, 1)
    assert entry["accuracy"] == 0.5
    assert entry["accuracy_ci"][0] < 0.5 < entry["accuracy_ci"][1]


def test_equal_confidences_are_never_parted() -> None:
    (entry,) = reject_option([0.5] * 10, [True] * 10, [0.5] * 10, shares=[0.3])
    assert (entry["sent"], entry["threshold"]) == (0, 0.5)


def test_a_report_of_validation_has_no_figures_after_its_own_temperature(workspace: Workspace) -> None:
    run = add_run(workspace, build_split(workspace, build_dataset(workspace))[1], RUN)
    add_report(workspace, run, right=0.7)
    figures = report_confidence(workspace, RUN, "validation")
    assert figures["temperature"] == run_temperature(workspace, RUN).value
    assert (figures["after"], figures["threshold_chosen_on"]) == (None, "these images")
    assert run_temperature(workspace, RUN, tta=True).value is None
    # Under a shift they are other predictions, for which the temperature of the images as they are stands.
    shifted = load_report(workspace, RUN, "validation") | {"shift": "occlusion", "strength": 3}
    assert report_temperature(workspace, shifted) == figures["temperature"]


def test_a_test_report_takes_what_was_chosen_on_validation(workspace: Workspace) -> None:
    _, prepared = build_split(workspace, build_dataset(workspace), fractions=(0.4, 0.3, 0.3))
    run = add_run(workspace, prepared, RUN)
    add_report(workspace, run, right=0.7)
    alone = report_confidence(workspace, RUN, "test")
    assert (alone["temperature"], alone["threshold_chosen_on"]) == (None, "these images")
    add_report(workspace, run, right=0.6, seed=1, part="validation")
    figures = report_confidence(workspace, RUN, "test")
    assert figures["temperature"] == fit_temperature(*validation_predictions(workspace, RUN)).value
    assert (figures["after"] is None, figures["threshold_chosen_on"]) == (False, "validation")
    # A model that was trained on makes the predictions of the one before worthless.
    (workspace.run_dir(RUN) / "best.keras").touch()
    report = reports_dir(workspace, RUN) / "test.json"
    report.touch()
    assert report_confidence(workspace, RUN, "test")["temperature"] is None
