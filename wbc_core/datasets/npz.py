"""Arrays in an npz file, streamed straight out of its zip members, a chunk at a time."""

import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from wbc_core.datasets.archives import open_archive
from wbc_core.datasets.class_labels import MAX_CLASSES
from wbc_core.datasets.pictures import MAX_PIXELS
from wbc_core.errors import WbcError

CHUNK_BYTES = 16 * 2**20
_IMAGES, _LABELS = ("images", "data", "x"), ("labels", "y")
_PARTS = ("train", "val", "test")
_BAD_HEADER = (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError)
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


@dataclass(frozen=True)
class StoredArray:
    """One array of an npz file, its header read and checked, its values still in the file.

    Attributes:
        archive: The open npz file.
        info: The zip member.
        shape: Shape that the header declares.
        dtype: Type that the header declares.
    """

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def name(self) -> str:
        """Name of the array, as `numpy.load` gives it."""
        return self.info.filename.removesuffix(".npy")

    def chunks(self, largest_row: int = 1) -> Iterator[NDArray[Any]]:
        """Yield the rows in order, about 16 MB at a time.

        Args:
            largest_row: Bytes of a row in the form it will be brought to, where that is larger.

        Raises:
            WbcError: The member is damaged or shorter than declared.
        """
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        rows_at_once = max(1, CHUNK_BYTES // max(row_bytes, largest_row))
        try:
            with self.archive.open(self.info) as stream:
                _read_header(stream, self.info.filename)
                for start in range(0, self.shape[0], rows_at_once):
                    count = min(rows_at_once, self.shape[0] - start)
                    data = stream.read(count * row_bytes)
                    if len(data) != count * row_bytes:
                        raise EOFError("the file ends too early")
                    yield np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])
        except _DAMAGE as error:
            raise _damaged(self.name, error) from None


def _damaged(name: str, error: Exception) -> WbcError:
    return WbcError(f"The array {name!r} is damaged.", got=error, fix="Download or write the file again.")


def _read_header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = npy_format.read_magic(stream)
        if version == (1, 0):
            return npy_format.read_array_header_1_0(stream)
        if version == (2, 0):
            return npy_format.read_array_header_2_0(stream)
        raise ValueError(f"npy format {version[0]}.{version[1]}")
    except _BAD_HEADER as error:
        raise WbcError(
            f"The array {name!r} has no header that can be read.",
            expected="npy format 1.0 or 2.0",
            got=error,
            fix="Write the file again with numpy.savez.",
        ) from None


def _stored_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> StoredArray:
    try:
        with archive.open(info) as stream:
            shape, fortran_order, dtype = _read_header(stream, info.filename)
            header_bytes = stream.tell()
    except _DAMAGE as error:
        raise _damaged(info.filename.removesuffix(".npy"), error) from None
    array = StoredArray(archive, info, shape, dtype)
    if dtype.hasobject:
        raise WbcError(
            f"The array {array.name!r} is refused: it holds pickled objects, which can run any program.",
            expected="numbers",
            got=f"dtype {dtype}",
            fix="Save it as an array of numbers.",
        )
    if fortran_order and len(shape) > 1:
        raise WbcError(
            f"The array {array.name!r} is stored column by column and cannot be streamed.",
            expected="C order",
            got="Fortran order",
            fix="Save numpy.ascontiguousarray of it.",
        )
    declared = header_bytes + math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared != info.file_size:
        raise WbcError(
            f"The array {array.name!r} does not hold what its header declares.",
            expected=f"{declared:,} bytes for {shape} of {dtype}",
            got=f"{info.file_size:,} bytes",
            fix="Download or write the file again.",
        )
    return array


@dataclass(frozen=True)
class ArrayPair:
    """Images and their labels, both still in the file."""

    images: StoredArray
    labels: StoredArray


@contextmanager
def open_arrays(path: Path) -> Iterator[dict[str, StoredArray]]:
    """Open an npz file and read the headers of the arrays in it; no values.

    Raises:
        WbcError: It is no npz file, or holds pickled objects, or declares sizes that it does not have.
    """
    # Arrays of one colour pack very tightly, and streaming needs no memory: a higher bar than for pictures.
    with open_archive(path, small=256 * 2**20) as (archive, members):
        arrays = [_stored_array(archive, info) for info in members if info.filename.endswith(".npy")]
        yield {array.name: array for array in arrays}


def _first(arrays: dict[str, StoredArray], names: tuple[str, ...]) -> StoredArray | None:
    return next((arrays[name] for name in names if name in arrays), None)


def find_pairs(path: Path, arrays: dict[str, StoredArray]) -> list[ArrayPair]:
    """Find the images and labels: one pair, or MedMNIST's train, val and test in this order.

    Raises:
        WbcError: An array is missing (the message lists those there are), or numbers of rows differ.
    """
    images, labels = _first(arrays, _IMAGES), _first(arrays, _LABELS)
    pairs = [ArrayPair(images, labels)] if images and labels else []
    if not pairs:
        for part in _PARTS:
            images, labels = arrays.get(f"{part}_images"), arrays.get(f"{part}_labels")
            if images and labels:
                pairs.append(ArrayPair(images, labels))
    if not pairs:
        held = ", ".join(f"{array.name} {array.shape} {array.dtype}" for array in arrays.values())
        raise WbcError(
            f"{path.name} lacks images or labels.",
            expected="`images`, `data` or `x` with `labels` or `y`, or MedMNIST's `train_images`..",
            got=held or "no arrays",
            fix="Save the arrays under these names.",
        )
    for pair in pairs:
        rows = [array.shape[0] if array.shape else 0 for array in (pair.images, pair.labels)]
        if rows[0] != rows[1] or not rows[0]:
            raise WbcError(
                f"{pair.images.name!r} and {pair.labels.name!r} do not belong together.",
                expected="as many labels as images, and at least one",
                got=f"{rows[0]:,} images and {rows[1]:,} labels",
                fix="Save one label an image.",
            )
    return pairs


def read_labels(array: StoredArray) -> NDArray[np.int64]:
    """Read labels of shape (N,), (N, 1) or one-hot (N, K) as class indices of shape (N,).

    Raises:
        WbcError: They are no integers of 0 and above, or not one-hot.
    """
    expected = f"integers 0..{MAX_CLASSES - 1} of shape (N,) or (N, 1), or one-hot (N, K)"
    fix = "Number the classes from 0."
    if array.dtype.kind not in "iufb" or len(array.shape) > 2 or math.prod(array.shape[1:]) > MAX_CLASSES:
        got = f"{array.dtype} of shape {array.shape}"
        raise WbcError(f"The labels {array.name!r} cannot be used.", expected=expected, got=got, fix=fix)
    one_hot = len(array.shape) == 2 and array.shape[1] > 1
    labels, start = np.empty(array.shape[0], np.int64), 0
    for chunk in array.chunks():
        if one_hot:
            wrong = ((chunk != 0) & (chunk != 1)).any(axis=1) | ((chunk == 1).sum(axis=1) != 1)
            values = chunk.argmax(axis=1)
        else:
            values = chunk.reshape(-1)
            wrong = ~((values >= 0) & (values < MAX_CLASSES)) | (values != np.trunc(values))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            where = f"Row {start + row:,} of the labels {array.name!r} is no class."
            raise WbcError(where, expected=expected, got=np.array2string(chunk[row], threshold=20), fix=fix)
        labels[start : start + len(chunk)] = values
        start += len(chunk)
    return labels


def read_class_names(arrays: dict[str, StoredArray]) -> list[str] | None:
    """The texts of `class_names`, as the lab's own exports hold them; None where there are none."""
    array = arrays.get("class_names")
    if array is None or array.dtype.kind != "U" or len(array.shape) != 1 or array.shape[0] > MAX_CLASSES:
        return None
    return [str(name) for chunk in array.chunks() for name in chunk]


def image_size(array: StoredArray) -> tuple[int, int]:
    """Width and height of stored images, after checking that their shape and type can be used.

    Raises:
        WbcError: They are not (N, H, W), (N, H, W, 1), (N, H, W, 3) or (N, H, W, 4) of numbers.
    """
    shape = array.shape
    shaped = len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4))
    if not shaped or array.dtype.kind not in "iuf" or not 0 < math.prod(shape[1:3]) <= MAX_PIXELS:
        raise WbcError(
            f"The images {array.name!r} cannot be used.",
            expected=f"(N, H, W), or (N, H, W, C) with 1, 3 or 4 channels, of integers or floats, "
            f"at most {MAX_PIXELS:,} pixels each",
            got=f"{array.dtype} of shape {shape}",
            fix="Put the channels last.",
        )
    return shape[2], shape[1]
