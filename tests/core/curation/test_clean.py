"""The clean set is what the decisions leave, and its id depends on nothing else."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.core.curation.conftest import Store, noise_images
from wbc_core.curation.clean import clean_counts, clean_set, export_decisions_csv, export_npz
from wbc_core.curation.review import decide, undo
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace


def test_drops_and_relabels_are_applied(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(6)).id
    decide(workspace, dataset, {0: ("drop", None), 2: ("relabel", 1), 3: ("keep", None)}, who="Ada")
    clean = clean_set(workspace, dataset)
    assert clean.rows.tolist() == [1, 2, 3, 4, 5]
    assert clean.labels.tolist() == [1, 1, 1, 0, 1]
    assert (clean.dropped, clean.head) == (1, 3)
    assert clean_counts(clean) == {"class 0": 1, "class 1": 4}


def test_the_id_comes_back_with_the_content(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(6)).id
    first = clean_set(workspace, dataset)
    decide(workspace, dataset, {0: ("drop", None)}, who="Ada")
    dropped = clean_set(workspace, dataset)
    undo(workspace, dataset, who="Ada")
    undone = clean_set(workspace, dataset)
    decide(workspace, dataset, {1: ("keep", None), 2: ("relabel", 0)}, who="Ada")
    assert dropped.id != first.id
    assert undone.id == first.id
    assert undone.head > first.head
    assert clean_set(workspace, dataset).id == first.id


def test_the_npz_holds_what_is_kept(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    images = noise_images(700)
    dataset = store(images).id
    decide(workspace, dataset, {3: ("drop", None), 4: ("relabel", 1)}, who="Ada")
    clean = clean_set(workspace, dataset)
    export_npz(workspace, clean, tmp_path / "clean.npz")
    with np.load(tmp_path / "clean.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["images"], images[clean.rows])
        assert archive["images"].dtype == np.uint8
        assert np.array_equal(archive["labels"], clean.labels)
        assert archive["class_names"].tolist() == ["class 0", "class 1"]
        assert len(archive["image_ids"]) == 699
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["clean.npz"]


def test_the_log_is_exported_with_class_names(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    dataset = store(noise_images(6)).id
    decide(workspace, dataset, {2: ("relabel", 1)}, who="Ada", reason='says "no"')
    undo(workspace, dataset, who="Ben")
    export_decisions_csv(workspace, dataset, tmp_path / "log.csv")
    with (tmp_path / "log.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["action"], line["label"], line["who"], line["undoes"]) for line in lines] == [
        ("relabel", "class 1", "Ada", ""),
        ("undo", "", "Ben", "1"),
    ]
    assert lines[0]["reason"] == 'says "no"'


def test_a_missing_folder_is_named(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    dataset = store(noise_images(6)).id
    with pytest.raises(WbcError, match="no folder"):
        export_npz(workspace, clean_set(workspace, dataset), tmp_path / "nowhere" / "clean.npz")
