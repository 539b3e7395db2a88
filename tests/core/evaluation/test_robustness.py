"""Robustness: what is evaluated and what is reused, and the mean corruption error against other sources."""

import os

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from tests.results_lab import add_report, add_run, add_shifted_report, build_dataset, build_split
from wbc_core.errors import WbcError
from wbc_core.evaluation.corruption_error import class_mean_interval, relative, share_right
from wbc_core.evaluation.reports import (
    is_shifted,
    list_reports,
    load_predictions,
    reports_dir,
)
from wbc_core.evaluation.robustness import compare_with, evaluate_under_shifts, long_table, summary
from wbc_core.jobs.tasks import TASKS
from wbc_core.workspace import Workspace

ONE, TWO = "job-000000000001", "job-000000000002"
CHOSEN = {"shifts": ["photometric", "occlusion"], "strengths": [1, 5]}


def test_every_cell_is_evaluated_once_and_again_when_outdated(workspace: Workspace) -> None:
    _, prepared = build_split(workspace, build_dataset(workspace))
    add_run(workspace, prepared, ONE, model=True)
    seen: list[float] = []

    def stop_after_two(fraction: float, message: str) -> None:
        seen.append(fraction)
        if message.startswith("Photometric, strength 5"):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        TASKS.get("robustness")(workspace, "", {"run": ONE, **CHOSEN}, stop_after_two)
    assert list_reports(workspace, ONE) == ["validation", "validation-photometric-1"]
    result = evaluate_under_shifts(workspace, ONE, **CHOSEN)
    assert result["evaluated"] == 3
    assert seen == sorted(seen)
    single = result["views"]["single"]
    assert single["missing"] == single["outdated"] == []
    assert len(result["views"]["averaged"]["missing"]) == 4
    assert set(single["shifts"]["occlusion"]) == {"1", "5"}
    errors = []
    for shift in CHOSEN["shifts"]:
        for strength in CHOSEN["strengths"]:
            predictions = load_predictions(workspace, ONE, f"validation-{shift}-{strength}")
            right = balanced_accuracy_score(predictions["label"], predictions["predicted"])
            assert single["shifts"][shift][str(strength)]["error"] == pytest.approx(1 - right)
            errors.append(1 - right)
    assert single["mean_corruption_error"] == pytest.approx(np.mean(errors))
    assert evaluate_under_shifts(workspace, ONE, **CHOSEN)["evaluated"] == 0
    older = reports_dir(workspace, ONE) / "validation-occlusion-5.json"
    os.utime(older, (1, 1))
    assert summary(workspace, ONE)["views"]["single"]["outdated"] == [{"shift": "occlusion", "strength": 5}]
    assert evaluate_under_shifts(workspace, ONE, **CHOSEN)["evaluated"] == 1


def test_bad_shifts_and_strengths_are_refused_before_any_work(workspace: Workspace) -> None:
    _, prepared = build_split(workspace, build_dataset(workspace))
    add_run(workspace, prepared, ONE)
    for wrong in ({"shifts": ["foggy"]}, {"strengths": [0]}):
        with pytest.raises(WbcError):
            evaluate_under_shifts(workspace, ONE, **wrong)
    assert [is_shifted(name) for name in ("test", "file-tta", "test-foggy-3", "test-combined-3-tta")] == [
        False,
        False,
        False,
        True,
    ]


def test_a_baseline_on_the_same_images_gives_ratios_and_a_paired_interval(workspace: Workspace) -> None:
    dataset = build_dataset(workspace)
    _, prepared = build_split(workspace, dataset)
    one, two = (add_run(workspace, prepared, run_id) for run_id in (ONE, TWO))
    for run, clean, shifted in ((one, 0.95, 0.9), (two, 0.9, 0.3)):
        add_report(workspace, run, right=clean)
        for shift in ("geometric", "occlusion"):
            add_shifted_report(workspace, run, shift, 3, shifted)
    add_shifted_report(workspace, one, "photometric", 1, 0.7)
    compared = compare_with(workspace, ONE, TWO)
    assert [cell["shift"] for cell in compared["cells"]] == ["geometric", "occlusion"]
    errors = [summary(workspace, run_id)["views"]["single"] for run_id in (ONE, TWO)]
    ours, theirs = (found["shift_errors"] for found in errors)
    kinds = ("geometric", "occlusion")
    assert compared["ratio"] == pytest.approx(np.mean([ours[kind] / theirs[kind] for kind in kinds]))
    lost = [[found["shift_errors"][kind] - found["clean"]["error"] for kind in kinds] for found in errors]
    assert compared["degradation_ratio"] == pytest.approx(np.mean(np.divide(*lost)))
    assert compared["difference"] == pytest.approx(np.mean([ours[kind] - theirs[kind] for kind in kinds]))
    low, high = compared["difference_ci"]
    assert low < compared["difference"] < high < 0
    add_shifted_report(workspace, one, "occlusion", 3, 0.99, tta=True)
    averaging = summary(workspace, ONE)["averaging"]
    assert averaging["cells"] == [{"shift": "occlusion", "strength": 3}]
    assert averaging["baseline_mean_error"] == pytest.approx(ours["occlusion"])
    other = add_run(workspace, build_split(workspace, dataset, seed=1)[1], "job-000000000003")
    with pytest.raises(WbcError, match="other images"):
        compare_with(workspace, ONE, other.id)
    table = long_table(summary(workspace, ONE))
    assert table[["shift", "strength"]].to_records(index=False).tolist()[0] == ("clean", 0)
    assert len(table) == 5


def test_without_errors_of_the_baseline_a_ratio_is_undefined() -> None:
    labels, perfect = np.array([0, 0, 1, 1]), {("geometric", 1): np.ones(4, bool)}
    compared = relative(labels, {("geometric", 1): np.array([True, False, True, True])}, perfect, 0.0, 0.0)
    assert compared is not None
    assert compared.ratio is compared.degradation_ratio is None
    assert compared.undefined["ratio"] == "the baseline makes no error under geometric"
    assert relative(labels, perfect, {}, 0.0, 0.0) is None


def test_the_interval_of_a_class_mean_is_that_of_a_stratified_bootstrap() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [60, 90, 200])
    right = {("geometric", s): generator.random(350) < 0.6 + 0.1 * labels for s in (1, 2)}
    values = share_right(right)
    mean, ends = class_mean_interval(values, labels)
    assert mean == pytest.approx(np.mean([values[labels == k].mean() for k in range(3)]))
    groups = tuple(values[labels == k] for k in range(3))
    drawn = stats.bootstrap(
        groups,
        lambda *drawn, axis: np.mean([group.mean(axis=axis) for group in drawn], axis=0),
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ends == pytest.approx((drawn.low, drawn.high), abs=0.004)
    assert class_mean_interval(values[:61], labels[:61])[1] is None
