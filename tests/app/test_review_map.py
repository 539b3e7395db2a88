"""The map on the Review page: what an outline opens, and what it says nothing about."""

import numpy as np

from app import cache
from app.components.image_map import Chosen, _unpacked
from tests.app.review_page import open_review, shown_text
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.scan import scan
from wbc_core.datasets.synthetic import build_demo_dataset
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace


def around_everything(dataset: Dataset, *hidden: int) -> Chosen:
    points = cache.map_of(dataset.id).points
    low, high = points.min(axis=0) - 1, points.max(axis=0) + 1
    corners = ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]))
    return Chosen(corners, "Class", hidden, at=1)


def open_map(chosen: Chosen, dataset: Dataset, shown: Dataset | None = None) -> str:
    page = open_review(view="map", dataset=(shown or dataset).id)
    assert not page.exception
    assert "principal components of the lab's own features" in shown_text(page)
    page.session_state[f"map-chosen-{dataset.id}-features-None"] = chosen
    page.run()
    assert not page.exception
    return shown_text(page)


def test_the_map_opens_what_is_drawn_around_and_not_hidden(demo_dataset: Dataset) -> None:
    everything = around_everything(demo_dataset)
    assert f"**{demo_dataset.images} images** lie inside." in open_map(everything, demo_dataset)
    labels = cache.table(demo_dataset.id)["label"].to_numpy()
    left = np.count_nonzero((labels != 1) & (labels != 3))
    text = open_map(around_everything(demo_dataset, 1, 3), demo_dataset)
    assert f"**{left} images** lie inside. What the legend hides is left out." in text


def test_one_image_inside_an_outline_is_one_image(demo_dataset: Dataset) -> None:
    points = cache.map_of(demo_dataset.id).points
    apart = int(np.argmax(points[:, 0]))
    (left, low), high = points[apart] - (1e-6, 1e6), points[apart, 1] + 1e6
    right = left + 1
    chosen = Chosen(((left, low), (right, low), (right, high), (left, high)), "Class", (), at=1)
    assert "**1 image** lies inside." in open_map(chosen, demo_dataset)


def test_what_was_drawn_around_and_set_in_one_data_set_is_not_taken_to_another(demo_dataset: Dataset) -> None:
    other = build_demo_dataset(Workspace.default(), images=80, seed=1)
    scan(Workspace.default(), other.id)
    assert "lie inside" not in open_map(around_everything(demo_dataset), demo_dataset, shown=other)
    low, high = CHECKS.get("blur").threshold_range
    page = open_review(check="blur", dataset=demo_dataset.id, **{"threshold-blur": f"{high:g}"})
    assert page.slider(key="slider-blur").value == high
    page.query_params["dataset"] = other.id
    page.run()
    assert not page.exception
    assert page.slider(key="slider-blur").value == CHECKS.get("blur").threshold
    assert "threshold-blur" not in page.query_params
    page.slider(key="slider-blur").set_value(low).run()
    page.query_params["dataset"] = demo_dataset.id
    page.run()
    assert page.slider(key="slider-blur").value == high
    assert float(page.query_params["threshold-blur"]) == high


def test_an_outline_from_a_browser_that_is_no_shape_is_none() -> None:
    low, span = np.zeros(2), np.array([2.0, 4.0])
    sent = {"corners": [[0, 0], [1, 0], [1, 1]], "colouring": "Class", "hidden": [3, 1, 3], "at": 5}
    assert _unpacked(sent, low, span) == Chosen(((0, 0), (2, 0), (2, 4)), "Class", (1, 3), 5)
    for wrong in ({"corners": []}, {"corners": [[0, 0], [1, float("nan")], [1, 1]]}, {"hidden": ["x"]}):
        assert _unpacked({**sent, **wrong}, low, span) is None
    assert _unpacked([1, 2], low, span) is None
