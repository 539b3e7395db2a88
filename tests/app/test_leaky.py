"""The watermark of the leaky order, and what the form of a recipe keeps without showing it."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.app.opening import page_at
from tests.app.shown import shown
from wbc_core.augment.prepare import prepare
from wbc_core.augment.recipe import save_recipe
from wbc_core.balance.leaky import WARNING
from wbc_core.datasets.store import DatasetWriter
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.jobs import queue
from wbc_core.records import Recipe, Split
from wbc_core.splitting import make_split
from wbc_core.workspace import Workspace


@pytest.fixture
def split(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Split:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    labels = np.repeat(np.arange(3), (12, 20, 8))
    with DatasetWriter(workspace, "cells", ["basophil", "eosinophil", "ig"], (96, 96, 3)) as writer:
        images = draw_cells(np.random.default_rng(0), labels)
        writer.append(images, labels, [f"{row}.png" for row in range(40)], np.full((40, 2), 96))
        return make_split(workspace, writer.finish("cells").id)


def page_of(view: str) -> AppTest:
    page = page_at(view).run()
    assert not page.exception, page.exception
    return page


def test_the_preset_says_what_it_does_before_and_after_it_is_prepared(
    workspace: Workspace, split: Split
) -> None:
    page = page_of("augment")
    assert WARNING not in shown(page)
    page.selectbox(key="recipe").set_value("an2dl_leaky").run()
    assert not page.exception
    assert WARNING in shown(page)
    next(button for button in page.button if button.label.startswith("Prepare ")).click().run()
    spec = queue.list_jobs(workspace)[0].spec
    assert spec["recipe"]["leaky"]
    prepare(workspace, split.id, Recipe.from_json(spec["recipe"]))
    page = page_of("launch")
    assert not page.exception
    assert WARNING in shown(page)


def test_parameters_of_a_plan_stay_with_it(workspace: Workspace, split: Split) -> None:
    save_recipe(workspace, Recipe("capped", "smote", balance_parameters={"cap": 10}))
    page = page_of("augment")
    page.selectbox(key="recipe").set_value("capped").run()
    assert not page.exception
    counts = next(metric.value for metric in page.metric if metric.label == "After the recipe")
    assert counts == "30"
    next(button for button in page.button if button.label.startswith("Prepare ")).click().run()
    assert queue.list_jobs(workspace)[0].spec["recipe"]["balance_parameters"] == {"cap": 10}
