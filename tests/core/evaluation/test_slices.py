"""Slices: how images are cut, and the test of each slice against scipy's own figures."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.results_lab import NAMES, RUN, SIDE, add_run, build_split, pictures
from wbc_core.datasets.store import DatasetWriter, read_dataset
from wbc_core.errors import WbcError
from wbc_core.evaluation.report import held_out
from wbc_core.evaluation.reports import predictions_table, save_report
from wbc_core.evaluation.scoring import score
from wbc_core.evaluation.slices import benjamini_hochberg, compare_slices, load_slices, slice_report
from wbc_core.evaluation.slicing import KINDS, cluster, slice_images, source_prefix
from wbc_core.jobs.tasks import TASKS
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_those_of_scipy(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values).tolist())


@pytest.mark.parametrize(
    ("source", "prefix"),
    [
        ("basophil/BA_102750.jpg", "BA"),
        ("smear 7/basophil/BA-3.png", "smear 7/BA"),
        ("slide2\\cell_12.png", "slide2/cell"),
        ("/17.png", "no prefix"),
        ("", "no prefix"),
    ],
)
def test_a_prefix_is_what_stands_before_the_number(source: str, prefix: str) -> None:
    assert source_prefix(source, ["basophil"]) == prefix


def test_slices_are_compared_with_the_rest_and_the_worse_come_first() -> None:
    labels = np.arange(400) % 3
    right = np.ones(400, bool)
    right[:40] = False
    right[200:210] = False
    membership = pd.DataFrame({kind: ["all"] * 400 for kind in KINDS})
    membership["source"] = ["A"] * 100 + ["B"] * 290 + ["C"] * 10
    membership["brightness"] = ["dark", "bright"] * 200
    found = compare_slices(membership, right, labels, NAMES)
    assert found["too_small"] == {"source": 1}
    assert found["undivided"] == ["size", "cluster"]
    first = found["slices"][0]
    assert (first["kind"], first["slice"], first["images"], first["right"]) == ("source", "A", 100, 60)
    assert first["worse"]
    assert not first["better"]
    assert first["p"] == pytest.approx(stats.fisher_exact([[60, 40], [290, 10]]).pvalue)
    assert first["difference"] == pytest.approx(0.6 - 290 / 300)
    low, high = first["difference_ci"]
    assert low < first["difference"] < high < 0
    assert first["commonest_class"] == NAMES[0]
    last = found["slices"][-1]
    assert (last["slice"], last["better"]) == ("B", True)
    by_chance = next(entry for entry in found["slices"] if entry["slice"] == "dark")
    assert by_chance["q"] > 0.05
    assert not by_chance["worse"]


def test_equal_features_give_equal_clusters_the_largest_first() -> None:
    generator = np.random.default_rng(0)
    centres = np.repeat(10 * np.eye(3, 4), [50, 30, 20], axis=0)
    features = (centres + generator.normal(scale=0.1, size=centres.shape)).astype(np.float32)
    found = cluster(features, 3)
    assert found.tolist() == [1] * 50 + [2] * 30 + [3] * 20
    assert cluster(features, 3).tolist() == found.tolist()


@pytest.fixture
def run(workspace: Workspace) -> Run:
    """A run on images of two sources, of which those of the second are dark."""
    labels = np.repeat([0, 1, 2], [80, 80, 40])
    images = pictures(labels)
    second = np.arange(200) % 4 == 0
    images[second] //= 3
    sources = [f"{'new' if other else 'old'}_{row}.png" for row, other in enumerate(second)]
    with DatasetWriter(workspace, "cells", NAMES, (SIDE, SIDE, 3)) as writer:
        writer.append(images, labels, sources, np.full((200, 2), SIDE))
        dataset = writer.finish("drawn for a test")
    return add_run(workspace, build_split(workspace, dataset)[1], RUN)


def judged_on(workspace: Workspace, run: Run, wrong_rows: np.ndarray, part: str = "validation") -> None:
    table = held_out(workspace, run).table
    labels, rows = table["label"].to_numpy(), table["row"].to_numpy()
    predicted = np.where(np.isin(rows, wrong_rows), (labels + 1) % 3, labels)
    chances = np.eye(3, dtype=np.float32)[predicted]
    about = {"run": run.id, "dataset": run.dataset, "split": run.split, "part": part, "tta": False}
    report = {**about, "classes": list(NAMES), "created": "today", **score(labels, chances, NAMES)}
    save_report(workspace, report, predictions_table(rows, table["image_id"], labels, chances, NAMES))


def test_a_source_that_is_named_wrong_is_found(workspace: Workspace, run: Run) -> None:
    judged_on(workspace, run, np.arange(0, 200, 4))
    seen: list[float] = []
    spec = {"run": RUN, "report": None, "minimum": 10}
    found = TASKS.get("slices")(workspace, "", spec, lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    worst = [entry for entry in found["slices"] if entry["worse"]]
    assert {"source", "brightness"} <= {entry["kind"] for entry in worst}
    assert next(entry for entry in worst if entry["kind"] == "source")["slice"] == "new"
    assert next(entry for entry in worst if entry["kind"] == "brightness")["slice"].startswith("darkest, ")
    kept, membership = load_slices(workspace, RUN, "validation")
    assert kept == json.loads(json.dumps(found))
    table = held_out(workspace, run).table
    assert membership["row"].tolist() == table["row"].tolist()
    assert (membership["source"] == "new").tolist() == (table["row"] % 4 == 0).tolist()
    again = slice_images(workspace, read_dataset(workspace, run.dataset), membership["row"].to_numpy(), 10)
    pd.testing.assert_frame_equal(again, membership, check_dtype=False)
    judged_on(workspace, run, np.array([3]))
    report = workspace.run_dir(RUN) / "reports" / "validation.json"
    report.write_text(report.read_text().replace('"today"', '"tomorrow"'))
    assert load_slices(workspace, RUN, "validation") is None


def test_what_cannot_be_sliced_is_refused(workspace: Workspace, run: Run) -> None:
    with pytest.raises(WbcError, match="no report"):
        slice_report(workspace, RUN)
    judged_on(workspace, run, np.array([0]), part="file")
    with pytest.raises(WbcError, match="not kept"):
        slice_report(workspace, RUN, "file")
    assert load_slices(workspace, RUN, "file") is None
