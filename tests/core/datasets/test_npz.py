"""npz files: every shape, type and label form, and every way to lie in one."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wbc_core.datasets import npz
from wbc_core.datasets.importers import import_source
from wbc_core.datasets.store import list_datasets, load_table, open_images
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RED = np.zeros((3, 4, 5, 3), np.uint8) + np.array([200, 10, 20], np.uint8)


def save(folder: Path, name: str = "cells.npz", *, compressed: bool = False, **arrays: object) -> Path:
    path = folder / name
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def imported(workspace: Workspace, path: Path, **options: object) -> tuple[np.ndarray, list[int]]:
    dataset = import_source(workspace, path, **options).dataset
    return np.array(open_images(workspace, dataset.id)), load_table(workspace, dataset.id)["label"].tolist()


@QUICK
@given(
    count=st.integers(1, 30),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    channels=st.sampled_from([None, 1, 3, 4]),
    dtype=st.sampled_from(["u1", "<u2", ">u2", "<i4", "<i8", "<f2", "<f4", ">f8"]),
    chunk_bytes=st.sampled_from([1, 500, 2**24]),
    compressed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_shape_and_type_gives_the_same_pixels(
    tmp_path: Path,
    count: int,
    height: int,
    width: int,
    channels: int | None,
    dtype: str,
    chunk_bytes: int,
    compressed: bool,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    shape = (count, height, width) if channels is None else (count, height, width, channels)
    pixels = generator.integers(0, 256, shape, dtype=np.uint8)
    pixels.flat[0] = 255
    if channels == 4:
        pixels[..., 3] = 255
    stored = pixels.astype(dtype)
    if dtype.endswith("u2"):
        stored = (pixels.astype(np.uint32) * 257).astype(dtype)
    elif "f" in dtype:
        stored = (pixels / 255).astype(dtype)
    rgb = pixels if channels is not None else pixels[..., None]
    rgb = np.repeat(rgb, 3, axis=3) if rgb.shape[3] == 1 else rgb[..., :3]
    path = save(tmp_path, images=stored, labels=generator.integers(0, 3, count), compressed=compressed)
    workspace = Workspace(tmp_path / f"workspace-{np.random.default_rng().integers(2**60)}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(npz, "CHUNK_BYTES", chunk_bytes)
        np.testing.assert_array_equal(imported(workspace, path)[0], rgb)


@pytest.mark.parametrize("names", [("images", "labels"), ("data", "y"), ("x", "labels")])
@pytest.mark.parametrize(
    "labels",
    [
        np.array([2, 0, 1]),
        np.array([[2], [0], [1]], np.uint8),
        np.array([2.0, 0.0, 1.0]),
        np.eye(3)[[2, 0, 1]],
        np.eye(3, dtype=bool)[[2, 0, 1]],
    ],
)
def test_names_and_label_forms(
    workspace: Workspace, tmp_path: Path, names: tuple[str, str], labels: np.ndarray
) -> None:
    path = save(tmp_path, **{names[0]: RED, names[1]: labels})
    images, read = imported(workspace, path, class_names=["a", "b", "c"])
    assert read == [2, 0, 1]
    np.testing.assert_array_equal(images, RED)


def test_rows_keep_their_order_and_the_name_is_the_files(workspace: Workspace, tmp_path: Path) -> None:
    images = np.arange(50, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 2, 2, 3), np.uint8)
    result = import_source(workspace, save(tmp_path, "an2dl.npz", images=images, labels=np.arange(50) % 7))
    assert result.dataset.name == "an2dl"
    assert result.dataset.class_names == tuple("0123456")
    assert result.rejected == []
    table = load_table(workspace, result.dataset.id)
    assert table["source"][[0, 49]].tolist() == ["images[0]", "images[49]"]
    np.testing.assert_array_equal(open_images(workspace, result.dataset.id), images)


def test_one_hot_columns_count_as_classes(workspace: Workspace, tmp_path: Path) -> None:
    path = save(tmp_path, images=RED, labels=np.eye(5)[[0, 1, 1]])
    assert import_source(workspace, path).dataset.class_names == tuple("01234")


def test_medmnist_parts_are_joined(workspace: Workspace, tmp_path: Path) -> None:
    parts = {}
    for number, part in enumerate(["train", "val", "test"]):
        parts[f"{part}_images"] = np.full((2 + number, 4, 4, 3), number, np.uint8)
        parts[f"{part}_labels"] = np.full((2 + number, 1), number)
    dataset = import_source(workspace, save(tmp_path, **parts)).dataset
    table = load_table(workspace, dataset.id)
    assert table["label"].tolist() == [0] * 2 + [1] * 3 + [2] * 4
    assert table["source"][[0, 2, 8]].tolist() == ["train_images[0]", "val_images[0]", "test_images[3]"]


def test_a_size_resizes_and_notes_the_original(workspace: Workspace, tmp_path: Path) -> None:
    dataset = import_source(workspace, save(tmp_path, images=RED, labels=[0, 0, 0]), size=16).dataset
    images, table = open_images(workspace, dataset.id), load_table(workspace, dataset.id)
    assert images.shape == (3, 16, 16, 3)
    assert (images == [200, 10, 20]).all()
    assert (table["width"][0], table["height"][0]) == (5, 4)


def test_rgba_is_laid_on_white(workspace: Workspace, tmp_path: Path) -> None:
    rgba = np.zeros((1, 1, 3, 4), np.uint8)
    rgba[0, 0, :, 3] = 0, 128, 255
    assert imported(workspace, save(tmp_path, images=rgba, labels=[0]))[0][0, 0, :, 0].tolist() == [
        255,
        127,
        0,
    ]


@pytest.mark.parametrize(
    ("values", "pixels"),
    [
        (np.array([0.0, 0.5, 1.0]), [0, 128, 255]),
        (np.array([0.0, 99.6, 255.0]), [0, 100, 255]),
        (np.array([0, 200, 255], np.uint16), [0, 200, 255]),
        (np.array([0, 32768, 65535], np.int32), [0, 128, 255]),
        (np.array([0, 1, 1], np.int64), [0, 1, 1]),
    ],
)
def test_the_range_of_the_whole_array_decides_the_scale(
    workspace: Workspace, tmp_path: Path, values: np.ndarray, pixels: list[int]
) -> None:
    path = save(tmp_path, images=values.reshape(3, 1, 1), labels=[0, 0, 0])
    assert imported(workspace, path)[0][:, 0, 0, 2].tolist() == pixels


@pytest.mark.parametrize(
    "values",
    [[np.nan, 0.1], [np.inf, 0.1], [-0.1, 0.5], [0, 256.5], np.array([0, -1]), np.array([0, 70_000])],
)
def test_values_that_are_no_brightness_are_refused(
    workspace: Workspace, tmp_path: Path, values: list[float]
) -> None:
    with pytest.raises(WbcError, match="no brightness"):
        import_source(workspace, save(tmp_path, images=np.reshape(values, (2, 1, 1)), labels=[0, 0]))
    assert list_datasets(workspace) == []


@pytest.mark.parametrize(
    "labels",
    [
        [0, -1, 0],
        [0, 0.5, 0],
        [0, np.nan, 0],
        [0, 10_000, 0],
        [[1, 0], [1, 1], [0, 1]],
        [[1, 0], [0.5, 0.5], [0, 1]],
        [[1, 0], [0, 0], [0, 1]],
        [[1, 0], [np.nan, 1], [0, 1]],
    ],
)
def test_labels_that_are_no_class_are_refused_with_their_row(
    workspace: Workspace, tmp_path: Path, labels: list
) -> None:
    with pytest.raises(WbcError, match="Row 1 of the labels"):
        import_source(workspace, save(tmp_path, images=RED, labels=labels))


@pytest.mark.parametrize("labels", [["a", "b", "c"], [1j, 0, 0], np.zeros((3, 2, 2)), np.array(1)])
def test_labels_of_another_kind_are_refused(workspace: Workspace, tmp_path: Path, labels: object) -> None:
    with pytest.raises(WbcError, match="labels"):
        import_source(workspace, save(tmp_path, images=RED, labels=labels))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((3, 3, 4, 5)),
        np.zeros((3, 4)),
        np.zeros((3, 0, 4, 3)),
        np.zeros((3, 2, 2, 2, 3)),
        np.zeros((3, 2, 2), bool),
    ],
)
def test_images_of_another_shape_are_refused(
    workspace: Workspace, tmp_path: Path, images: np.ndarray
) -> None:
    with pytest.raises(WbcError, match=r"expected|Expected"):
        import_source(workspace, save(tmp_path, images=images, labels=[0, 0, 0]))


def test_missing_arrays_are_named_with_those_there_are(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WbcError, match=r"pictures \(3, 4, 5, 3\) uint8, labels \(3,\)"):
        import_source(workspace, save(tmp_path, pictures=RED, labels=[0, 0, 0]))
    with pytest.raises(WbcError, match="no arrays"):
        import_source(workspace, save(tmp_path))


def test_row_counts_must_agree(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WbcError, match="3 images and 2 labels"):
        import_source(workspace, save(tmp_path, images=RED, labels=[0, 0]))
    with pytest.raises(WbcError, match="0 images and 0 labels"):
        import_source(workspace, save(tmp_path, images=RED[:0], labels=[]))


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", ""]])
def test_class_names_must_fit(workspace: Workspace, tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(WbcError, match="class names"):
        import_source(workspace, save(tmp_path, images=RED, labels=[0, 1, 1]), class_names=names)


def test_the_last_classes_may_have_no_images(workspace: Workspace, tmp_path: Path) -> None:
    path = save(tmp_path, images=RED, labels=[0, 1, 1])
    assert import_source(workspace, path, class_names=["a", "b", "c"]).dataset.class_names == ("a", "b", "c")


def test_pickled_objects_are_refused_by_name(workspace: Workspace, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path(tmp_path / "sprung").touch, ())

    trap = np.array([Trap()], dtype=object)
    with pytest.raises(WbcError, match="'images' is refused: it holds pickled"):
        import_source(workspace, save(tmp_path, images=trap, labels=[0]))
    with pytest.raises(WbcError, match="'extra' is refused: it holds pickled"):
        import_source(workspace, save(tmp_path, images=RED, labels=[0] * 3, extra=trap))
    assert not (tmp_path / "sprung").exists()


def test_fortran_order_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WbcError, match="Fortran"):
        import_source(workspace, save(tmp_path, images=np.asfortranarray(RED), labels=[0] * 3))


def npy(shape: str, data: bytes, descr: str = "'|u1'", magic: bytes = b"\x93NUMPY\x01\x00") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (117 - len(header)) + b"\n"
    return magic + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    "member",
    [
        npy("(1000000000000, 96, 96, 3)", b"short"),
        npy("(3, 4, 5, 3)", b"\0" * 179),
        npy("(3, 4, 5, 3)", b"\0" * 181),
        npy("(-3, 4, -5, 3)", b"\0" * 180),
        npy("'abc'", b""),
        npy("(3, 4, 5, 3", b""),
        npy("(3, 4, 5, 3)", b"\0" * 180, descr="__import__('os')"),
        npy("(3, 4, 5, 3)", b"\0" * 180, magic=b"\x93NUMPY\x09\x00"),
        b"\x93NUMPY\x01\x00\xff\xff",
        b"GIF89a",
        b"",
    ],
)
def test_headers_that_lie_are_refused_before_anything_is_allocated(
    workspace: Workspace, tmp_path: Path, member: bytes
) -> None:
    path, labels = tmp_path / "lie.npz", io.BytesIO()
    np.save(labels, np.zeros(3, int))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", member)
        archive.writestr("labels.npy", labels.getvalue())
    with pytest.raises(WbcError, match="images"):
        import_source(workspace, path)


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_bytes_are_noticed(workspace: Workspace, tmp_path: Path, compressed: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 20, 20, 3), dtype=np.uint8)
    path = save(tmp_path, images=noise, labels=[0] * 50, compressed=compressed)
    data = bytearray(path.read_bytes())
    data[2000:2050] = b"\xff" * 50
    path.write_bytes(data)
    with pytest.raises(WbcError, match="'images' is damaged"):
        import_source(workspace, path)
    assert [path for path in workspace.home.rglob("*") if path.is_file()] == []


def test_no_more_than_a_few_chunks_are_in_memory(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, images=np.zeros((1500, 100, 100, 3), np.uint8), labels=[0] * 1500)
    monkeypatch.setattr(npz, "CHUNK_BYTES", 2**20)
    tracemalloc.start()
    import_source(workspace, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_what_is_no_zip_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for data in (b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04 and so on"):
        path.write_bytes(data)
        with pytest.raises(WbcError, match=r"x\.npz cannot be opened"):
            import_source(workspace, path)
