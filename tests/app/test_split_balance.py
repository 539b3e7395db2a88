"""The Split & balance page: making a split, leaks, plans and their parameters, SMOTE, and does it help."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from app.formatting import plain
from tests.app.opening import page_at
from tests.results_lab import build_dataset
from wbc_core import splitting
from wbc_core.augment.prepare import train_rows
from wbc_core.augment.recipe import PRESETS
from wbc_core.balance import PLANS, smote_examples
from wbc_core.balance.realism import GHOST, ghost_scores
from wbc_core.curation import review
from wbc_core.curation.scan import scan
from wbc_core.datasets.store import DatasetWriter, open_images
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.jobs import queue
from wbc_core.jobs.balance_study import start_balance_study
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import silent
from wbc_core.records import Dataset, Job, Split
from wbc_core.splitting import list_splits, load_split, make_split
from wbc_core.workspace import Workspace

COUNTS = (12, 20, 8)
LABELS = np.repeat(np.arange(3), COUNTS)


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    images = draw_cells(np.random.default_rng(0), LABELS)
    images[1] = images[0]
    return images


@pytest.fixture
def dataset(workspace: Workspace, images: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    with DatasetWriter(workspace, "cells", ["basophil", "eosinophil", "ig"], (96, 96, 3)) as writer:
        writer.append(images, LABELS, [f"{row}.png" for row in range(40)], np.full((40, 2), 96))
        return writer.finish("cells")


@pytest.fixture
def page() -> AppTest:
    return page_at("split_balance")


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


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def pictured(page: AppTest) -> str:
    return "".join(element.body for element in page.get("html"))


@pytest.fixture
def split(workspace: Workspace, dataset: Dataset) -> Split:
    return make_split(workspace, dataset.id)


def test_each_plan_says_its_counts_before_anything_is_computed(split: Split, page: AppTest) -> None:
    page.run()
    page.selectbox(key="balance").set_value("random_under").run()
    assert not page.exception
    assert metrics(page)["After"] == str(3 * min(split.parts["train"]))
    assert "Draws as many images" in shown(page)
    page.selectbox(key="balance").set_value("smote_enn").run()
    assert not page.exception
    assert metrics(page)["After, about"] == str(3 * max(split.parts["train"]))


def test_a_link_opens_its_plan(split: Split, page: AppTest) -> None:
    page.query_params["balance"] = "random_under"
    page.run()
    assert page.selectbox(key="balance").value == "random_under"
    page.selectbox(key="balance").set_value("adasyn").run()
    assert page.query_params["balance"] == "adasyn"
    again = page_at("split_balance", balance="nonsense").run()
    assert not again.exception
    assert again.selectbox(key="balance").value == "smote"


def test_every_plan_of_the_registry_is_offered_under_its_group(split: Split, page: AppTest) -> None:
    page.run()
    options = page.selectbox(key="balance").options
    assert len(options) == len(PLANS.names())
    groups = [option.partition(" · ")[0] for option in options]
    assert list(dict.fromkeys(groups)) == ["Ours", "Loss weights", "imbalanced-learn"]
    assert groups.count("Loss weights") == 2


def test_a_parameter_shows_only_where_it_applies(split: Split, page: AppTest) -> None:
    page.run()

    def offered() -> set[str]:
        keys = {entry.key for kind in (page.number_input, page.get("button_group")) for entry in kind}
        return keys & {"balance_cap", "balance_neighbours", "balance_beta"}

    assert offered() == {"balance_cap", "balance_neighbours"}
    page.selectbox(key="balance").set_value("effective_number").run()
    assert not page.exception
    assert offered() == {"balance_cap", "balance_beta"}
    page.selectbox(key="balance").set_value("random_over").run()
    assert offered() == {"balance_cap"}


def test_caps_and_counts_by_hand_are_kept_in_the_url(split: Split, page: AppTest) -> None:
    page.run()
    page.number_input(key="balance_cap").set_value(7).run()
    assert not page.exception
    assert metrics(page)["After"] == "21"
    assert json.loads(page.query_params["balance_parameters"]) == {"cap": 7}
    press(page, "2,330")
    assert metrics(page)["After"] == "6,990"
    press(page, f"Largest class ({max(split.parts['train'])})")
    assert metrics(page)["After"] == str(3 * max(split.parts["train"]))
    press(page, "None")
    assert metrics(page)["After"] == "21"


@pytest.mark.parametrize(
    "text",
    ['{"cap": 7}', '{"cap": -1}', "[1]", "{", '{"pickle": 1}', '{"targets": {"nobody": 5}}', "[" * 9999],
)
def test_a_link_with_parameters_is_read_and_never_trusted(split: Split, page: AppTest, text: str) -> None:
    page.query_params["balance_parameters"] = text
    page.run()
    assert not page.exception
    if text == '{"cap": 7}':
        assert metrics(page)["After"] == "21"
    elif "nobody" in text:
        assert "which has no train images" in shown(page)
    else:
        assert metrics(page)["After"] == str(3 * max(split.parts["train"]))


def test_the_choice_goes_over_to_the_recipe(workspace: Workspace, split: Split, page: AppTest) -> None:
    page.run()
    page.selectbox(key="balance").set_value("smote").run()
    page.number_input(key="balance_cap").set_value(9).run()
    assert page.session_state["recipe_wanted_balance"] == ("smote", {"cap": 9})
    page.selectbox(key="balance").set_value("class_weights").run()
    assert page.session_state["recipe_wanted_balance"] == ("class_weights", {"cap": 9})
    press(page, "Build the recipe with this plan")
    assert not page.exception
    assert page.title[0].value == "Augment"
    assert page.selectbox(key="recipe_balance").value == "class_weights"


def test_the_leaky_order_is_a_sentence_and_a_link(split: Split, page: AppTest) -> None:
    page.run()
    assert "balanced before it split" in shown(page)
    (link,) = [entry for entry in page.get("page_link") if "an2dl_leaky" in entry.proto.label]
    assert "recipe=an2dl_leaky" in link.proto.query_string


def test_the_gallery_shows_parents_factor_and_result(
    workspace: Workspace, dataset: Dataset, split: Split, page: AppTest
) -> None:
    page.run()
    page.selectbox(key="smote_class").set_value("ig").run()
    assert not page.exception
    rows = train_rows(workspace, split.id, 3)
    drawn = smote_examples(open_images(workspace, dataset.id), rows, 2, 0, 120)
    for place in range(2):
        assert f"sample, row {drawn.base[place]}" in pictured(page)
        assert f"neighbour, row {drawn.neighbour[place]}" in pictured(page)
        assert f"{place + 1} · factor {drawn.factor[place]:.2f}" in pictured(page)
    before = pictured(page)
    press(page, "Re-draw")
    assert not page.exception
    assert "at seed 1" in shown(page)
    assert pictured(page) != before


def test_ghosts_are_counted_and_can_be_shown_alone(
    workspace: Workspace, dataset: Dataset, split: Split, page: AppTest
) -> None:
    page.run()
    rows, images = train_rows(workspace, split.id, 3), open_images(workspace, dataset.id)
    drawn = smote_examples(images, rows, 2, 0, 120)
    ghosts = int((ghost_scores(images, drawn) >= GHOST).sum())
    page.selectbox(key="smote_class").set_value("ig").run()
    assert f"**{ghosts} are ghosts**" in shown(page)
    page.toggle(key="smote_ghosts").set_value(True).run()
    assert not page.exception
    if ghosts:
        captions = re.findall(r"factor [\d.]+ · (\w+)", pictured(page))
        assert captions == ["ghost"] * min(ghosts, 10)
    else:
        assert "None of these is a ghost" in shown(page)


def test_the_map_says_what_was_sampled(split: Split, page: AppTest) -> None:
    page.run()
    train = sum(split.parts["train"])
    missing = 3 * max(split.parts["train"]) - train
    assert f"({train} in all)" in shown(page)
    # The largest class needs none, and is shown all the same.
    assert f"({missing + 120} in all)" in shown(page)
    page.selectbox(key="smote_map_class").set_value("ig").run()
    assert not page.exception


def test_a_class_of_one_image_cannot_be_smoted_and_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, page: AppTest
) -> None:
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    labels = np.repeat([0, 1], (20, 2))
    with DatasetWriter(workspace, "cells", ["basophil", "ig"], (32, 32, 3)) as writer:
        images = np.random.default_rng(0).integers(0, 256, (22, 32, 32, 3), dtype=np.uint8)
        writer.append(images, labels, [f"{row}.png" for row in range(22)], np.full((22, 2), 32))
        make_split(workspace, writer.finish("cells").id)
    page.run()
    page.selectbox(key="smote_class").set_value("ig").run()
    assert not page.exception
    assert "fewer than two" in shown(page)


@pytest.fixture
def leaking(workspace: Workspace, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Split:
    """A split made before the scan found that rows 0 and 1 are the same picture."""
    with monkeypatch.context() as patch:
        patch.setattr(splitting, "duplicate_groups", lambda *_: [])
        for seed in range(20):
            split = make_split(workspace, dataset.id, fractions=(0.5, 0.5), seed=seed)
            part = splitting.split_table(workspace, split.id).set_index("row")["part"]
            if part[0] != part[1]:
                break
    scan(workspace, dataset.id, ["exact_duplicates", "near_duplicates"])
    return split


def test_a_leak_is_an_error_and_a_new_split_mends_it(
    workspace: Workspace, leaking: Split, page: AppTest
) -> None:
    page.query_params["split"] = leaking.id
    page.run()
    assert not page.exception
    assert "1 group of duplicates lies in more than one part" in shown(page)
    press(page, "Split again, groups together")
    assert not page.exception
    assert "more than one part" not in shown(page)
    (made,) = [split for split in list_splits(workspace) if split.id == page.query_params["split"]]
    assert (made.fractions, made.seed, made.grouped) == (leaking.fractions, leaking.seed, 1)
    assert splitting.leaks(workspace, made) == []


def test_what_leaks_is_never_scanned_for_by_the_page(
    leaking: Split, page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the page scans")

    monkeypatch.setattr("wbc_core.curation.scan.outdated_checks", lambda *_: ["near_duplicates"])
    monkeypatch.setattr("wbc_core.curation.scan.scan", refuse)
    page.query_params["split"] = leaking.id
    page.run()
    assert not page.exception
    assert "more than one part" not in shown(page)
    assert "Look for duplicates" in [button.label for button in page.button]


def test_a_leak_is_mended_by_dropping_the_copies(workspace: Workspace, leaking: Split, page: AppTest) -> None:
    page.query_params["split"] = leaking.id
    page.run()
    press(page, "Drop the surplus copies and split again")
    assert not page.exception
    assert "more than one part" not in shown(page)
    ((row, decision),) = review.effective_decisions(workspace, leaking.dataset).items()
    assert row in (0, 1)
    assert decision.action == "drop"
    assert not splitting.is_stale(workspace, load_split(workspace, page.query_params["split"]))


def test_a_study_says_its_cost_is_queued_once_and_found_again(
    workspace: Workspace, split: Split, page: AppTest
) -> None:
    page.run()
    page.number_input(key="study_epochs").set_value(2).run()
    page.number_input(key="study_seeds").set_value(3).run()
    assert "12 runs, one after another" in shown(page)
    assert queue.list_jobs(workspace) == []
    press(page, "Train 12 networks")
    assert not page.exception
    (job,) = queue.list_jobs(workspace)
    assert (job.kind, job.spec["seeds"], job.spec["settings"]) == (
        "balance_study",
        [0, 1, 2],
        {"epochs": "2"},
    )
    assert "Preparing a set under every plan" in shown(page)
    again = page_at("split_balance").run()
    assert "Preparing a set under every plan" in shown(again)


def work(workspace: Workspace) -> Job:
    """Do the oldest queued job here, as a worker would."""
    job, claim = queue.claim_next(workspace, TASKS.names(), "cpu")
    queue.finish(
        workspace, job.id, claim, "succeeded", result=TASKS.get(job.kind)(workspace, job.id, job.spec, silent)
    )
    return job


def table(page: AppTest) -> pd.DataFrame:
    return next(entry.value for entry in page.dataframe if "Plan" in entry.value)


def test_a_study_is_trained_followed_and_compared_in_words(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, page: AppTest
) -> None:
    """The whole way on a few images of 32 pixels, with real trainings: about 10 s on a quiet core."""
    monkeypatch.setenv("WBC_HOME", str(workspace.home))
    split = make_split(workspace, build_dataset(workspace).id)
    start_balance_study(workspace, split.id, "cnn", PRESETS.get("plain"), settings={"epochs": "1"})
    work(workspace)
    page.run()
    assert not page.exception
    assert table(page)["State"].tolist() == ["queued"] * 4
    for _ in range(4):
        assert work(workspace).kind == "train"
    page.run()
    assert not page.exception
    said = [entry.value for entry in page.markdown if "points" in str(entry.value)]
    titles = [plain(PLANS.get(name).title) for name in ("class_weights", "random_over", "smote")]
    assert [f" {title}" in words for title, words in zip(titles, said, strict=True)] == [True] * 3
    assert table(page)["Plan"].tolist() == [
        PLANS.get(name).title for name in ("none", "class_weights", "random_over", "smote")
    ]
    assert "One seed each" in shown(page)
    assert "McNemar's test" in shown(page)


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
