"""Prepared sets: what is in them, that nothing held out gets in, and that they are whole or not there."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from wbc_core.augment import prepare as preparing
from wbc_core.augment.prepare import (
    balanced_counts,
    bytes_after,
    held_out_draw,
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
from wbc_core.datasets.apportionment import largest_remainder
from wbc_core.datasets.store import DatasetWriter, find_dataset, open_images
from wbc_core.errors import Cancelled, WbcError
from wbc_core.records import Operation, Recipe, Split
from wbc_core.splitting import make_split, split_table
from wbc_core.workspace import Workspace

COUNTS = (20, 31, 12)
NAMES = ["class 0", "class 1", "class 2"]
# k-means SMOTE wants clusters, and noise has none.
ON_NOISE = [name for name in PLANS if name != "kmeans_smote"]
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
    assert prepared.images == 5 * 3 * largest == images_after(split, AN2DL, NAMES)
    assert prepared.classes == (5 * largest,) * 3
    images, labels = open_prepared(workspace, prepared.id)
    assert images.dtype == np.uint8
    assert images.shape == (prepared.images, 8, 8, 3)
    np.testing.assert_array_equal(np.bincount(labels), prepared.classes)
    size = sum(path.stat().st_size for path in workspace.prepared_dir(prepared.id).iterdir())
    assert images.nbytes < size < bytes_after(split, AN2DL, find_dataset(workspace, split.dataset)) + 20_000


@pytest.mark.parametrize("balance", ON_NOISE)
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
    assert (first["operation"] != "original").equals(first["neighbour_row"].notna())
    np.testing.assert_array_equal(images[:count], interpolate(source, drawn, 0, count))
    blocks = preview(images[:count], recipe.operations, recipe.seed)
    for number, (name, changed, _) in enumerate(blocks, start=1):
        block = slice(number * count, (number + 1) * count)
        assert set(origin["operation"][block]) == {name}
        np.testing.assert_array_equal(origin["row"][block], first["row"])
        np.testing.assert_array_equal(images[block], changed)


@pytest.mark.parametrize("balance", ON_NOISE)
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


@pytest.mark.parametrize("fractions", [(0.7, 0.3), (0.6, 0.2, 0.2)])
def test_the_leaky_order_is_a_split_of_the_balanced_set(workspace: Workspace, fractions: tuple) -> None:
    split = make_split(workspace, import_noise(workspace), fractions=fractions, seed=1)
    leaky = Recipe("leaky", "smote", leaky=True)
    prepared = prepare(workspace, split.id, leaky)
    assert prepared.leaky
    assert list(prepared.classes) == balanced_counts(split, leaky, NAMES)
    table = split_table(workspace, split.id)
    real = provenance(workspace, prepared.id).query("operation == 'original'")
    assert set(real["row"]) == set(table.query("part == 'train'")["row"])
    made = provenance(workspace, prepared.id).query("operation == 'smote'")
    held_out = set(table.query("part != 'train'")["row"])
    assert held_out & (set(made["row"]) | set(made["neighbour_row"]))
    parts = list(split.parts)
    for label in range(3):
        sizes = [prepared.classes[label]]
        for part in parts[1:]:
            draw, labels = held_out_draw(workspace, prepared.id, part)
            assert (draw.neighbour >= 0).all()
            sizes.append(split.parts[part][label] + int((labels == label).sum()))
        assert sizes == largest_remainder(31, fractions).tolist()


def test_what_is_not_leaky_holds_nothing_new_out(workspace: Workspace, split: Split) -> None:
    prepared = prepare(workspace, split.id, Recipe("plain", "smote"))
    assert not prepared.leaky
    assert len(held_out_draw(workspace, prepared.id, "validation")[0]) == 0


@pytest.mark.parametrize(
    ("plan", "parameters"), [("random_under", {}), ("smote_enn", {}), ("smote", {"cap": 15})]
)
def test_the_leaky_order_refuses_to_leave_images_out(
    workspace: Workspace, split: Split, plan: str, parameters: dict
) -> None:
    with pytest.raises(WbcError, match="before the split"):
        prepare(workspace, split.id, Recipe("leaky", plan, balance_parameters=parameters, leaky=True))


def test_caps_targets_and_features_reach_the_prepared_set(workspace: Workspace, split: Split) -> None:
    parameters = {"cap": 15, "targets": {"class 2": 18}, "neighbours": "features"}
    recipe = Recipe("mine", "smote", balance_parameters=parameters)
    prepared = prepare(workspace, split.id, recipe)
    assert prepared.classes == (15, 15, 18) == tuple(balanced_counts(split, recipe, NAMES))
    with pytest.raises(WbcError, match="class 3"):
        prepare(workspace, split.id, Recipe("mine", "none", balance_parameters={"targets": {"class 3": 1}}))
