"""Training a run again after decisions, from its report."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import RUN, add_report, add_run, build_split, train_study
from wbc_core.augment.prepare import load_prepared
from wbc_core.curation.review import decide
from wbc_core.datasets.store import read_dataset
from wbc_core.evaluation.reports import load_predictions
from wbc_core.jobs import queue
from wbc_core.jobs.relaunch import run_relaunch
from wbc_core.progress import silent
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@pytest.fixture
def page(workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    add_report(workspace, run, right=0.7)
    return page_at("report")


def test_decisions_are_counted_and_lead_to_a_relaunch_that_is_compared(
    workspace: Workspace, page: AppTest, run: Run
) -> None:
    page.run()
    assert "Nothing was decided since this run's clean set" in shown(page)
    rows = load_predictions(workspace, RUN)["row"].tolist()
    decide(workspace, run.dataset, {rows[0]: ("drop", None), rows[1]: ("keep", None)}, who="Ada")
    page.run()
    assert "2 images** decided since this run's clean set: 1 kept, 1 dropped" in shown(page)
    next(button for button in page.button if button.label == "Train again…").click().run()
    assert not page.exception
    assert "1 image dropped (1 of validation)" in shown(page)
    assert "the old report and the new one are not about the same" in shown(page)
    page.button(key="relaunch").click().run()
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec["run"]) == ("relaunch", RUN)
    assert not [button for button in page.button if button.key == "relaunch"]
    # What a worker would do.
    _, claim = queue.claim_next(workspace, ["relaunch"], "cpu")
    made = run_relaunch(workspace, job.id, job.spec, silent)
    queue.finish(workspace, job.id, claim, "succeeded", result=made)
    page.run()
    assert "It was trained again with these decisions" in shown(page)
    assert not [button for button in page.button if button.key == "relaunch"]
    add_report(
        workspace, add_run(workspace, load_prepared(workspace, made["prepared"]), made["run"]), right=0.8
    )
    page.query_params["run"] = made["run"]
    page.run()
    assert not page.exception
    assert "This run relaunches job" in shown(page)
    assert f"On the {len(rows) - 1} images of the validation part that both hold out" in shown(page)


def test_without_changes_no_relaunch_is_offered(page: AppTest) -> None:
    page.query_params["section"] = "again"
    page.run()
    assert not page.exception
    assert "No image of the split was changed" in shown(page)
    # A link to another section of the page that is open is followed.
    page.query_params["section"] = "classes"
    page.run()
    assert page.segmented_control(key="section").value == "classes"
    page.segmented_control(key="section").select("again").run()
    assert page.query_params["section"] == "again"
    assert not [button for button in page.button if button.key == "relaunch"]


def test_what_cleaning_bought_is_asked_by_one_click_and_told(
    workspace: Workspace, page: AppTest, run: Run
) -> None:
    page.query_params["section"] = "again"
    page.run()
    assert "Cleaning has changed nothing" in shown(page)
    decide(workspace, run.dataset, {0: ("drop", None), 1: ("drop", None)}, who="Ada")
    _, prepared = build_split(workspace, read_dataset(workspace, run.dataset), seed=1)
    cleaned = add_run(workspace, prepared, "job-cleaned00000")
    add_report(workspace, cleaned, right=0.8)
    page.query_params["run"] = cleaned.id
    page.number_input(key="again_seeds").set_value(3).run()
    assert not page.exception
    assert "1 image that cleaning dropped, back in the train part" in shown(page)
    assert "6 runs, one after another" in shown(page)
    page.button(key="start_cleaning_study").click().run()
    assert not page.exception
    assert "Preparing the raw and the clean train part" in shown(page)
    train_study(workspace, {"raw": (0.5, 0.6, 0.5), "clean": (0.9, 1, 0.95)})
    page.run()
    assert not page.exception
    assert "The clean set is better than the raw images: accuracy +" in shown(page).replace("\\", "")
    table = next(entry.value for entry in page.dataframe if "Trained on" in entry.value)
    assert table["Trained on"].tolist() == ["The raw images", "The clean set"]
    labels = page.selectbox(key="run_picker").options
    assert sum("on raw images" in label for label in labels) == 3
    page.button(key="start_balance_study").click().run()
    assert not page.exception
    assert queue.list_jobs(workspace)[0].kind == "balance_study"
