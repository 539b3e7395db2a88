"""The Launch page: empty states, cost, warnings, and runs put into the queue."""

import json
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.components import launch_cost
from tests.app.opening import page_at
from wbc_core.augment.prepare import prepare
from wbc_core.augment.recipe import load_recipe
from wbc_core.curation.review import decide
from wbc_core.datasets.store import DatasetWriter
from wbc_core.jobs import launch_advice, queue
from wbc_core.jobs.worker import follow
from wbc_core.records import Dataset
from wbc_core.splitting import load_split, make_split
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

SIZE = 32


def open_page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, **ids: str) -> AppTest:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    page = page_at("launch", **ids).run()
    assert not page.exception
    return page


def shown(page: AppTest) -> str:
    elements = [
        *page.markdown,
        *page.warning,
        *page.error,
        *page.success,
        *page.info,
        *page.metric,
        *page.caption,
    ]
    return "\n".join(str(element.value) for element in elements)


@pytest.fixture
def dataset(workspace: Workspace) -> Dataset:
    """60 images of two classes."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], [40, 20])
    images = generator.integers(0, 256, (60, SIZE, SIZE, 3), dtype=np.uint8)
    with DatasetWriter(workspace, "noise", ("large", "small"), (SIZE, SIZE, 3)) as writer:
        writer.append(images, labels, [f"row {row}" for row in range(60)], np.full((60, 2), SIZE))
        return writer.finish("drawn")


@pytest.fixture
def prepared(workspace: Workspace, dataset: Dataset) -> str:
    """Id of the plain prepared set of its split."""
    split = make_split(workspace, dataset.id)
    return prepare(workspace, split.id, load_recipe(workspace, "plain")).id


def test_without_a_data_set_the_page_leads_to_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There is no data set yet" in shown(open_page(workspace, monkeypatch))


def test_without_a_prepared_set_the_page_leads_to_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset
) -> None:
    assert "There is no prepared set yet" in shown(open_page(workspace, monkeypatch, dataset=dataset.id))


def test_two_backbones_are_launched_at_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    assert "on 2 CPU cores" in shown(page)
    assert page.query_params["prepared"] == prepared
    page.pills(key="launch-backbones").set_value(["cnn", "mobilenet_v3_small"]).run()
    page.number_input(key="launch-epochs").set_value(3).run()
    page.selectbox(key="launch-class_weight").set_value("balanced").run()
    assert page.selectbox(key="launch-priority").value == "normal"
    page.selectbox(key="launch-priority").set_value("high").run()
    page.button(key="launch").click().run()
    assert not page.exception
    jobs = queue.list_jobs(workspace)
    assert {job.priority for job in jobs} == {"high"}
    specs = sorted((RunSpec.from_json(job.spec) for job in jobs), key=lambda spec: spec.backbone)
    assert [(job.kind, job.state) for job in jobs] == [("train", "queued")] * 2
    assert [spec.backbone for spec in specs] == ["cnn", "mobilenet_v3_small"]
    assert all((spec.prepared, spec.epochs, spec.class_weight) == (prepared, 3, "balanced") for spec in specs)
    assert "2 runs are in the queue" in shown(page)


def test_a_preset_fills_the_form(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    # The strongest small network is proposed where the package of its weights is installed.
    assert page.pills(key="launch-backbones").value == ["efficientnet_lite0"]
    assert page.selectbox(key="launch-weights").value == "imagenet"
    page.segmented_control(key="launch-preset").set_value("quick").run()
    assert page.number_input(key="launch-epochs").value == 10
    assert page.pills(key="launch-backbones").value == ["cnn"]
    assert "Changed here" not in shown(page)
    page.number_input(key="launch-epochs").set_value(12).run()
    assert "**Changed here:** Epochs." in shown(page)


def keys(page: AppTest) -> set[str]:
    return {element.key for element in (*page.number_input, *page.selectbox)}


def test_only_what_applies_is_asked_for_and_what_was_set_is_kept(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.segmented_control(key="launch-preset").set_value("quick").run()
    assert "launch-momentum" not in keys(page)
    assert "launch-plateau_factor" in keys(page)
    page.number_input(key="launch-plateau_factor").set_value(0.25).run()
    page.selectbox(key="launch-optimiser").set_value("sgd").run()
    page.selectbox(key="launch-schedule").set_value("cosine").run()
    assert "launch-momentum" in keys(page)
    assert "launch-plateau_factor" not in keys(page)
    page.selectbox(key="launch-schedule").set_value("plateau").run()
    assert page.number_input(key="launch-plateau_factor").value == 0.25
    assert "launch-pooling" not in keys(page)  # the plain CNN ends in features
    page.pills(key="launch-backbones").set_value(["cnn", "wbcnet"]).run()
    assert "launch-pooling" in keys(page)


def test_the_reports_freezing_study_is_three_runs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.segmented_control(key="launch-preset").set_value("report_freezing").run()
    page.button(key="launch").click().run()
    assert not page.exception
    freezings = {RunSpec.from_json(job.spec).freeze for job in queue.list_jobs(workspace)}
    assert freezings == {"none", "fraction:0.5", "type:convolution"}
    page.button(key="launch-once").click().run()
    assert page.button(key="launch").label == "Launch 1 run"
    assert "launch-freeze" in keys(page)


def test_a_long_run_says_how_to_wait_less(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    monkeypatch.setattr(launch_advice, "_LONG", 60.0)
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.pills(key="launch-backbones").set_value(["convnext_base"]).run()
    page.number_input(key="launch-epochs").set_value(1000).run()
    assert "With the backbone frozen whole" in shown(page)
    assert "is not in" in shown(page)  # its ImageNet weights, which no package holds
    page.selectbox(key="launch-freeze").set_value("all").run()
    assert "only the head learns" in shown(page)


def test_more_accumulation_than_an_epoch_has_steps_is_said(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.number_input(key="launch-batch_size").set_value(32).run()
    assert "gathered" not in shown(page)
    page.number_input(key="launch-accumulation").set_value(3).run()
    assert "An epoch has 2 steps, and 3 are gathered" in shown(page)


def test_runs_come_out_of_a_file(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.text_area(key="launch-file-text").set_value("backbone: cnn\nepochs: 5").run()
    page.button(key="launch-file-use").click().run()
    assert page.pills(key="launch-backbones").value == ["cnn"]
    assert page.number_input(key="launch-epochs").value == 5
    assert page.segmented_control(key="launch-preset").value is None
    assert "Filled from **the YAML file**" in shown(page)
    page.text_area(key="launch-file-text").set_value(
        "- backbone: cnn\n- backbone: cnn\n  freeze: nothing"
    ).run()
    page.button(key="launch-file-use").click().run()
    assert "There is no freezing" in shown(page).replace("\\", "")
    page.text_area(key="launch-file-text").set_value("- backbone: cnn\n- backbone: cnn\n  dropout: 0.1").run()
    page.button(key="launch-file-use").click().run()
    assert "2 runs from the file" in shown(page)
    page.button(key="launch").click().run()
    assert {RunSpec.from_json(job.spec).dropout for job in queue.list_jobs(workspace)} == {0.3, 0.1}
    page.button(key="launch-file-leave").click().run()
    assert page.pills(key="launch-backbones").value == ["cnn"]


def test_a_freezing_that_cannot_be_is_told_on_the_page(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.segmented_control(key="launch-preset").set_value("quick").run()
    page.pills(key="launch-backbones").set_value(["wbcnet"]).run()
    assert "type:layer_normalisation" not in page.selectbox(key="launch-freeze").options
    page.pills(key="launch-backbones").set_value(["wbcnet", "convnext_tiny"]).run()
    page.selectbox(key="launch-freeze").set_value("type:layer_normalisation").run()
    assert "would freeze nothing of WBCNet" in shown(page)
    assert page.button(key="launch").disabled
    page.selectbox(key="launch-freeze").set_value("type:convolution").run()
    assert not page.button(key="launch").disabled
    page.text_area(key="launch-file-text").set_value("backbone: cnn\nfreeze: count:6").run()
    page.button(key="launch-file-use").click().run()
    assert "at most 5 layers of Plain CNN" in shown(page)
    runs = "- backbone: cnn\n- backbone: cnn\n  freeze: type:batch_normalisation"
    page.text_area(key="launch-file-text").set_value(runs).run()
    page.button(key="launch-file-use").click().run()
    assert "would freeze nothing of Plain CNN" in shown(page)
    assert page.button(key="launch").disabled


def test_the_cost_is_measured_by_real_steps(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.segmented_control(key="launch-preset").set_value("quick").run()
    assert "on 2 CPU cores" in shown(page)
    page.button(key="launch-measure").click().run()
    (job,) = queue.active_jobs(workspace)
    assert "Measuring: Waiting, but no worker is running" in str(page.get("progress")[0].proto.text)
    assert follow(workspace, job.id).state == "succeeded"
    page.run()
    assert "as measured" in shown(page)
    assert "Measured on" in shown(page)
    measured = queue.get_job(workspace, job.id).result
    assert measured["memory_mb"] > 200
    page.button(key="launch").click().run()
    (launched,) = queue.active_jobs(workspace)
    assert launched.spec["foreseen"] == measured


def test_a_clone_fills_the_form_and_remembers_its_origin(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    spec = RunSpec(prepared, "mobilenet_v3_small", epochs=7, dropout=0.55)
    first = queue.submit(workspace, "train", spec.to_json()).id
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.session_state["clone"] = {**spec.to_json(), "clones": first, "source": f"run {first}"}
    page.run()
    assert page.segmented_control(key="launch-preset").value is None
    assert f"Filled from **run {first}**" in shown(page).replace("\\", "")
    assert page.pills(key="launch-backbones").value == ["mobilenet_v3_small"]
    assert page.number_input(key="launch-epochs").value == 7
    page.number_input(key="launch-learning_rate").set_value(3e-4).run()
    page.pills(key="launch-backbones").set_value(["mobilenet_v3_small", "cnn"]).run()
    page.button(key="launch").click().run()
    assert not page.exception
    other, clone = queue.list_jobs(workspace)[:2]
    assert RunSpec.from_json(clone.spec) == replace(spec, learning_rate=3e-4)
    assert clone.spec["clones"] == first
    assert "clones" not in other.spec  # another network
    page.button(key="launch").click().run()
    assert "clones" not in queue.list_jobs(workspace)[1].spec  # launched: from here on the form is one's own
    page.segmented_control(key="launch-preset").set_value("quick").run()
    assert page.number_input(key="launch-epochs").value == 10
    assert "Filled from" not in shown(page)


def test_without_a_backbone_nothing_can_be_launched(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.pills(key="launch-backbones").set_value([]).run()
    assert not page.exception
    assert page.button(key="launch").disabled
    assert "Choose at least one backbone" in shown(page)


def test_a_stale_split_and_a_class_without_validation_images_are_said(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    assert not page.warning
    decide(workspace, dataset.id, {0: ("drop", None)}, who="tester")
    path = next((workspace.home / "splits").glob("*.json"))
    split = load_split(workspace, path.stem)
    without = replace(split, parts={**split.parts, "validation": [split.parts["validation"][0], 0]})
    path.write_text(json.dumps(without.to_json()))
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    assert "made from an older clean set" in shown(page)
    assert "No validation image of small" in shown(page)


def test_a_gpu_that_leaves_while_the_page_is_drawn_is_said(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, prepared: str
) -> None:
    queue.announce_worker(workspace, "one", "there", "gpu:0")
    page = open_page(workspace, monkeypatch, dataset=dataset.id, prepared=prepared)
    page.segmented_control(key="launch-preset").set_value("quick").run()
    page.selectbox(key="launch-precision").set_value("float16").run()
    assert not page.error
    monkeypatch.setattr(launch_cost, "warnings", lambda *_: queue.withdraw_worker(workspace, "one"))
    page.button(key="launch").click().run()
    assert not page.exception
    assert "GPU" in page.error[0].value
    assert queue.list_jobs(workspace) == []
