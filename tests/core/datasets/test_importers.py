"""Folders, zip archives and CSV files: what is taken, what is left out, what is refused."""

import errno
import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wbc_core.datasets import importers
from wbc_core.datasets.class_labels import resolve_classes
from wbc_core.datasets.importers import ImportResult, import_source
from wbc_core.datasets.store import DatasetWriter, class_counts, list_datasets, load_table, open_images
from wbc_core.errors import Cancelled, WbcError
from wbc_core.workspace import Workspace

Files = dict[str, bytes]


def png(shade: int = 0, size: tuple[int, int] = (10, 10)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade, 50, 100)).save(buffer, "PNG")
    return buffer.getvalue()


CELLS: Files = {
    "platelet/b.png": png(1),
    "platelet/a.png": png(2),
    "monocyte/z.png": png(3),
}


def as_folder(parent: Path, files: Files) -> Path:
    for name, data in files.items():
        path = parent / "cells.v2" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return parent / "cells.v2"


def as_zip(parent: Path, files: Files) -> Path:
    with zipfile.ZipFile(parent / "cells.v2.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return parent / "cells.v2.zip"


BOTH = pytest.mark.parametrize("pack", [as_folder, as_zip])
Pack = Callable[[Path, Files], Path]


def whys(result: ImportResult) -> dict[str, str]:
    return {item.source: item.why for item in result.rejected}


@BOTH
def test_classes_are_the_sorted_folders(workspace: Workspace, tmp_path: Path, pack: Pack) -> None:
    result = import_source(workspace, pack(tmp_path, CELLS))
    dataset = result.dataset
    assert (dataset.name, dataset.class_names, result.rejected) == ("cells.v2", ("monocyte", "platelet"), [])
    assert class_counts(workspace, dataset) == {"monocyte": 1, "platelet": 2}
    assert open_images(workspace, dataset.id)[:, 0, 0, 0].tolist() == [3, 2, 1]
    table = load_table(workspace, dataset.id)
    assert table["source"].tolist() == ["monocyte/z.png", "platelet/a.png", "platelet/b.png"]
    assert table["width"].tolist() == [10, 10, 10]


def test_folder_and_zip_give_the_same_data_set(workspace: Workspace, tmp_path: Path) -> None:
    sources = (as_folder(tmp_path, CELLS), as_zip(tmp_path, CELLS))
    ids = {import_source(workspace, source, name="x").dataset.id for source in sources}
    assert len(ids) == 1


@BOTH
def test_a_wrapping_folder_and_clutter_are_seen_through(
    workspace: Workspace, tmp_path: Path, pack: Pack
) -> None:
    files = {f"wrap/{name}": data for name, data in CELLS.items()}
    files |= {
        "__MACOSX/wrap/platelet/._a.png": b"x",
        "wrap/.DS_Store": b"x",
        "wrap/platelet/Thumbs.db": b"x",
        "LICENCE": b"free",
    }
    result = import_source(workspace, pack(tmp_path, files))
    assert result.dataset.class_names == ("monocyte", "platelet")
    assert whys(result) == {"LICENCE": "lies in no class folder"}


@BOTH
def test_unreadable_files_are_left_out_and_named(workspace: Workspace, tmp_path: Path, pack: Pack) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    files = CELLS | {
        "monocyte/empty.png": b"",
        "monocyte/half.png": buffer.getvalue()[:200],
        "notes/read.me": b"no picture",
        "stray.png": png(),
    }
    result = import_source(workspace, pack(tmp_path, files))
    assert result.dataset.images == 3
    assert result.dataset.class_names == ("monocyte", "platelet")
    reasons = whys(result)
    assert list(reasons) == ["stray.png", "monocyte/empty.png", "monocyte/half.png", "notes/read.me"]
    assert reasons["monocyte/empty.png"] == "is empty"
    assert reasons["monocyte/half.png"].startswith("is damaged")
    assert reasons["notes/read.me"] == "is not a picture of a known format"


@BOTH
def test_nothing_usable_is_an_error(workspace: Workspace, tmp_path: Path, pack: Pack) -> None:
    with pytest.raises(WbcError, match=r"holds no picture.*a/b\.png is empty"):
        import_source(workspace, pack(tmp_path, {"a/b.png": b""}))
    damaged = png(size=(50, 50))[:70]
    with pytest.raises(WbcError, match="holds no picture"):
        import_source(workspace, pack(tmp_path, {"a/b.png": damaged}))
    assert list_datasets(workspace) == []
    assert not workspace.scratch_dir.exists() or list(workspace.scratch_dir.iterdir()) == []


@BOTH
def test_sizes_that_differ_are_listed_and_can_be_made_one(
    workspace: Workspace, tmp_path: Path, pack: Pack
) -> None:
    source = pack(tmp_path, CELLS | {"monocyte/wide.png": png(size=(30, 20))})
    with pytest.raises(WbcError, match=r"2 different sizes.*10x10 \(3\), 30x20 \(1\).*--size 10"):
        import_source(workspace, source)
    dataset = import_source(workspace, source, size=16).dataset
    assert dataset.image_shape == (16, 16, 3)
    assert load_table(workspace, dataset.id)["width"].tolist() == [30, 10, 10, 10]


def test_class_names_set_the_order(workspace: Workspace, tmp_path: Path) -> None:
    source = as_folder(tmp_path, CELLS)
    dataset = import_source(workspace, source, class_names=["platelet", "monocyte"]).dataset
    assert class_counts(workspace, dataset) == {"platelet": 2, "monocyte": 1}
    with pytest.raises(WbcError, match="not those of the source"):
        import_source(workspace, source, class_names=["platelet", "lymphocyte"])


def test_numbers_as_classes_are_the_labels() -> None:
    numbers = {str(number) for number in range(11)}
    names, labels = resolve_classes(numbers, None)
    assert names == tuple(str(number) for number in range(11))
    assert labels["10"] == 10
    assert resolve_classes({"0", "2"}, ["a", "b", "c"]) == (("a", "b", "c"), {"0": 0, "2": 2})
    assert resolve_classes({"2", "10"}, None) == (("2", "10"), {"2": 0, "10": 1})
    with pytest.raises(WbcError, match="fewer class names than labels"):
        resolve_classes({"0", "1"}, ["a"])
    assert resolve_classes({"99999999999999999999", "0"}, None)[0] == ("0", "99999999999999999999")


@pytest.mark.parametrize(
    ("member", "why"),
    [
        ("/etc/passwd", "absolute path"),
        ("\\\\server\\a.png", "absolute path"),
        ("C:\\a\\b.png", "absolute path"),
        ("a/../../b.png", "leads out of the archive"),
        ("a\\..\\..\\b.png", "leads out of the archive"),
    ],
)
def test_paths_that_lead_out_are_refused_by_name(
    workspace: Workspace, tmp_path: Path, member: str, why: str
) -> None:
    with pytest.raises(WbcError, match=why) as refused:
        import_source(workspace, as_zip(tmp_path, CELLS | {member: png()}))
    assert repr(member) in str(refused.value)
    assert list_datasets(workspace) == []


def test_links_and_secrets_in_a_zip_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = as_zip(tmp_path, CELLS)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("monocyte/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(WbcError, match=r"'monocyte/link\.png' is a symbolic link"):
        import_source(workspace, path)
    path = as_zip(tmp_path, {"a/b.png": png()})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(WbcError, match=r"'a/b\.png' is encrypted"):
        import_source(workspace, path)


def test_zip_bombs_are_refused_by_name(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WbcError, match=r"'a/bomb\.png' would grow from [\d,]+ to 8,000,000 bytes"):
        import_source(workspace, as_zip(tmp_path, CELLS | {"a/bomb.png": b"\0" * 8_000_000}))
    path = as_zip(tmp_path, {"a/b.png": np.random.default_rng(0).bytes(5000), "a/c.png": png()})
    data = bytearray(path.read_bytes())
    # The second member claims as many packed bytes as the first has: together more than the file.
    second = data.rindex(b"PK\x01\x02")
    data[second + 20 : second + 24] = (5000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(WbcError, match="overlap"):
        import_source(workspace, path)


def test_a_damaged_member_is_left_out(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in CELLS.items():
            archive.writestr(name, data)
    data = path.read_bytes()
    broken = png(3)[:40] + b"\0\0" + png(3)[42:]
    path.write_bytes(data.replace(png(3), broken))
    result = import_source(workspace, path)
    assert result.dataset.images == 2
    assert "CRC" in whys(result)["monocyte/z.png"]


def test_links_out_of_a_folder_are_left_out(workspace: Workspace, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(9))
    folder = as_folder(tmp_path, CELLS)
    (folder / "monocyte" / "out.png").symlink_to(secret)
    (folder / "monocyte" / "in.png").symlink_to(folder / "platelet" / "a.png")
    (folder / "monocyte" / "gone.png").symlink_to(folder / "nowhere.png")
    result = import_source(workspace, folder)
    assert result.dataset.images == 4
    assert whys(result) == {
        "monocyte/gone.png": "is not there",
        "monocyte/out.png": "is a link that leads out of the folder",
    }


def test_file_names_in_another_encoding_stay_text(workspace: Workspace, tmp_path: Path) -> None:
    folder = as_folder(tmp_path, CELLS)
    (folder / "monocyte" / "zelle\udce4.png").write_bytes(png(7))
    dataset = import_source(workspace, folder).dataset
    assert "monocyte/zelle\ufffd.png" in load_table(workspace, dataset.id)["source"].tolist()


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("header", ["path,label", "Image,note,Class", "\ufefffile, class"])
def test_a_csv_names_pictures_and_labels(workspace: Workspace, tmp_path: Path, header: str) -> None:
    folder = as_folder(tmp_path, CELLS)
    between = ",x," if "note" in header else ","
    lines = [
        f"{name}{between}{label}"
        for name, label in zip(sorted(CELLS), ["mono", "thrombo", "mono"], strict=True)
    ]
    result = import_source(workspace, write_csv(folder, "\n".join([header, *lines, "", ""])))
    assert result.dataset.class_names == ("mono", "thrombo")
    assert result.rejected == []
    assert open_images(workspace, result.dataset.id)[:, 0, 0, 0].tolist() == [3, 2, 1]


def test_a_csv_never_leads_out_of_its_folder(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png(9))
    folder = as_folder(tmp_path, CELLS)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    rows = ["platelet/a.png,p", "../secret.png,p", f"{folder}/platelet/a.png,p", "link.png,p", "gone.png,p"]
    rows += ["platelet,p", "platelet/b.png,", ",p", "platelet/../platelet/b.png,p", "a\0b.png,p"]
    result = import_source(workspace, write_csv(folder, "\n".join(["file,label", *rows])))
    assert load_table(workspace, result.dataset.id)["source"].tolist() == [
        "platelet/a.png",
        "platelet/../platelet/b.png",
    ]
    outside = "lies outside the folder of the CSV file"
    assert whys(result) == {
        "../secret.png": outside,
        f"{folder}/platelet/a.png": outside,
        "link.png": outside,
        "gone.png": "is not there",
        "platelet": "is not a file",
        "platelet/b.png": "has no label",
        "list.csv, line 9": "names no file",
        "a\0b.png": "is not a path",
    }


def test_a_csv_that_is_none_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    for text, message in (
        ("a,b\n1,2\n", "no column for the path.*got a, b"),
        ("path,x\n", "no column for the label"),
    ):
        with pytest.raises(WbcError, match=message):
            import_source(workspace, write_csv(tmp_path, text))
    with pytest.raises(WbcError, match="UTF-8"):
        import_source(workspace, write_csv(tmp_path, "path,label\nzellä.png,x\n", encoding="latin-1"))
    with pytest.raises(WbcError, match="holds no picture"):
        import_source(workspace, write_csv(tmp_path, "path,label\n"))
    with pytest.raises(WbcError, match="no column"):
        import_source(workspace, write_csv(tmp_path, ""))


def test_sources_that_cannot_be_are_named(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WbcError, match="no file or folder"):
        import_source(workspace, tmp_path / "absent.npz")
    with pytest.raises(WbcError, match="cannot be read or written"):
        import_source(workspace, tmp_path / f"{'x' * 300}.npz", name="x")
    (tmp_path / "x.rar").write_bytes(b"x")
    with pytest.raises(WbcError, match=r"x\.rar is of no kind"):
        import_source(workspace, tmp_path / "x.rar")
    (tmp_path / "x.zip").write_bytes(b"x")
    with pytest.raises(WbcError, match="zip archive"):
        import_source(workspace, tmp_path / "x.zip")
    folder = as_folder(tmp_path, CELLS)
    for options in ({"size": 7}, {"size": 5000}, {"name": " "}, {"name": "x" * 201}):
        with pytest.raises(WbcError, match="cannot be used"):
            import_source(workspace, folder, **options)


def test_progress_rises_and_cancelling_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    source, seen = as_folder(tmp_path, CELLS), []
    import_source(workspace, source, progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1

    def cancel(fraction: float, message: str) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        import_source(workspace, source, name="other", progress=cancel)
    assert len(list_datasets(workspace)) == 1
    assert list(workspace.scratch_dir.iterdir()) == []


def test_a_full_disk_is_an_error_and_leaves_nothing(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DatasetWriter, "append", full)
    with pytest.raises(WbcError, match="No space left"):
        import_source(workspace, as_folder(tmp_path, CELLS))
    assert list(workspace.scratch_dir.iterdir()) == []


def test_order_does_not_depend_on_the_batches(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = as_folder(tmp_path, {f"a/{number:03}.png": png(number) for number in range(40)})
    whole = import_source(workspace, source, name="x").dataset.id
    monkeypatch.setattr(importers, "_DECODED_BYTES", 900)
    assert import_source(workspace, source, name="x").dataset.id == whole


def test_the_real_archive(workspace: Workspace, real_data: Path) -> None:
    result = import_source(workspace, real_data / "pbc_val_96.zip")
    assert (result.dataset.images, result.rejected) == (1712, [])
    assert result.dataset.image_shape == (96, 96, 3)
    assert len(result.dataset.class_names) == 8
