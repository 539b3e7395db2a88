"""The Compare page: verdicts in words, refusals, missing reports."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from tests.results_lab import add_report, add_run, build_dataset, build_split
from wbc_core.backbones.registry import BACKBONES
from wbc_core.evaluation.published import PUBLISHED
from wbc_core.jobs import queue
from wbc_core.records import Dataset, PreparedSet
from wbc_core.training.runs import write_run
from wbc_core.workspace import Workspace

ONE, TWO, THREE = "job-00000000000a", "job-00000000000b", "job-00000000000c"


@pytest.fixture
def page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return page_at("compare")


@pytest.fixture
def dataset(workspace: Workspace) -> Dataset:
    return build_dataset(workspace, per_class=(200, 150, 100))


@pytest.fixture
def prepared(workspace: Workspace, dataset: Dataset) -> PreparedSet:
    return build_split(workspace, dataset)[1]


def test_one_run_is_not_enough(workspace: Workspace, page: AppTest, prepared: PreparedSet) -> None:
    add_report(workspace, add_run(workspace, prepared, ONE), right=0.9)
    page.run()
    assert not page.exception
    assert "A comparison needs two runs with reports" in shown(page)


def test_two_runs_are_compared_in_words(workspace: Workspace, page: AppTest, prepared: PreparedSet) -> None:
    add_report(workspace, add_run(workspace, prepared, ONE, learning_rate=0.01), right=0.6)
    add_report(workspace, add_run(workspace, prepared, TWO, backbone="mobilenet_v3_small"), right=0.95)
    page.run()
    assert not page.exception
    assert "is better than cnn" in shown(page).replace("\\", "")
    table = page.dataframe[0].value
    assert set(table["Run"]) == {"cnn", "mobilenet_v3_small"}
    assert "Learning rate" in table.columns
    assert "Settings that differ: learning rate" in shown(page)
    assert "One seed each" in shown(page)
    page.segmented_control(key="section").set_value("images")
    page.run()
    assert not page.exception
    assert "of 225 images" in shown(page)


def test_runs_of_different_splits_are_compared_apart(
    workspace: Workspace, page: AppTest, prepared: PreparedSet, dataset: Dataset
) -> None:
    add_report(workspace, add_run(workspace, prepared, ONE), right=0.9)
    add_report(workspace, add_run(workspace, prepared, THREE, learning_rate=0.01), right=0.9)
    add_report(workspace, add_run(workspace, build_split(workspace, dataset, seed=1)[1], TWO), right=0.9)
    page.run()
    page.multiselect(key="runs_picker").set_value([ONE, THREE, TWO]).run()
    assert not page.exception
    assert page.query_params["runs"] == f"{ONE},{THREE},{TWO}"
    assert "no paired test applies across them" in shown(page)
    assert "no difference shown" in shown(page)
    assert "cnn is the only chosen run on this split" in shown(page)


def test_seeds_are_pooled(workspace: Workspace, page: AppTest, prepared: PreparedSet) -> None:
    for number, run_id in enumerate((ONE, TWO, THREE)):
        run = add_run(workspace, prepared, run_id, seed=number % 2, learning_rate=0.01 if number < 2 else 0.1)
        add_report(workspace, run, right=0.9 if number < 2 else 0.5, seed=number)
    page.run()
    assert not page.exception
    table = page.dataframe[0].value
    assert set(table["Seeds"]) == {"2 seeds", "one seed"}
    assert "is better than cnn (learning rate 0.1)" in shown(page).replace("\\", "")
    assert len(page.dataframe[2].value) == 3


def test_a_run_without_report_offers_to_evaluate_it(
    workspace: Workspace, page: AppTest, prepared: PreparedSet
) -> None:
    add_report(workspace, add_run(workspace, prepared, ONE), right=0.9)
    add_run(workspace, prepared, TWO)
    page.run()
    assert not page.exception
    page.button(key=f"evaluate-{TWO}").click().run()
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec) == ("evaluate", {"run": TWO})


def test_every_section_shows_what_its_title_says(
    workspace: Workspace, page: AppTest, prepared: PreparedSet
) -> None:
    add_report(workspace, add_run(workspace, prepared, ONE), right=0.6)
    add_report(workspace, add_run(workspace, prepared, TWO, backbone="wbcnet"), right=0.95, seed=1)
    latency = {"batches": {"1": {"median_ms": 2.5}}, "processor": "a test's processor"}
    workspace.write_json(workspace.run_dir(ONE) / "latency.json", latency)
    page.query_params["section"] = "cost"
    page.run()
    assert "On the Pareto front, where nothing cheaper is as good: wbcnet." in shown(page)
    assert "No latency measured of wbcnet" in shown(page)
    page.segmented_control(key="cost").set_value("latency_ms").run()
    assert "as good: cnn." in shown(page)
    for section in ("classes", "curves"):
        page.segmented_control(key="section").set_value(section).run()
        assert not page.exception
        assert len(page.get("plotly_chart")) == 1
    page.segmented_control(key="section").set_value("confusions").run()
    assert not page.exception
    changes = page.dataframe[0].value
    assert (changes["B - A"] == changes["B"] - changes["A"]).all()
    assert page.query_params["matrix-b"] in (ONE, TWO)


def test_an_ensemble_is_asked_for_and_joins_the_comparison(
    workspace: Workspace, page: AppTest, prepared: PreparedSet
) -> None:
    for number, run_id in enumerate((ONE, TWO)):
        add_report(workspace, add_run(workspace, prepared, run_id, seed=number), right=0.9, seed=number)
    page.query_params["section"] = "ensemble"
    page.run()
    page.segmented_control(key="weights").set_value("validation").run()
    assert "will be a little hopeful" in shown(page)
    page.button(key="build-ensemble").click().run()
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert job.kind == "ensemble"
    assert sorted(job.spec["runs"]) == [ONE, TWO]
    ensemble = replace(
        add_run(workspace, prepared, "en-00000000000c", backbone="ensemble"),
        members=(ONE, TWO),
        member_weights=(0.75, 0.25),
        member_weighting="validation",
    )
    write_run(workspace, ensemble)
    add_report(workspace, ensemble, right=0.95, seed=7)
    claimed = queue.claim_next(workspace, ["ensemble"], "cpu")
    assert claimed
    queue.finish(workspace, job.id, claimed[1], "succeeded", result={"run": ensemble.id})
    page.run()
    assert not page.exception
    assert ensemble.id in page.query_params["runs"].split(",")
    assert page.dataframe[0].value["Weight"].tolist() == ["75.0 %", "25.0 %"]
    page.segmented_control(key="section").set_value("differences").run()
    assert "ensemble: its weights were fitted on these very images" in shown(page)


def test_published_figures_stand_beside_ours_and_are_not_tested(
    workspace: Workspace, page: AppTest, prepared: PreparedSet
) -> None:
    assert {row.backbone for table in PUBLISHED.values() for row in table.rows} <= {"", *BACKBONES}
    add_report(workspace, add_run(workspace, prepared, ONE), right=0.6)
    add_report(workspace, add_run(workspace, prepared, TWO, backbone="wbcnet"), right=0.95, seed=1)
    page.query_params["section"] = "published"
    page.run()
    assert not page.exception
    assert "no difference between them and our runs is computed" in shown(page)
    table = page.dataframe[0].value.set_index("Model")
    assert table.loc["Custom CNN", "Published"] == "40.0 %"
    assert table.loc["Custom CNN", "Ours, validation part"].startswith("55.6 % (")
    assert table.loc["wbcnet", "Published"] == "–"
    page.segmented_control(key="published").set_value("field").run()
    assert page.dataframe[0].value["Published"].iloc[0] == "96.9 %"
