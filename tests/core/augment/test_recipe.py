"""Recipes: presets, saved ones, and files that anybody may have written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wbc_core.augment.recipe import (
    PRESETS,
    delete_recipe,
    list_recipes,
    load_recipe,
    parse_recipe,
    recipe_from_text,
    rename_recipe,
    save_recipe,
)
from wbc_core.errors import WbcError
from wbc_core.records import Operation, Recipe, content_id
from wbc_core.workspace import Workspace


def test_presets_survive_json() -> None:
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert parse_recipe(preset.to_json()) == preset


def test_the_preset_of_the_report_stays_what_prepared_sets_were_made_from() -> None:
    assert content_id("pr", {"recipe": PRESETS.get("plain").to_json()}) == "pr-ba96fb7a97bf"
    assert content_id("pr", {"recipe": PRESETS.get("an2dl").to_json()}) == "pr-c5b7201faeea"
    report = ["auto_contrast", "random_saturation", "solarization", "random_cutout"]
    assert [operation.name for operation in PRESETS.get("an2dl").operations] == report
    assert [entry.name for entry in PRESETS.get("an2dl_randaugment").operations] == [*report, "rand_augment"]


def test_a_saved_recipe_is_found_by_name_and_by_path(workspace: Workspace, tmp_path: Path) -> None:
    online = (Operation("mix_up", {"alpha": 0.3}, 0.5), Operation("flip", classes=("ig",)))
    recipe = Recipe("mine", "random_over", (Operation("random_cutout", {"width_factor": 0.2}),), 4, online)
    saved = save_recipe(workspace, recipe)
    assert saved.operations[0].parameters == {"height_factor": 0.5, "width_factor": 0.2, "fill_value": 0.0}
    assert load_recipe(workspace, "mine") == saved
    path = tmp_path / "elsewhere.json"
    path.write_text(json.dumps(recipe.to_json()))
    assert load_recipe(workspace, str(path)) == saved
    assert list_recipes(workspace) == [saved]
    assert load_recipe(workspace, "an2dl") == PRESETS.get("an2dl")


def test_a_missing_recipe_lists_those_there_are(workspace: Workspace) -> None:
    save_recipe(workspace, Recipe("mine"))
    with pytest.raises(WbcError, match=r"plain, an2dl, an2dl_randaugment, .*mine"):
        load_recipe(workspace, "yours")


@pytest.mark.parametrize("name", ["", "../escape", "a/b", "a\\b", ".hidden", "x" * 41, "a\n", "plain"])
def test_names_that_could_leave_the_folder_are_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(WbcError, match="name"):
        save_recipe(workspace, Recipe(name))
    assert not workspace.recipes_dir.exists()


@pytest.mark.parametrize(
    ("plain", "word"),
    [
        ([], "no JSON object"),
        ({}, "'name'"),
        ({"name": 3}, "'name'"),
        ({"name": "a", "epochs": 3}, "'epochs'"),
        ({"name": "a", "balance": "adasin"}, "random_under"),
        ({"name": "a", "balance": ["smote"]}, "'balance'"),
        ({"name": "a", "seed": -1}, "'seed'"),
        ({"name": "a", "seed": True}, "'seed'"),
        ({"name": "a", "seed": 1.5}, "'seed'"),
        ({"name": "a", "seed": 10**30}, "'seed'"),
        ({"name": "a", "operations": {}}, "'operations'"),
        ({"name": "a", "operations": ["auto_contrast"]}, "Operation 1"),
        ({"name": "a", "operations": [{"name": "sepia"}]}, "auto_contrast, random_saturation"),
        ({"name": "a", "operations": [{"name": {}}]}, "'name' of operation 1"),
        ({"name": "a", "operations": [{"name": "solarization", "when": 1}]}, "'when'"),
        ({"name": "a", "operations": [{"name": "solarization", "parameters": [1]}]}, "'parameters'"),
        ({"name": "a", "operations": [{"name": "solarization", "parameters": {"x": 1}}]}, "'x'"),
        (
            {"name": "a", "operations": [{"name": "random_cutout", "parameters": {"fill_value": 300}}]},
            "'fill_value'",
        ),
        ({"name": "a", "operations": [{"name": "auto_contrast"}] * 33}, "'operations'"),
        ({"name": "a", "balance": "smote", "balance_parameters": {"cap": 0}}, "'cap'"),
        ({"name": "a", "balance_parameters": {"neighbours": "pixels"}}, "'neighbours'"),
        ({"name": "a", "balance_parameters": "cap"}, "'balance_parameters'"),
        ({"name": "a", "leaky": 1}, "'leaky'"),
        ({"name": "a", "online": [{"name": "flip"}] * 33}, "'online'"),
        ({"name": "a", "online": {}}, "'online'"),
        ({"name": "a", "engine": "torchvision"}, "'engine'"),
        ({"name": "a", "engine": ["lab"]}, "'engine'"),
        ({"name": "a", "engine": "keras_cv", "operations": [{"name": "stain_jitter"}]}, "stain_jitter"),
        ({"name": "a", "online": [{"name": "sepia"}]}, "sepia"),
        ({"name": "a", "operations": [{"name": "mix_up"}]}, "'online'"),
        ({"name": "a", "online": [{"name": "mix_up", "parameters": {"alpha": 0}}]}, "'alpha'"),
        ({"name": "a", "online": [{"name": "flip", "probability": 1.5}]}, "probability"),
        ({"name": "a", "online": [{"name": "flip", "probability": True}]}, "probability"),
        ({"name": "a", "online": [{"name": "flip", "classes": "ig"}]}, "'classes'"),
        ({"name": "a", "online": [{"name": "flip", "classes": [3]}]}, "classes"),
    ],
)
def test_hostile_recipes_name_the_offending_key(plain: object, word: str) -> None:
    with pytest.raises(WbcError, match=word):
        parse_recipe(plain)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff\xfe\x00", b'{"name": "a", "seed": NaN}', b"[" * 60_000, b'{"name": 1e999}'],
)
def test_text_that_is_no_recipe_is_refused(text: bytes) -> None:
    with pytest.raises(WbcError):
        recipe_from_text(text)


def test_files_too_large_or_damaged_are_refused_and_not_listed(workspace: Workspace) -> None:
    workspace.recipes_dir.mkdir(parents=True)
    (workspace.recipes_dir / "large.json").write_bytes(b" " * 70_000)
    (workspace.recipes_dir / "damaged.json").write_text("{")
    (workspace.recipes_dir / "other.json").write_text('{"name": "../../x"}')
    assert list_recipes(workspace) == []
    with pytest.raises(WbcError, match=r"large\.json is too large"):
        load_recipe(workspace, "large")
    with pytest.raises(WbcError, match=r"damaged\.json"):
        load_recipe(workspace, "damaged")


def test_what_older_recipes_lack_does_not_change_their_id(workspace: Workspace) -> None:
    assert set(Recipe("mine", "smote").to_json()) == {"name", "balance", "operations", "seed"}
    recipe = Recipe("mine", "smote", balance_parameters={"cap": 9, "neighbours": "pixels"}, leaky=True)
    saved = save_recipe(workspace, recipe)
    assert saved.balance_parameters == {"cap": 9}
    assert load_recipe(workspace, "mine") == saved


def test_only_the_preset_that_says_so_is_leaky() -> None:
    assert [name for name in PRESETS if PRESETS.get(name).leaky] == ["an2dl_leaky"]


def test_saved_recipes_are_renamed_and_deleted(workspace: Workspace) -> None:
    first = save_recipe(workspace, Recipe("first", "smote", (Operation("flip"),), seed=4))
    save_recipe(workspace, Recipe("second"))
    for name in ("second", "an2dl", "../first", ""):
        with pytest.raises(WbcError):
            rename_recipe(workspace, "first", name)
    assert rename_recipe(workspace, "first", "third") == replace(first, name="third")
    assert [recipe.name for recipe in list_recipes(workspace)] == ["second", "third"]
    delete_recipe(workspace, "third")
    assert [recipe.name for recipe in list_recipes(workspace)] == ["second"]
    for name in ("third", "../recipes/second", "plain"):
        with pytest.raises(WbcError, match="no saved recipe"):
            delete_recipe(workspace, name)
