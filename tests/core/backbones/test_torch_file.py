"""Reading PyTorch's old files: the checksum first, nothing but tensors, each as its strides say."""

import hashlib
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wbc_core.backbones.efficientnet_lite import LITE0_WEIGHTS
from wbc_core.backbones.torch_file import read_arrays
from wbc_core.errors import WbcError

_MAGIC = 0x1950A86A20F9469CFC6C


def _dump(*things: object) -> bytes:
    return b"".join(pickle.dumps(thing, protocol=2) for thing in things)


def _file(
    folder: Path,
    numbers: np.ndarray,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *,
    offset: int = 0,
    announced: int | None = None,
) -> tuple[Path, str]:
    """A file with one tensor, written by hand."""
    count = len(numbers) if announced is None else announced
    kind = "FloatStorage" if numbers.dtype == np.float32 else "LongStorage"
    head = _dump(_MAGIC, 1001, {"protocol_version": 1001, "little_endian": True})
    storage = struct.pack("<q", count) + numbers.tobytes()
    return _placed(folder, head + _tensors(kind, count, offset, shape, strides) + _dump(["7"]) + storage)


def _tensors(kind: str, count: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """The pickle of an OrderedDict with one tensor `weight`, opcode by opcode."""

    def plain(thing: object) -> bytes:
        return pickle.dumps(thing, protocol=2)[2:-1]  # without its beginning and its end

    reference = b"(" + plain("storage") + f"ctorch\n{kind}\n".encode() + plain("7") + plain("cpu")
    reference += plain(count) + b"NtQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + reference + plain(offset) + plain(shape)
    tensor += plain(strides) + b"\x89ccollections\nOrderedDict\n)RtR"
    return b"\x80\x02ccollections\nOrderedDict\n)R" + plain("weight") + tensor + b"s."


def _placed(folder: Path, content: bytes) -> tuple[Path, str]:
    path = folder / "weights.pth"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_strides_and_offset_are_honoured(tmp_path: Path, dtype: type) -> None:
    numbers = np.arange(30, dtype=dtype)
    arrays = read_arrays(*_file(tmp_path, numbers, (2, 3, 4), (1, 2, 6), offset=5))
    expected = np.arange(5, 29).reshape(4, 3, 2).transpose(2, 1, 0)
    np.testing.assert_array_equal(arrays["weight"], expected)
    assert arrays["weight"].dtype == dtype
    assert arrays["weight"].flags.c_contiguous


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((4, 8), (8, 1), 0), ((30,), (1,), 1), ((2,), (-1,), 1), ((0, 3), (1, 1), 0), ((2, 3), (1,), 0)],
)
def test_no_tensor_reaches_outside_its_storage(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    path, sha256 = _file(tmp_path, np.zeros(30, np.float32), shape, strides, offset=offset)
    with pytest.raises(WbcError, match=r"weights\.pth is not read"):
        read_arrays(path, sha256)


@pytest.mark.parametrize("announced", [10**12, -1])
def test_a_length_that_the_file_does_not_have_allocates_nothing(tmp_path: Path, announced: int) -> None:
    path, sha256 = _file(tmp_path, np.zeros(4, np.float32), (2,), (1,), announced=announced)
    with pytest.raises(WbcError, match=r"weights\.pth is not read"):
        read_arrays(path, sha256)


class _Hostile:
    """Makes a folder when it is unpickled by someone careless."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.mkdir, (self.folder,)


@pytest.mark.parametrize("position", range(5))
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, position: int) -> None:
    parts: list[object] = [_MAGIC, 1001, {"little_endian": True}, OrderedDict(), []]
    parts[position] = _Hostile(tmp_path / "made")
    path, sha256 = _placed(tmp_path, _dump(*parts))
    with pytest.raises(WbcError, match=r"weights\.pth is not read.*it names \w+\.\w+"):
        read_arrays(path, sha256)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02N.", pickle.dumps(_MAGIC, 2) * 5])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path, sha256 = _placed(tmp_path, content)
    with pytest.raises(WbcError, match=r"weights\.pth is not read"):
        read_arrays(path, sha256)


def test_another_checksum_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    content = bytearray(LITE0_WEIGHTS.locate().read_bytes())
    content[-1] ^= 1
    path, sha256 = _placed(tmp_path, bytes(content))
    with pytest.raises(WbcError) as caught:
        read_arrays(path, LITE0_WEIGHTS.sha256)
    assert LITE0_WEIGHTS.sha256 in str(caught.value)
    assert sha256 in str(caught.value)
