"""The Sweep page: what a new sweep asks for and queues, and what came of one."""

from collections.abc import Sequence

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.results_lab import build_dataset, build_split
from wbc_core.jobs import queue
from wbc_core.jobs.sweep import start_sweep
from wbc_core.records import PreparedSet
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace


@pytest.fixture
def prepared(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> PreparedSet:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    return build_split(workspace, build_dataset(workspace))[1]


def open_page(prepared: PreparedSet | None = None) -> AppTest:
    page = page_at("sweep", **({"dataset": prepared.dataset} if prepared else {})).run()
    assert not page.exception
    return page


def shown(page: AppTest) -> str:
    elements = [*page.markdown, *page.error, *page.metric, *page.caption, *page.subheader]
    return "\n".join(str(element.value) for element in elements)


def finish(workspace: Workspace, runs: Sequence[str], ended: str = "all epochs done") -> None:
    """End runs well, the better the lower their dropout."""
    for run in runs:
        job, claim = queue.claim_next(workspace, ["train"], "cpu", only=run)
        accuracy = 0.9 - job.spec["dropout"]
        scores = {"val_accuracy": accuracy, "accuracy": accuracy - 0.01, "macro_f1": accuracy - 0.02}
        result = {**scores, "epochs": 2, "ended": ended, "run": run}
        queue.finish(workspace, run, claim, "succeeded", result=result)


def test_without_a_prepared_set_the_page_leads_to_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    assert "There is no data set yet" in shown(open_page())
    page = page_at("sweep", dataset=build_dataset(workspace).id).run()
    assert "There is no prepared set yet" in shown(page)


def test_a_grid_is_priced_and_queued(workspace: Workspace, prepared: PreparedSet) -> None:
    page = open_page(prepared)
    assert "No sweep has been started" in shown(page)
    page.multiselect(key="sweep-varied").set_value(["learning_rate", "class_weight"]).run()
    page.text_input(key="sweep-vary-learning_rate-list").set_value("0.01, 0.001, 0.1").run()
    page.multiselect(key="sweep-vary-class_weight").set_value(["none", "balanced"]).run()
    page.number_input(key="sweep-seeds").set_value(2).run()
    assert "6 trials, each 2 times: 12 runs" in shown(page)
    assert "on 2 CPU cores" in shown(page)
    page.button(key="sweep-start").click().run()
    assert not page.exception
    specs = [RunSpec.from_json(job.spec) for job in queue.list_jobs(workspace)]
    assert {(spec.learning_rate, spec.class_weight, spec.seed) for spec in specs} == {
        (rate, weight, seed)
        for rate in (0.01, 0.001, 0.1)
        for weight in ("none", "balanced")
        for seed in (0, 1)
    }
    assert all(spec.prepared == prepared.id and spec.epochs == 10 for spec in specs)
    assert "0 of 12" in shown(page)
    assert "no worker is running" in shown(page)
    assert set(page.dataframe[0].value["State"]) == {"queued"}
    page.button(key="sweep-cancel").click().run()
    assert {job.state for job in queue.list_jobs(workspace)} == {"cancelled"}


def test_a_drawn_search_with_folds_is_prepared_by_a_job(workspace: Workspace, prepared: PreparedSet) -> None:
    page = open_page(prepared)
    page.segmented_control(key="sweep-search").set_value("tpe").run()
    assert page.text_input(key="sweep-vary-learning_rate-range").value == "0.0001..0.01"
    page.number_input(key="sweep-trials").set_value(3).run()
    page.number_input(key="sweep-folds").set_value(2).run()
    page.selectbox(key="sweep-priority").set_value("low").run()
    assert "3 trials, each 2 times: 6 runs" in shown(page)
    page.text_input(key="sweep-vary-learning_rate-range").set_value("0.1..nothing").run()
    assert "learning_rate cannot be 'nothing'" in shown(page).replace("\\", "")
    assert not [button for button in page.button if button.key == "sweep-start"]
    page.text_input(key="sweep-vary-learning_rate-range").set_value("0.01..0.1").run()
    page.button(key="sweep-start").click().run()
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.priority) == ("cross_validation", "low")
    assert (job.spec["folds"], len(job.spec["specs"])) == (2, 3)
    assert "Preparing the folds" in shown(page)


def test_what_came_of_a_sweep_is_shown_and_its_best_opens_the_form(
    workspace: Workspace, prepared: PreparedSet
) -> None:
    grid = {"dropout": ["0.2", "0.1"], "learning_rate": ["0.001", "0.01"]}
    sweep, runs = start_sweep(workspace, prepared.id, "mobilenet_v3_small", grid, settings={"epochs": "7"})
    finish(workspace, runs[:3])
    finish(workspace, runs[3:], ended="pruned: validation accuracy 0.500 after 2 epochs")
    page = open_page(prepared)
    assert "Best so far: **trial 2**, dropout 0\\.1, learning rate 0\\.001" in shown(page)
    assert "4 of 4" in shown(page)
    assert page.query_params["sweep"] in (sweep, [sweep])
    table = page.dataframe[0].value
    assert table["State"].tolist() == ["succeeded"] * 3 + ["pruned"]
    assert table["Validation accuracy"].tolist() == ["70.0 %", "70.0 %", "80.0 %", "80.0 %"]
    assert "This can be told once 4 runs have finished" in shown(page)
    assert "no worker is running" not in shown(page)  # though none is: nothing waits
    page.button(key="sweep-use").click().run()
    assert not page.exception
    assert page.pills(key="launch-backbones").value == ["mobilenet_v3_small"]
    assert page.number_input(key="launch-dropout").value == 0.1
    assert page.number_input(key="launch-epochs").value == 7


def test_importance_is_asked_for_and_kept_in_the_lab(workspace: Workspace, prepared: PreparedSet) -> None:
    grid = {"dropout": ["0..0.4"], "epochs": ["1", "2"]}
    _, runs = start_sweep(workspace, prepared.id, "cnn", grid, search="random", trials=4, seeds=(0, 1))
    finish(workspace, runs)
    page = open_page(prepared)
    assert page.dataframe[0].value["Validation accuracy"].str.endswith("± 0 %").all()
    page.button(key="sweep-tell").click().run()
    job, claim = queue.claim_next(workspace, ["sweep_importance"], "cpu")
    queue.finish(
        workspace,
        job.id,
        claim,
        "succeeded",
        result={"runs": 8, "importance": {"dropout": 0.9, "epochs": 0.1}},
    )
    page.run()
    assert not page.exception
    assert "on 8 finished runs" in shown(page)


def test_repeats_alone_have_a_mean_and_a_spread(workspace: Workspace, prepared: PreparedSet) -> None:
    _, runs = start_sweep(workspace, prepared.id, "cnn", {}, seeds=(0, 1, 2))
    finish(workspace, runs[:2])
    page = open_page(prepared)
    assert page.dataframe[0].value["State"].tolist() == ["2 of 3 succeeded"]
    assert page.dataframe[0].value["Macro-F1"].tolist() == ["58.0 ± 0 %"]


def test_the_size_that_counts_is_what_the_network_sees(prepared: PreparedSet) -> None:
    page = open_page(prepared)
    page.selectbox[1].set_value("inception_v3").run()
    assert "too small for InceptionV3" in shown(page)
    page.multiselect(key="sweep-varied").set_value(["input_size"]).run()
    page.text_input(key="sweep-vary-input_size-list").set_value("96, 80").run()
    assert page.button(key="sweep-start").label == "Train 2 networks"
    page.text_input(key="sweep-vary-input_size-list").set_value("96, 64").run()
    assert "too small for InceptionV3" in shown(page)
