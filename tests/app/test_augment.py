"""The Augment page: cards in two stages, the preview, the guard, saving, and preparing as a job."""

import json
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.components import augment_guard
from tests.app.opening import page_at, page_drawn_by
from wbc_core.augment.prepare import prepare
from wbc_core.augment.recipe import PRESETS, check_recipe, list_recipes, load_recipe, save_recipe
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
def page(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(augment_guard, "SETTLE_SECONDS", 0.0)
    return page_at("augment")


def shown(page: AppTest) -> str:
    elements = [*page.markdown, *page.caption, *page.subheader, *page.warning, *page.error, *page.success]
    return "\n".join(str(element.value) for element in [*elements, *page.info])


def pictures(page: AppTest, kind: str = "wbc-pairs") -> str:
    return next(element.body for element in page.get("html") if f'class="{kind}"' in element.body)


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def press_help(page: AppTest, text: str) -> AppTest:
    return next(button for button in page.button if button.help == text).click().run()


def slider(page: AppTest, title: str):
    return next(entry for entry in page.slider if entry.label.startswith(title))


def adding(page: AppTest, stage: str):
    return next(box for box in page.selectbox if (box.key or "").startswith(f"recipe_add_{stage}"))


def add(page: AppTest, stage: str, name: str) -> AppTest:
    return adding(page, stage).set_value(name).run()


def titles(page: AppTest) -> list[str]:
    return [button.label.split("**")[1] for button in page.button if button.label.startswith("**")]


def after(page: AppTest) -> int:
    value = next(metric.value for metric in page.metric if metric.label == "After the recipe")
    return int(value.replace(",", ""))


def saved_as(page: AppTest, workspace: Workspace, name: str) -> Recipe:
    page.text_input(key="recipe_name").set_value(name).run()
    press(page, "Save recipe")
    assert not page.exception
    return load_recipe(workspace, name)


def test_without_a_split_the_page_leads_to_one(workspace: Workspace, split: Split, page: AppTest) -> None:
    for path in (workspace.home / "splits").iterdir():
        path.unlink()
    page.run()
    assert not page.exception
    assert "There is no split yet" in shown(page)


def test_the_open_card_is_previewed_beside_its_originals(split: Split, page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert after(page) == 5 * 3 * max(split.parts["train"])
    assert titles(page) == ["Auto contrast", "Random saturation", "Solarization", "Random cutout"]
    examples = min(24, sum(split.parts["train"]))
    assert pictures(page).count("<img") >= 2 * (examples - 4)
    assert pictures(page).count("saturation x ") >= examples - 4
    press(page, "**Random cutout**")
    assert not page.exception
    assert " px at " in pictures(page)
    page.selectbox(key="recipe").set_value("plain").run()
    assert not page.exception
    assert after(page) == sum(split.parts["train"])
    assert titles(page) == []


def test_sliders_and_the_seed_change_the_preview(split: Split, page: AppTest) -> None:
    page.run()
    first, strip = pictures(page), pictures(page, "wbc-pictures")
    assert strip.count("<img") == 8
    slider(page, "Strongest").set_value(1.0).run()
    assert not page.exception
    moved = pictures(page)
    assert moved != first
    press(page, "Re-draw")
    assert not page.exception
    assert page.number_input(key="recipe_seed").value == 1
    assert pictures(page) != moved
    assert "an2dl-edited" in shown(page)


def test_cards_are_added_moved_copied_and_taken_out(
    workspace: Workspace, split: Split, page: AppTest
) -> None:
    page.run()
    press_help(page, "Move up: Solarization")
    assert titles(page) == ["Auto contrast", "Solarization", "Random saturation", "Random cutout"]
    add(page, "operations", "rotation")
    assert titles(page)[-1] == "Rotation"
    slider(page, "Angle").set_value(45.0).run()
    press(page, "Duplicate")
    slider(page, "Angle").set_value(90.0).run()
    press(page, "**Auto contrast**")
    press(page, "Remove")
    assert not page.exception
    made = saved_as(page, workspace, "mine")
    assert [operation.name for operation in made.operations] == [
        "solarization",
        "random_saturation",
        "random_cutout",
        "rotation",
        "rotation",
    ]
    assert [operation.parameters.get("degrees") for operation in made.operations[3:]] == [45.0, 90.0]
    assert page.selectbox(key="recipe").value == "mine"
    assert "Saved as mine" in shown(page)


def _choose_in_one_field() -> None:
    import streamlit as st

    from app.components import recipe_draft

    key = recipe_draft.adding_key("online")
    for name in ("rotation", "rotation", "mix_up"):
        st.session_state[key] = name
        recipe_draft.add("online", key)
    st.text(" ".join(card.operation.name for card in recipe_draft.cards("online")))


def test_a_field_that_still_stands_takes_another_choice_but_not_the_same_one() -> None:
    page = page_drawn_by(_choose_in_one_field)
    page.session_state["recipe_cards"] = {"online": []}
    assert page.run().text[0].value == "rotation mix_up"


def test_an_operation_is_for_some_images_and_some_classes(
    workspace: Workspace, split: Split, page: AppTest
) -> None:
    page.run()
    slider(page, "Share of images").set_value(40).run()
    next(entry for entry in page.multiselect if entry.label == "Classes").set_value(["ig"]).run()
    assert not page.exception
    assert "as it is" in pictures(page)
    assert any("40% · ig" in button.label for button in page.button)
    operation = saved_as(page, workspace, "mine").operations[1]
    assert (operation.probability, operation.classes) == (0.4, ("ig",))


def test_the_online_stage_is_shown_epoch_by_epoch(workspace: Workspace, split: Split, page: AppTest) -> None:
    page.run()
    page.selectbox(key="recipe").set_value("plain").run()
    page.selectbox(key="recipe_balance").set_value("smote").run()
    add(page, "online", "rotation")
    first = pictures(page)
    assert "turned by" in first
    page.number_input(key="augment_epoch").set_value(3).run()
    assert not page.exception
    assert pictures(page) != first
    add(page, "online", "mix_up")
    assert " of another image" in pictures(page)
    assert "%, " in pictures(page) or " % " in pictures(page)
    made = saved_as(page, workspace, "mine")
    assert [operation.name for operation in made.online] == ["rotation", "mix_up"]
    assert made.operations == ()
    page.segmented_control(key="augment_view").set_value("whole").run()
    assert not page.exception
    assert "What training gets in epoch 3" in shown(page)
    assert "MixUp (" in pictures(page)


def test_the_whole_recipe_is_a_figure_for_print(split: Split, page: AppTest) -> None:
    page.run()
    page.segmented_control(key="augment_view").set_value("whole").run()
    assert not page.exception
    assert pictures(page, "wbc-scroll").count("<img") == 3 * 5
    assert "17.0 x " in shown(page).replace("\\", "")
    assert page.query_params["augment_view"] == "whole"


def test_the_guard_warns_of_images_that_the_scan_would_flag(split: Split, page: AppTest) -> None:
    page.run()
    page.selectbox(key="recipe").set_value("plain").run()
    add(page, "operations", "flip")
    assert "The scan would flag as foreign or empty none of the copies by Flip" in shown(page)
    add(page, "operations", "brightness")
    slider(page, "Change").set_value(1.0).run()
    assert not page.exception
    assert "% of the copies by Brightness (exposure" in shown(page)
    assert "Look whether a cell is left" in shown(page)


def test_keras_cv_says_that_it_has_no_preview(workspace: Workspace, split: Split, page: AppTest) -> None:
    page.run()
    page.selectbox(key="recipe_engine").set_value("keras_cv").run()
    assert not page.exception
    assert "There is no preview of what KerasCV makes" in shown(page)
    assert "elastic" not in adding(page, "operations").options
    assert "Elastic" not in " ".join(adding(page, "operations").options)
    assert saved_as(page, workspace, "mine").engine == "keras_cv"
    page.selectbox(key="recipe_engine").set_value("lab").run()
    add(page, "operations", "elastic")
    page.selectbox(key="recipe_engine").set_value("keras_cv").run()
    assert not page.exception
    assert "KerasCV has no layer" in shown(page).replace("\\", "")


def test_a_recipe_file_is_taken_in_whole(workspace: Workspace, split: Split, page: AppTest) -> None:
    recipe = Recipe(
        "shared",
        "smote",
        (Operation("flip", probability=0.5),),
        seed=6,
        online=(Operation("cut_mix", classes=("ig",)),),
    )
    page.run()
    page.file_uploader(key="recipe_file").upload(
        "recipe.json", json.dumps(recipe.to_json()).encode(), "application/json"
    ).run()
    assert not page.exception
    assert "file" in shown(page)
    page.file_uploader(key="recipe_file").upload("bad.json", b"{", "application/json").run()
    assert "holds no JSON" in shown(page)
    press(page, "Save recipe")
    assert load_recipe(workspace, "shared") == check_recipe(recipe)


def test_saved_recipes_are_listed_renamed_and_deleted(
    workspace: Workspace, split: Split, page: AppTest
) -> None:
    saved = save_recipe(workspace, replace(PRESETS.get("an2dl"), name="mine"))
    page.run()
    assert page.selectbox(key="recipe_saved").options == [f"mine · {saved.id}"]
    page.text_input(key="recipe_rename_mine").set_value("../yours").run()
    press(page, "Rename")
    assert "cannot be used" in shown(page)
    page.text_input(key="recipe_rename_mine").set_value("yours").run()
    press(page, "Rename")
    assert not page.exception
    assert [recipe.name for recipe in list_recipes(workspace)] == ["yours"]
    page.selectbox(key="recipe").set_value("yours").run()
    press(page, "Delete")
    assert not page.exception
    assert list_recipes(workspace) == []
    assert page.selectbox(key="recipe").value == "plain"


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
    assert slider(page, "Width").value == 0.15
    assert page.number_input(key="recipe_seed").value == 9
    assert "This recipe is prepared" in shown(page)


def test_a_prepared_set_is_listed_and_chosen(workspace: Workspace, split: Split, page: AppTest) -> None:
    prepared = prepare(workspace, split.id, PRESETS.get("an2dl"))
    page.run()
    assert not page.exception
    assert page.query_params["prepared"] == prepared.id
    assert "This recipe is prepared" in shown(page)
    assert not [button for button in page.button if button.label.startswith("Prepare ")]


def test_a_plan_chosen_on_the_page_before_is_taken_over(
    workspace: Workspace, split: Split, page: AppTest
) -> None:
    page.session_state["recipe_wanted_balance"] = ("smote", {"cap": 9})
    page.run()
    assert not page.exception
    assert page.selectbox(key="recipe_balance").value == "smote"
    assert "cap 9" in shown(page)
    assert after(page) == 5 * 3 * 9
    assert saved_as(page, workspace, "mine").balance_parameters == {"cap": 9}
