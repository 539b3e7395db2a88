"""Read the arrays of an old (not zipped) PyTorch file without PyTorch, and without running what it says.

Such a file is five pickles (a magic number, a version, the machine, the tensors by name, the order of their
storages), then each storage: its length as a little-endian int64 and its numbers (`torch/serialization.py`,
`_legacy_load`).
"""

import hashlib
import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wbc_core.errors import WbcError

_LARGEST = 200_000_000  # bytes
_MAGIC = 0x1950A86A20F9469CFC6C


class _Tensor(NamedTuple):
    """Where the numbers of a tensor lie; offset and strides are counted in numbers, not bytes."""

    storage: tuple[str, str, int]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild(
    storage: tuple[str, str, int], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


_ADMITTED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _ADMITTED[module, name]

    def persistent_load(self, reference: Any) -> tuple[str, str, int]:
        kind, dtype, key, _, count, view = reference
        if kind != "storage" or dtype not in ("<f4", "<i8") or view is not None:
            raise pickle.UnpicklingError(f"it names a {kind!s:.20}")
        return str(key), dtype, int(count)


def read_arrays(path: Path, sha256: str) -> dict[str, NDArray[Any]]:
    """Read every tensor of a file whose checksum is known.

    Args:
        path: The file.
        sha256: What its bytes must hash to, hexadecimal; nothing of it is interpreted before.

    Returns:
        Name to array, float32 or int64, each a copy in C order.

    Raises:
        WbcError: Another checksum, or anything in it but float32 and int64 tensors by name.
    """
    if path.stat().st_size > _LARGEST:
        raise WbcError(f"{path.name} is no file of weights.", expected=f"at most {_LARGEST:,} bytes")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise WbcError(
            f"{path.name} is not the published file.",
            expected=f"sha256 {sha256}",
            got=found,
            fix="Install its package again.",
        )
    try:
        return _parse(io.BytesIO(content))
    except Exception as error:  # a pickle can fail in every way
        raise WbcError(
            f"{path.name} is not read.",
            expected="float and long tensors by name, and nothing else",
            got=str(error) or type(error).__name__,
            fix="Use the published file.",
        ) from None


def _parse(stream: io.BytesIO) -> dict[str, NDArray[Any]]:
    magic, _, machine, tensors, order = (_Unpickler(stream).load() for _ in range(5))
    if magic != _MAGIC or machine["little_endian"] is not True:
        raise ValueError("it does not begin as a PyTorch file of a little-endian machine")
    kinds = {key: (dtype, count) for key, dtype, count in (tensor.storage for tensor in tensors.values())}
    storages = {}
    for key in order:
        dtype, count = kinds[key]
        if int.from_bytes(stream.read(8), "little") != count:
            raise ValueError("a storage has another length than announced")
        # Too few bytes at the end of the file raise; what is allocated never exceeds the file.
        storages[key] = np.frombuffer(stream.read(count * int(dtype[2])), dtype=dtype, count=count)
    return {str(name): _array(tensor, storages[tensor.storage[0]]) for name, tensor in tensors.items()}


def _array(tensor: _Tensor, numbers: NDArray[Any]) -> NDArray[Any]:
    """Copy out of a storage what shape and strides describe; the published files store permuted tensors."""
    axes = list(zip(tensor.shape, tensor.strides, strict=True))
    if tensor.offset < 0 or any(length < 1 or stride < 0 for length, stride in axes):
        raise ValueError("a tensor has an impossible shape")
    size = int(np.prod(tensor.shape))
    last = tensor.offset + sum((length - 1) * stride for length, stride in axes)
    if size > len(numbers) or last >= len(numbers):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides).copy()
