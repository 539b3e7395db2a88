"""The Augment page: presets, sliders, the preview, saving, and preparing as a job."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from wbc_core.augment.prepare import prepare
from wbc_core.augment.recipe import PRESETS, load_recipe
from wbc_core.datasets.store import DatasetWriter
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.jobs import queue
from wbc_core.records import Operation, Recipe, Split
from wbc_core.splitting import make_split
from wbc_core.workspace import Workspace


@pytest.fixture
def split(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Split:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    labels = np.repeat(np.arange(3), (12, 20, 8))
    with DatasetWriter(workspace, "cells", ["basophil", "eosinophil", "ig"], (96, 96, 3)) as writer:
        images = draw_cells(np.random.default_rng(0), labels)
        writer.append(images, labels, [f"{row}.png" for row in range(40)], np.full((40, 2), 96))
        dataset = writer.finish("cells")
    return make_split(workspace, dataset.id)


@pytest.fixture
def page() -> AppTest:
    return AppTest.from_file("../../app/main.py", default_timeout=30).switch_page("views/augment.py")


def shown(page: AppTest) -> str:
    elements = [*page.markdown, *page.caption, *page.subheader, *page.warning, *page.error, *page.success]
    return "\n".join(str(element.value) for element in elements)


def pictures(page: AppTest) -> str:
    return next(element.body for element in page.get("html") if "wbc-table" in element.body)


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def after(page: AppTest) -> int:
    value = next(metric.value for metric in page.metric if metric.label == "After the recipe")
    return int(value.replace(",", ""))


def test_without_a_split_the_page_leads_to_one(workspace: Workspace, split: Split, page: AppTest) -> None:
    for path in (workspace.home / "splits").iterdir():
        path.unlink()
    page.run()
    assert not page.exception
    assert "There is no split yet" in shown(page)


def test_the_preset_is_previewed_beside_its_originals(split: Split, page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert after(page) == 5 * 3 * max(split.parts["train"])
    assert pictures(page).count("<img") == 8 * 5
    assert " px at " in pictures(page)
    page.selectbox(key="recipe").set_value("plain").run()
    assert not page.exception
    assert after(page) == sum(split.parts["train"])
    assert pictures(page).count("<img") == 8


def test_sliders_and_the_seed_change_the_preview(split: Split, page: AppTest) -> None:
    page.run()
    first = pictures(page)
    page.slider(key="recipe_random_cutout_width_factor").set_value(1.0).run()
    assert not page.exception
    moved = pictures(page)
    assert moved != first
    press(page, "Re-draw")
    assert not page.exception
    assert page.number_input(key="recipe_seed").value == 1
    assert pictures(page) != moved
    assert "an2dl-edited" in shown(page)


def test_a_recipe_is_saved_and_found_again(workspace: Workspace, split: Split, page: AppTest) -> None:
    page.run()
    page.multiselect(key="recipe_operations").set_value(["solarization"]).run()
    page.text_input(key="recipe_name").set_value("mine").run()
    press(page, "Save recipe")
    assert not page.exception
    saved = load_recipe(workspace, "mine")
    assert [operation.name for operation in saved.operations] == ["solarization"]
    assert page.selectbox(key="recipe").value == "mine"
    assert "Saved as mine" in shown(page)


def test_a_name_that_cannot_be_used_is_explained(split: Split, page: AppTest) -> None:
    page.run()
    page.text_input(key="recipe_name").set_value("../mine").run()
    assert not page.exception
    assert "'name' cannot be used" in shown(page)


def test_preparing_is_a_job_that_carries_the_whole_recipe(
    workspace: Workspace, split: Split, page: AppTest
) -> None:
    page.run()
    press(page, f"Prepare {after(page):,} images")
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert job.kind == "prepare"
    assert job.spec == {"split": split.id, "recipe": PRESETS.get("an2dl").to_json()}
    assert "Preparing an2dl" in shown(page)
    page.run()
    button = next(button for button in page.button if button.label.startswith("Prepare "))
    assert button.disabled


def test_a_link_to_a_prepared_set_opens_its_recipe(workspace: Workspace, split: Split, page: AppTest) -> None:
    prepare(workspace, split.id, PRESETS.get("an2dl"))
    mine = Recipe("mine", "random_under", (Operation("random_cutout", {"width_factor": 0.15}),), 9)
    prepared = prepare(workspace, split.id, mine)
    for kind, identifier in (("dataset", split.dataset), ("split", split.id), ("prepared", prepared.id)):
        page.query_params[kind] = identifier
    page.run()
    assert not page.exception
    assert page.text_input(key="recipe_name").value == "mine"
    assert page.slider(key="recipe_random_cutout_width_factor").value == 0.15
    assert page.number_input(key="recipe_seed").value == 9
    assert "This recipe is prepared" in shown(page)


def test_a_prepared_set_is_listed_and_chosen(workspace: Workspace, split: Split, page: AppTest) -> None:
    prepared = prepare(workspace, split.id, PRESETS.get("an2dl"))
    page.run()
    assert not page.exception
    assert page.query_params["prepared"] == prepared.id
    assert "This recipe is prepared" in shown(page)
    assert not [button for button in page.button if button.label.startswith("Prepare ")]
