"""Prepared sets: what is in them, that nothing held out gets in, and that they are whole or not there."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from wbc_core.augment import prepare as preparing
from wbc_core.augment.prepare import (
    bytes_after,
    images_after,
    list_prepared,
    load_prepared,
    open_prepared,
    prepare,
    provenance,
    train_rows,
)
from wbc_core.augment.preview import preview
from wbc_core.augment.recipe import PRESETS
from wbc_core.balance import PLANS
from wbc_core.balance.smote import SmoteDraw, interpolate
from wbc_core.datasets.store import DatasetWriter, open_images
from wbc_core.errors import Cancelled, WbcError
from wbc_core.records import Operation, Recipe, Split
from wbc_core.splitting import make_split, split_table
from wbc_core.workspace import Workspace

COUNTS = (20, 31, 12)
AN2DL = PRESETS.get("an2dl")


def import_noise(workspace: Workspace, counts: tuple[int, ...] = COUNTS) -> str:
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(len(counts)), counts))
    images = generator.integers(0, 256, (len(labels), 8, 8, 3), dtype=np.uint8)
    with DatasetWriter(workspace, "noise", [f"class {c}" for c in range(len(counts))], (8, 8, 3)) as writer:
        names = [f"{row}.png" for row in range(len(labels))]
        writer.append(images, labels, names, np.full((len(labels), 2), 8))
        return writer.finish("noise").id


@pytest.fixture
def split(workspace: Workspace) -> Split:
    return make_split(workspace, import_noise(workspace), seed=1)


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "prepared.json"
    }


def test_an2dl_is_five_times_classes_times_the_largest(workspace: Workspace, split: Split) -> None:
    prepared = prepare(workspace, split.id, AN2DL)
    largest = max(split.parts["train"])
    assert prepared.images == 5 * 3 * largest == images_after(split, AN2DL)
    assert prepared.classes == (5 * largest,) * 3
    images, labels = open_prepared(workspace, prepared.id)
    assert images.dtype == np.uint8
    assert images.shape == (prepared.images, 8, 8, 3)
    np.testing.assert_array_equal(np.bincount(labels), prepared.classes)
    size = sum(path.stat().st_size for path in workspace.prepared_dir(prepared.id).iterdir())
    assert images.nbytes < size < bytes_after(split, AN2DL, (8, 8, 3)) + 20_000


@pytest.mark.parametrize("balance", PLANS.names())
def test_every_image_is_what_its_provenance_says(workspace: Workspace, split: Split, balance: str) -> None:
    recipe = Recipe("mine", balance, AN2DL.operations, seed=5)
    prepared = prepare(workspace, split.id, recipe)
    images, labels = open_prepared(workspace, prepared.id)
    origin = provenance(workspace, prepared.id)
    source = open_images(workspace, split.dataset)
    count = prepared.images // 5
    np.testing.assert_array_equal(origin["label"], labels)
    np.testing.assert_array_equal(origin["position"], np.arange(prepared.images))
    first = origin[:count]
    drawn = SmoteDraw(
        first["row"].to_numpy(),
        first["neighbour_row"].fillna(-1).to_numpy(np.int64),
        first["factor"].fillna(0).to_numpy(),
    )
    assert (first["operation"] == "smote").equals(first["neighbour_row"].notna())
    np.testing.assert_array_equal(images[:count], interpolate(source, drawn, 0, count))
    blocks = preview(images[:count], recipe.operations, recipe.seed)
    for number, (name, changed, _) in enumerate(blocks, start=1):
        block = slice(number * count, (number + 1) * count)
        assert set(origin["operation"][block]) == {name}
        np.testing.assert_array_equal(origin["row"][block], first["row"])
        np.testing.assert_array_equal(images[block], changed)


@pytest.mark.parametrize("balance", PLANS.names())
def test_nothing_held_out_gets_in(workspace: Workspace, balance: str) -> None:
    dataset = import_noise(workspace)
    split = make_split(workspace, dataset, fractions=(0.5, 0.25, 0.25), seed=3)
    table = split_table(workspace, split.id)
    label_of = table.set_index("row")["label"]
    train = set(table["row"][table["part"] == "train"])
    prepared = prepare(workspace, split.id, Recipe("mine", balance, AN2DL.operations))
    origin = provenance(workspace, prepared.id)
    assert set(origin["row"]) <= train
    assert set(origin["neighbour_row"].dropna()) <= train
    np.testing.assert_array_equal(label_of[origin["row"]], origin["label"])
    made = origin[origin["neighbour_row"].notna()]
    np.testing.assert_array_equal(label_of[made["neighbour_row"].astype(int)], made["label"])


def test_only_train_rows_are_ever_read(
    workspace: Workspace, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepare(workspace, split.id, AN2DL)
    known = bytes_of(workspace.prepared_dir(before.id))
    shutil.rmtree(workspace.prepared_dir(before.id))
    source = np.array(open_images(workspace, split.dataset))
    train = np.concatenate(train_rows(workspace, split.id, 3))
    source[np.setdiff1d(np.arange(len(source)), train)] = 77
    monkeypatch.setattr(preparing, "open_images", lambda *_: source)
    assert bytes_of(workspace.prepared_dir(prepare(workspace, split.id, AN2DL).id)) == known


def test_two_workspaces_get_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for name, chunk in (("one", 1), ("two", 2**20)):
        monkeypatch.setattr(preparing, "CHUNK_BYTES", chunk)
        workspace = Workspace(tmp_path / name)
        split = make_split(workspace, import_noise(workspace), seed=1)
        folders.append(workspace.prepared_dir(prepare(workspace, split.id, AN2DL).id))
    assert folders[0].name == folders[1].name
    assert bytes_of(folders[0]) == bytes_of(folders[1])


def test_the_same_recipe_is_prepared_once(workspace: Workspace, split: Split) -> None:
    first = prepare(workspace, split.id, AN2DL)
    sparse = Recipe("an2dl", "smote", tuple(Operation(entry.name) for entry in AN2DL.operations))
    assert prepare(workspace, split.id, sparse) == first
    other = prepare(workspace, split.id, PRESETS.get("plain"))
    assert {entry.id for entry in list_prepared(workspace, split.id)} == {first.id, other.id}
    assert list_prepared(workspace, "sp-000000000000") == []
    assert load_prepared(workspace, first.id) == first
    assert first.seconds >= 0
    assert first.peak_mb > 10


def test_stopping_half_way_leaves_nothing(workspace: Workspace, split: Split) -> None:
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        prepare(workspace, split.id, AN2DL, progress=stop)
    assert list_prepared(workspace) == []
    assert not list(workspace.scratch_dir.iterdir())
    assert not (workspace.home / "prepared").exists()


def test_a_full_disk_is_said_before_the_start(
    workspace: Workspace, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(WbcError, match="no room"):
        prepare(workspace, split.id, AN2DL)


def test_bad_requests_are_explained(workspace: Workspace, split: Split) -> None:
    with pytest.raises(WbcError, match="'seed'"):
        prepare(workspace, split.id, Recipe("mine", seed=-1))
    with pytest.raises(WbcError, match="auto_contrast"):
        prepare(workspace, split.id, Recipe("mine", operations=(Operation("sepia"),)))
    with pytest.raises(WbcError, match="sp-000000000000"):
        prepare(workspace, "sp-000000000000", AN2DL)
    with pytest.raises(WbcError, match="pr-000000000000"):
        open_prepared(workspace, "pr-000000000000")


def test_a_class_too_small_for_smote_is_named(workspace: Workspace) -> None:
    dataset = import_noise(workspace, (10, 2))
    split = make_split(workspace, dataset, fractions=(0.5, 0.5))
    with pytest.raises(WbcError, match=r"'class 1'.*random_over"):
        prepare(workspace, split.id, AN2DL)
    prepare(workspace, split.id, Recipe("mine", "random_over"))
