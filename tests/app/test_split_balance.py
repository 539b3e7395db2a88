"""The Split & balance page: making a split, bars, plans, the SMOTE gallery, and what is stale."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from wbc_core.curation import review
from wbc_core.curation.scan import scan
from wbc_core.datasets.store import DatasetWriter
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.records import Dataset
from wbc_core.splitting import list_splits, make_split
from wbc_core.workspace import Workspace

COUNTS = (12, 20, 8)


@pytest.fixture
def dataset(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    labels = np.repeat(np.arange(3), COUNTS)
    images = draw_cells(np.random.default_rng(0), labels)
    images[1] = images[0]
    with DatasetWriter(workspace, "cells", ["basophil", "eosinophil", "ig"], (96, 96, 3)) as writer:
        writer.append(images, labels, [f"{row}.png" for row in range(40)], np.full((40, 2), 96))
        return writer.finish("cells")


@pytest.fixture
def page() -> AppTest:
    return AppTest.from_file("../../app/main.py", default_timeout=30).switch_page("views/split_balance.py")


def shown(page: AppTest) -> str:
    elements = [*page.markdown, *page.caption, *page.subheader, *page.warning, *page.error, *page.info]
    return "\n".join(str(element.value) for element in elements)


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def test_without_a_data_set_the_page_leads_to_one(
    workspace: Workspace, page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    page.run()
    assert not page.exception
    assert "There is no data set yet" in shown(page)


def test_duplicates_are_looked_for_before_the_first_split(dataset: Dataset, page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert [button.label for button in page.button if button.label == "Make split"] == []
    press(page, "Look for duplicates")
    assert not page.exception
    assert "Looking for duplicates" in shown(page)


def test_a_split_is_made_shown_and_kept_in_the_url(
    workspace: Workspace, dataset: Dataset, page: AppTest
) -> None:
    scan(workspace, dataset.id)
    page.run()
    assert "No split yet" in shown(page)
    page.number_input(key="split_seed").set_value(4)
    press(page, "Make split")
    assert not page.exception
    (split,) = list_splits(workspace, dataset.id)
    assert split.seed == 4
    assert split.fractions == (0.7, 0.3)
    assert page.query_params["split"] == split.id
    values = {metric.label: metric.value for metric in page.metric}
    assert values["Train"] == str(sum(split.parts["train"]))
    assert values["Train images before"] == values["Train"]
    assert values["After"] == str(3 * max(split.parts["train"]))
    assert "1 group of duplicates kept together" in [entry.label for entry in page.expander]


def test_three_parts_add_up(workspace: Workspace, dataset: Dataset, page: AppTest) -> None:
    scan(workspace, dataset.id)
    page.run()
    page.segmented_control(key="split_parts").set_value("Three parts").run()
    page.slider(key="split_cuts").set_range(60, 80)
    press(page, "Make split")
    assert not page.exception
    (split,) = list_splits(workspace, dataset.id)
    assert split.fractions == (0.6, 0.2, 0.2)
    assert list(split.parts) == ["train", "validation", "test"]


def test_each_plan_says_its_counts_before_anything_is_computed(
    workspace: Workspace, dataset: Dataset, page: AppTest
) -> None:
    split = make_split(workspace, dataset.id)
    page.run()
    page.segmented_control(key="balance").set_value("random_under").run()
    assert not page.exception
    after = next(metric.value for metric in page.metric if metric.label == "After")
    assert after == str(3 * min(split.parts["train"]))


def test_the_gallery_shows_parents_factor_and_result(
    workspace: Workspace, dataset: Dataset, page: AppTest
) -> None:
    make_split(workspace, dataset.id)
    page.run()
    page.selectbox(key="smote_class").set_value("ig").run()
    assert not page.exception
    before = [slider.value for slider in page.slider if slider.label == "Factor"]
    assert len(before) == 4
    press(page, "Re-draw")
    assert not page.exception
    assert [slider.value for slider in page.slider if slider.label == "Factor"] != before
    next(slider for slider in page.slider if slider.label == "Factor").set_value(0.25).run()
    assert not page.exception
    assert any("synthetic at 0.25" in element.body for element in page.get("html"))


def test_a_stale_split_is_marked_and_made_again(
    workspace: Workspace, dataset: Dataset, page: AppTest
) -> None:
    old = make_split(workspace, dataset.id)
    page.run()
    assert "stale" not in shown(page)
    review.decide(workspace, dataset.id, {5: ("drop", None)}, who="tester")
    page.run()
    assert "Decisions have changed" in shown(page)
    press(page, "Split the clean set again")
    assert not page.exception
    assert "Decisions have changed" not in shown(page)
    assert page.query_params["split"] != old.id
