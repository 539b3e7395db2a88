"""The demo set: the same bytes from the same seed, and a truth file that tells the truth."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from wbc_core.datasets.apportionment import largest_remainder
from wbc_core.datasets.demo import CLASS_SHARES
from wbc_core.datasets.store import class_counts, load_table, open_images
from wbc_core.datasets.synthetic import DEMO_CLASSES, build_demo_dataset
from wbc_core.errors import WbcError
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace

Demo = tuple[Workspace, Dataset, dict[str, list]]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    workspace = Workspace(tmp_path_factory.mktemp("demo"))
    dataset = build_demo_dataset(workspace)
    truth = json.loads((workspace.dataset_dir(dataset.id) / "truth.json").read_text())
    return workspace, dataset, truth


def test_it_has_eight_imbalanced_classes(demo: Demo) -> None:
    workspace, dataset, _ = demo
    assert (dataset.name, dataset.images, dataset.class_names) == ("demo", 800, DEMO_CLASSES)
    counts = class_counts(workspace, dataset)
    assert 2 < max(counts.values()) / min(counts.values()) < 3.2


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    hashes, reported = [], []
    for home, seed in (("a", 3), ("b", 3), ("c", 4)):
        workspace = Workspace(tmp_path / home)
        dataset = build_demo_dataset(
            workspace, seed=seed, images=80, progress=lambda fraction, message: reported.append(fraction)
        )
        folder = workspace.dataset_dir(dataset.id)
        files = (folder / "images.npy", folder / "truth.json")
        hashes.append((dataset.id, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)))
    assert hashes[0] == hashes[1]
    assert set(hashes[0]).isdisjoint(hashes[2])
    assert max(reported) == 1


def test_planted_rows_are_all_over_the_set(demo: Demo) -> None:
    _, _, truth = demo
    rows = [row for kind in ("foreign", "blur", "exposure", "label_errors") for row in truth[kind]]
    rows += [
        row for kind in ("exact_duplicates", "near_duplicates") for group in truth[kind] for row in group
    ]
    assert len(rows) == len(set(rows))
    assert min(rows) < 40
    assert max(rows) > 760


def test_exact_duplicates_are_exact_and_some_are_in_conflict(demo: Demo) -> None:
    workspace, dataset, truth = demo
    images, labels = open_images(workspace, dataset.id), load_table(workspace, dataset.id)["label"]
    assert len(truth["exact_duplicates"]) == 10
    for first, second in truth["exact_duplicates"]:
        np.testing.assert_array_equal(images[first], images[second])
    conflicts = sum(labels[first] != labels[second] for first, second in truth["exact_duplicates"])
    assert 0 < conflicts < 10
    copies = load_table(workspace, dataset.id)["image_id"].str.contains("-").sum()
    assert copies == len(truth["exact_duplicates"]) + 23


def test_near_duplicates_are_near(demo: Demo) -> None:
    workspace, dataset, truth = demo
    images = open_images(workspace, dataset.id).astype(np.int16)
    for first, second in truth["near_duplicates"]:
        views = [np.rot90(side, turn) for side in (images[first], images[first][::-1]) for turn in range(4)]
        gaps = [np.abs(view - images[second]).mean() for view in views]
        assert min(gaps) < 28
        assert (images[first] != images[second]).any()


def test_one_foreign_blend_is_repeated_under_every_label(demo: Demo) -> None:
    workspace, dataset, truth = demo
    table = load_table(workspace, dataset.id).loc[truth["foreign"]]
    digests = table["image_id"].str.split("-").str[0]
    repeated = digests.value_counts()
    assert repeated.iloc[0] == 24
    assert (repeated.iloc[1:] == 1).all()
    assert len(repeated) == 6
    assert table["label"][digests == repeated.index[0]].nunique() == 8


def test_spoilt_images_are_spoilt(demo: Demo) -> None:
    workspace, dataset, truth = demo
    brightness = open_images(workspace, dataset.id).mean(axis=(1, 2, 3))
    sharpness = np.abs(np.diff(open_images(workspace, dataset.id).astype(np.int16), axis=2)).mean(
        axis=(1, 2, 3)
    )
    exposure = brightness[truth["exposure"]]
    assert ((exposure < 60) | (exposure > 220)).all()
    good = np.delete(sharpness, truth["blur"] + truth["exposure"])
    assert sharpness[truth["blur"]].max() < np.quantile(good, 0.05)


def test_too_small_a_demo_is_refused(workspace: Workspace) -> None:
    with pytest.raises(WbcError, match="at least 80"):
        build_demo_dataset(workspace, images=79)


@pytest.mark.parametrize("total", [0, 1, 7, 80, 747])
def test_largest_remainder_sums_up(total: int) -> None:
    counts = largest_remainder(total, CLASS_SHARES)
    assert sum(counts) == total
    exact = np.array(CLASS_SHARES) * total / sum(CLASS_SHARES)
    assert (np.abs(np.array(counts) - exact) < 1).all()
