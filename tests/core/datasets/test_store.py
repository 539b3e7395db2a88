"""The store: written once, whole or not at all, found again by id and name."""

import hashlib

import numpy as np
import pytest

from wbc_core.datasets.store import (
    DatasetWriter,
    class_counts,
    find_dataset,
    list_datasets,
    load_table,
    open_images,
)
from wbc_core.errors import WbcError
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace


def write(workspace: Workspace, images: np.ndarray, labels: list[int], name: str = "cells") -> Dataset:
    with DatasetWriter(workspace, name, ["a", "b"], images.shape[1:]) as writer:
        for start in range(0, len(images), 3):
            chunk = slice(start, start + 3)
            count = len(images[chunk])
            sources = [f"row {start + offset}" for offset in range(count)]
            writer.append(images[chunk], np.array(labels[chunk]), sources, np.tile([4, 5], (count, 1)))
        return writer.finish("somewhere")


@pytest.fixture
def images() -> np.ndarray:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (7, 5, 4, 3), dtype=np.uint8)
    pixels[3] = pixels[6] = pixels[1]
    return pixels


def test_what_was_written_is_read_back(workspace: Workspace, images: np.ndarray) -> None:
    dataset = write(workspace, images, [0, 1, 0, 1, 0, 1, 1])
    assert dataset.images == 7
    assert dataset.image_shape == (5, 4, 3)
    stored = open_images(workspace, dataset.id)
    assert isinstance(stored, np.memmap)
    assert not stored.flags.writeable
    np.testing.assert_array_equal(stored, images)
    table = load_table(workspace, dataset.id)
    assert list(table) == ["row", "image_id", "label", "source", "width", "height"]
    assert table["label"].tolist() == [0, 1, 0, 1, 0, 1, 1]
    assert (table["width"] == 4).all()
    assert (table["height"] == 5).all()
    assert class_counts(workspace, dataset) == {"a": 3, "b": 4}


def test_copies_of_the_same_pixels_have_ids_of_their_own(workspace: Workspace, images: np.ndarray) -> None:
    table = load_table(workspace, write(workspace, images, [0] * 7).id)
    digest = hashlib.sha256(images[1].tobytes()).hexdigest()[:20]
    assert table["image_id"][[1, 3, 6]].tolist() == [digest, f"{digest}-1", f"{digest}-2"]
    assert table["image_id"].is_unique


def test_the_same_content_is_stored_once(workspace: Workspace, images: np.ndarray) -> None:
    first = write(workspace, images, [0] * 7)
    assert write(workspace, images, [0] * 7) == first
    assert write(workspace, images, [1] + [0] * 6).id != first.id
    assert write(workspace, images, [0] * 7, name="other").id != first.id
    assert len(list_datasets(workspace)) == 3
    assert list(workspace.scratch_dir.iterdir()) == []


def test_nothing_is_left_after_an_error(workspace: Workspace, images: np.ndarray) -> None:
    with pytest.raises(WbcError, match="Row 4 has a label without a class"):
        write(workspace, images, [0, 0, 0, 0, 2, 0, 0])
    with pytest.raises(WbcError, match="label without a class"):
        write(workspace, images, [-1] * 7)
    assert list_datasets(workspace) == []
    assert list(workspace.scratch_dir.iterdir()) == []


def test_an_empty_set_is_refused(workspace: Workspace) -> None:
    with pytest.raises(WbcError, match="no image"), DatasetWriter(workspace, "x", ["a"], (2, 2, 3)) as writer:
        writer.finish("nowhere")


@pytest.mark.parametrize("names", [[], ["a", "a"], ["a", " "]])
def test_class_names_that_cannot_be_told_apart_are_refused(workspace: Workspace, names: list[str]) -> None:
    with pytest.raises(WbcError, match="class names"):
        DatasetWriter(workspace, "x", names, (2, 2, 3))


def test_a_chunk_of_another_shape_is_a_bug_of_the_caller(workspace: Workspace) -> None:
    sizes = np.zeros((1, 2), dtype=np.int64)
    with DatasetWriter(workspace, "x", ["a"], (2, 2, 3)) as writer:
        with pytest.raises(ValueError, match="not uint8"):
            writer.append(np.zeros((1, 3, 2, 3), np.uint8), np.array([0]), ["s"], sizes)
        with pytest.raises(ValueError, match="differ in number"):
            writer.append(np.zeros((1, 2, 2, 3), np.uint8), np.array([0, 0]), ["s"], sizes)
    with pytest.raises(RuntimeError, match="outside"):
        writer.append(np.zeros((1, 2, 2, 3), np.uint8), np.array([0]), ["s"], sizes)


def test_a_set_is_found_by_id_prefix_and_name(workspace: Workspace, images: np.ndarray) -> None:
    with pytest.raises(WbcError, match="no data set yet"):
        find_dataset(workspace, "cells")
    first = write(workspace, images, [0] * 7)
    second = write(workspace, images, [1] * 7, name="more")
    assert find_dataset(workspace, first.id) == first
    assert find_dataset(workspace, second.id[:9]) == second
    assert find_dataset(workspace, "more") == second
    assert [dataset.id for dataset in list_datasets(workspace)] == [second.id, first.id]
    with pytest.raises(WbcError, match=f"{second.id} \\(more\\)"):
        find_dataset(workspace, "absent")
    with pytest.raises(WbcError, match="fits 2 data sets"):
        find_dataset(workspace, "ds-")


def test_a_missing_set_is_named(workspace: Workspace) -> None:
    for read in (open_images, load_table):
        with pytest.raises(WbcError, match="ds-0123456789ab"):
            read(workspace, "ds-0123456789ab")
        with pytest.raises(WbcError, match="not an id"):
            read(workspace, "../../etc")
