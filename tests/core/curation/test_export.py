"""A clean set leaves the lab whole, under names that every system takes, and comes back the same."""

import csv
import os
import zipfile
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.core.curation.conftest import Store, noise_images
from wbc_core.curation.class_folders import folder_names, safe_name
from wbc_core.curation.clean import clean_set
from wbc_core.curation.export import export_clean_set
from wbc_core.curation.review import decide
from wbc_core.datasets.importers import import_source
from wbc_core.datasets.spreadsheet import spreadsheet_safe, without_escape
from wbc_core.datasets.store import DatasetWriter, load_table, open_images
from wbc_core.errors import WbcError
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace

CLASSES = ["blast", "Blast", "a/b\\c", "..", "=1+1", "CON", " edge.", "é" * 200]
SOURCES = [
    "animated.gif",
    "../../evil.png",
    "x/cell.png",
    "y/CELL.PNG",
    "nul.tif",
    "images[12]",
    ".hidden",
    "=cmd|' /C calc'!A0.png",
    "a\x00b\n.png",
    "",
    "thumbs.db",
    "Ünïcode 細胞.jpeg",
    "z" * 400,
    "cell.png",
    "no_ending",
    "trailing. ",
]


@pytest.fixture
def odd(workspace: Workspace) -> Dataset:
    """16 images of 8 classes whose names are no valid folder names, from files with odd names."""
    images = noise_images(16)
    with DatasetWriter(workspace, "odd", CLASSES, (16, 16, 3)) as writer:
        writer.append(images, np.arange(16) % 8, SOURCES, np.full((16, 2), 16))
        dataset = writer.finish("a test")
    decide(workspace, dataset.id, {0: ("relabel", 1), 9: ("drop", None)}, who="Ada")
    return dataset


def content(workspace: Workspace, dataset: Dataset) -> dict[str, str]:
    """Class name by image id."""
    table = load_table(workspace, dataset.id)
    return {
        image: dataset.class_names[label]
        for image, label in zip(table["image_id"], table["label"], strict=True)
    }


def cleaned(workspace: Workspace, dataset: Dataset) -> dict[str, str]:
    """Class name by image id of the clean set."""
    clean = clean_set(workspace, dataset.id)
    ids = load_table(workspace, dataset.id)["image_id"].to_numpy()[clean.rows]
    return {image: dataset.class_names[label] for image, label in zip(ids, clean.labels, strict=True)}


@pytest.mark.parametrize("target", ["clean.npz", "clean.zip", "clean", "clean.v1/"])
def test_an_export_comes_back_with_the_same_pixels_and_labels(
    workspace: Workspace, odd: Dataset, tmp_path: Path, target: str
) -> None:
    told: list[float] = []
    clean = clean_set(workspace, odd.id)
    done = export_clean_set(
        workspace, clean, f"{tmp_path}/{target}", lambda share, message: told.append(share)
    )
    assert done == {"clean": clean.id, "images": 15, "path": str(tmp_path / target)}
    assert told
    other = Workspace(tmp_path / "other")
    back = import_source(other, Path(done["path"]), name="back")
    wanted = cleaned(workspace, odd)
    found = content(other, back.dataset)
    if target == "clean.npz":
        assert back.dataset.class_names == odd.class_names
        assert np.array_equal(open_images(other, back.dataset.id), open_images(workspace, odd.id)[clean.rows])
        assert found == wanted
    else:
        folders = dict(zip(odd.class_names, folder_names(odd.class_names), strict=True))
        assert found == {image: folders[name] for image, name in wanted.items()}
        assert [item.source.rpartition("/")[2] for item in back.rejected] == ["images.csv"]


def test_the_list_beside_the_folders_brings_back_names_and_order(
    workspace: Workspace, odd: Dataset, tmp_path: Path
) -> None:
    clean = clean_set(workspace, odd.id)
    export_clean_set(workspace, clean, str(tmp_path / "clean"))
    with (tmp_path / "clean" / "images.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    ids = load_table(workspace, odd.id)["image_id"].to_numpy()
    assert [line["image_id"] for line in lines] == ids[clean.rows].tolist()
    assert [without_escape(line["label"]) for line in lines] == [
        odd.class_names[label] for label in clean.labels
    ]
    assert not any(
        value.lstrip("'") == value and spreadsheet_safe(value) != value
        for line in lines
        for value in line.values()
    )
    other = Workspace(tmp_path / "other")
    back = import_source(other, tmp_path / "clean" / "images.csv")
    stripped = {image: name.strip() for image, name in cleaned(workspace, odd).items()}
    assert content(other, back.dataset) == stripped
    assert list(content(other, back.dataset)) == ids[clean.rows].tolist()


@given(st.text(max_size=120))
def test_a_safe_name_is_one_file_inside_its_folder_and_can_be_read_back(name: str) -> None:
    safe = safe_name(name)
    assert safe == os.path.basename(safe)  # noqa: PTH119
    assert safe not in ("", ".", "..")
    assert len(f"{safe}.png".encode()) <= 128
    assert not safe.endswith((" ", "."))
    assert not safe.startswith((" ", "."))
    assert spreadsheet_safe(safe) == safe
    assert "~" in safe or not name or unquote(safe) == name


@given(st.lists(st.text(max_size=8), unique=True, max_size=12))
def test_folders_differ_where_case_does_not_count(names: list[str]) -> None:
    folders = folder_names(names)
    assert len({folder.casefold() for folder in folders}) == len(names)


def test_the_same_clean_set_is_the_same_bytes(workspace: Workspace, odd: Dataset, tmp_path: Path) -> None:
    clean = clean_set(workspace, odd.id)
    for name in ("clean.npz", "clean.zip"):
        first, second = tmp_path / f"1{name}", tmp_path / f"2{name}"
        export_clean_set(workspace, clean, str(first))
        os.utime(first, (0, 0))
        export_clean_set(workspace, clean, str(second))
        assert first.read_bytes() == second.read_bytes()


def test_a_folder_with_something_in_it_is_refused(workspace: Workspace, odd: Dataset, tmp_path: Path) -> None:
    clean = clean_set(workspace, odd.id)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(WbcError, match="not empty"):
        export_clean_set(workspace, clean, str(tmp_path / "full"))
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    export_clean_set(workspace, clean, str(tmp_path / "empty"))
    assert (tmp_path / "empty" / "images.csv").is_file()


@pytest.mark.parametrize("target", ["clean.npz", "clean.zip", "clean/"])
def test_an_export_that_is_stopped_leaves_nothing(
    workspace: Workspace, odd: Dataset, tmp_path: Path, target: str
) -> None:
    def stop(share: float, message: str) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(KeyboardInterrupt):
        export_clean_set(workspace, clean_set(workspace, odd.id), f"{out}/{target}", stop)
    assert list(out.iterdir()) == []


def test_another_ending_and_a_missing_folder_are_named(
    workspace: Workspace, odd: Dataset, tmp_path: Path
) -> None:
    clean = clean_set(workspace, odd.id)
    with pytest.raises(WbcError, match=r"\.npz, \.zip"):
        export_clean_set(workspace, clean, str(tmp_path / "clean.png"))
    with pytest.raises(WbcError, match="no folder"):
        export_clean_set(workspace, clean, str(tmp_path / "nowhere" / "clean.npz"))


def test_the_npz_is_read_by_numpy_alone(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    images = noise_images(700)
    dataset = store(images)
    decide(workspace, dataset.id, {3: ("drop", None), 4: ("relabel", 1)}, who="Ada")
    clean = clean_set(workspace, dataset.id)
    export_clean_set(workspace, clean, str(tmp_path / "clean.npz"))
    with np.load(tmp_path / "clean.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["images"], images[clean.rows])
        assert archive["images"].dtype == np.uint8
        assert np.array_equal(archive["labels"], clean.labels)
        assert archive["class_names"].tolist() == ["class 0", "class 1"]
        assert len(archive["image_ids"]) == 699
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["clean.npz"]


def test_the_zip_holds_png_files(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    images = noise_images(6)
    export_clean_set(workspace, clean_set(workspace, store(images).id), str(tmp_path / "clean.zip"))
    with zipfile.ZipFile(tmp_path / "clean.zip") as archive:
        assert archive.namelist()[:2] == ["class 0/0.png", "class 1/1.png"]
        with archive.open("class 1/1.png") as stream:
            picture = Image.open(stream)
            assert picture.format == "PNG"
            assert np.array_equal(np.asarray(picture), images[1])
