"""The Report page: empty state, figures, the images of a cell by select box and URL, undefined said so."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from app.components import report_confusions
from app.components.results_text import number
from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import NAMES, RUN, add_report, add_run, build_dataset, build_split
from wbc_core.evaluation.confidence import report_confidence
from wbc_core.evaluation.reports import load_predictions, reports_dir
from wbc_core.jobs import queue
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture
def page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return page_at("report")


def test_without_runs_the_page_says_what_to_do(workspace: Workspace, page: AppTest) -> None:
    build_dataset(workspace)
    page.run()
    assert not page.exception
    assert "No run has finished an epoch yet" in shown(page)


def test_a_run_without_report_is_evaluated_by_a_job(workspace: Workspace, page: AppTest, run: Run) -> None:
    page.run()
    assert not page.exception
    assert "This run has no report yet" in shown(page)
    next(button for button in page.button if button.label == "Evaluate").click().run()
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec) == ("evaluate", {"run": RUN})


def test_figures_and_the_commonest_error_are_shown(workspace: Workspace, page: AppTest, run: Run) -> None:
    report = add_report(workspace, run, right=0.7)
    page.run()
    assert not page.exception
    accuracy = next(metric for metric in page.metric if metric.label == "Accuracy")
    assert accuracy.value == f"{100 * report['accuracy']:.1f} %"
    assert " to " in accuracy.delta
    confusion = report["confusion"]
    worst = max((confusion[i][j], NAMES[i], NAMES[j]) for i in range(3) for j in range(3) if i != j)
    assert f"{worst[1]} taken for {worst[2]}".capitalize() in shown(page)
    page.segmented_control(key="section").select("classes").run()
    assert len(page.dataframe[0].value) == len(NAMES)


def test_a_shared_link_opens_the_same_cell(workspace: Workspace, page: AppTest, run: Run) -> None:
    add_report(workspace, run, right=0.7)
    page.query_params["cell"] = "1-1"
    page.query_params["run"] = RUN
    page.run()
    assert not page.exception
    assert "Lymphocyte recognised" in shown(page)
    images = (load_predictions(workspace, RUN)[["label", "predicted"]] == 1).all(axis=1).sum()
    assert f"{images} images, the least probable true class first" in shown(page)


def test_another_cell_is_chosen_in_the_select_box(workspace: Workspace, page: AppTest, run: Run) -> None:
    add_report(workspace, run, right=0.7)
    page.run()
    page.selectbox(key=f"cell-{RUN}").select((2, 2)).run()
    assert not page.exception
    assert "Platelet recognised" in shown(page)
    assert page.query_params["cell"] == "2-2"


@pytest.mark.parametrize("cell", ["9-9", "x", "1", "-1-0"])
def test_a_wrong_link_falls_back(workspace: Workspace, page: AppTest, run: Run, cell: str) -> None:
    add_report(workspace, run, right=0.7)
    page.query_params["cell"] = cell
    page.run()
    assert not page.exception
    assert "taken for" in shown(page)


def test_undefined_scores_are_said_to_be_undefined(workspace: Workspace, page: AppTest, run: Run) -> None:
    add_report(workspace, run, right=1.1, never=2)
    page.query_params["section"] = "classes"
    page.run()
    assert not page.exception
    table = page.dataframe[0].value
    assert table["Precision"].tolist()[2] == "undefined"
    assert "AUC" not in table
    assert table["Recall"].tolist()[2].startswith("0.00 %")
    assert "Precision of platelet is undefined: no image was predicted as this class" in shown(page).replace(
        "\\", ""
    )


def test_ranking_scores_are_a_choice_of_their_own(workspace: Workspace, page: AppTest, run: Run) -> None:
    report = add_report(workspace, run, right=0.7)
    page.query_params["section"] = "classes"
    page.run()
    page.segmented_control(key="scores").select("ranking").run()
    assert not page.exception
    table = page.dataframe[0].value
    entry = report["per_class"][NAMES[0]]
    low, high = entry["auc_ci"]
    assert table["AUC"][0] == f"{entry['auc']:.4f} ({low:.4f} to {high:.4f})"
    assert "Average precision" in table
    page.segmented_control(key="chart_ranking").select("average_precision").run()
    assert not page.exception
    assert "Average precision" in page.get("plotly_chart")[0].proto.spec


def test_further_figures_have_intervals_or_a_reason(workspace: Workspace, page: AppTest, run: Run) -> None:
    report = add_report(workspace, run, right=0.7)
    page.query_params["section"] = "origin"
    page.run()
    assert not page.exception
    values = page.table[0].value.iloc[:, 0]
    low, high = report["brier_score_ci"]
    assert values["Brier score (0 to 2)"] == f"{report['brier_score']:.4f} ({low:.4f} to {high:.4f})"


def test_a_report_of_an_older_lab_shows_what_it_did_not_hold(
    workspace: Workspace, page: AppTest, run: Run
) -> None:
    add_report(workspace, run, right=0.7, never=0)
    path = reports_dir(workspace, run.id) / "validation.json"
    older = json.loads(path.read_text())
    for name in ("brier_score", "brier_score_ci", "macro_auc", "weighted_f1", "balanced_accuracy_ci"):
        del older[name]
    for entry in older["per_class"].values():
        del entry["auc"], entry["auc_ci"]
    path.write_text(json.dumps(older))
    page.query_params["section"] = "origin"
    page.run()
    assert not page.exception
    assert " to " in page.table[0].value.iloc[:, 0]["Brier score (0 to 2)"]
    page.segmented_control(key="section").select("classes").run()
    page.segmented_control(key="scores").select("ranking").run()
    assert not page.exception
    assert " to " in page.dataframe[0].value["AUC"][0]


def test_a_faultless_run_has_no_errors_to_show(workspace: Workspace, page: AppTest, run: Run) -> None:
    add_report(workspace, run, right=1.1)
    page.query_params["section"] = "confidence"
    page.run()
    assert not page.exception
    assert "Every image was named right" in shown(page)


def test_confidence_without_validation_predictions_offers_to_make_them(
    workspace: Workspace, page: AppTest
) -> None:
    _, prepared = build_split(workspace, build_dataset(workspace), fractions=(0.4, 0.3, 0.3))
    run = add_run(workspace, prepared, RUN)
    add_report(workspace, run, right=0.7)
    page.query_params["section"] = "confidence"
    page.run()
    assert not page.exception
    assert "No temperature: this model has not predicted" in shown(page)
    assert "chosen on these very images" in shown(page)
    next(button for button in page.button if button.label.startswith("Predict the val")).click().run()
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec) == ("evaluate", {"run": RUN, "tta": False})


def test_confidence_before_and_after_and_a_share_for_a_person(workspace: Workspace, page: AppTest) -> None:
    _, prepared = build_split(workspace, build_dataset(workspace), fractions=(0.4, 0.3, 0.3))
    run = add_run(workspace, prepared, RUN)
    add_report(workspace, run, right=0.7)
    add_report(workspace, run, right=0.6, seed=1, part="validation")
    page.query_params["section"] = "confidence"
    page.query_params["sent"] = "20"
    page.run()
    assert not page.exception
    figures = report_confidence(workspace, RUN, "test", [0.2])
    assert f"Temperature {number(figures['temperature'])}" in shown(page)
    (entry,) = figures["reject_option"]
    assert "Send 20.0 % to a person" in shown(page)
    assert f"{entry['sent']} pictures here" in shown(page)
    assert list(page.table[0].value.columns) == ["As trained", "With temperature"]
    page.segmented_control(key="part").select("validation").run()
    assert not page.exception
    assert "no honest figure after it" in shown(page)
    assert list(page.table[0].value.columns) == ["As trained"]


def test_one_class_has_no_error_to_open_first() -> None:
    assert report_confusions._worst_cell([[9]]) == (0, 0)
    assert report_confusions._worst_cell([[9, 1], [4, 9]]) == (1, 0)


def test_a_link_to_a_run_that_is_gone_says_that_another_is_shown(page: AppTest, run: Run) -> None:
    page.query_params["run"] = "job-gone"
    page.run()
    assert not page.exception
    assert [toast.value for toast in page.toast] == [
        r"There is no job\-gone here: the newest data set is shown."
    ]
    page.query_params["run"] = "job-gone"
    page.run()
    assert "no finished run" in page.toast[0].value
    assert page.query_params["run"] == RUN


def test_latency_is_measured_by_a_job_and_shown_with_its_machine(
    workspace: Workspace, page: AppTest, run: Run
) -> None:
    add_report(workspace, run, right=0.7)
    page.query_params["section"] = "origin"
    page.run()
    assert "has not been measured yet" in shown(page)
    page.button(key="latency").click().run()
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec) == ("latency", {"run": RUN})
    timed = {"median_ms": 12.34, "p95_ms": 20.0, "images_per_second": 81.04, "calls": 100}
    measured = {"macs": 2_500_000, "batches": {"1": timed, "32": timed}, "created": "2026-01-01T00:00:00"}
    path = workspace.run_dir(RUN) / "latency.json"
    workspace.write_json(path, {**measured, "device": "cpu", "processor": "a test's processor"})
    page.run()
    assert not page.exception
    costs = page.table[1].value.iloc[:, 0]
    assert costs["Time of one image"] == "12.3 ms (p95 20.0 ms), 81 images/s"
    assert costs["Multiply-accumulates an image"] == "2.50 million"
    assert "a test's processor" in shown(page).replace("\\", "")
    assert "0" * 64 in [block.value for block in page.code]
