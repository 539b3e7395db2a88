"""Weights out of a `.keras` file that may be hostile: numbers by their place and shape, and nothing else.

Such a file is a zip of a description of the network and an HDF5 file of its weights. The description is never
looked at, so no layer, function or pickle of it comes to life. What is read is bounded by our own network:
Keras writes that one's weights, and the numbers in the file replace them where place and shape are the same.
"""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wbc_core.errors import WbcError

if TYPE_CHECKING:
    import h5py
    import keras

_WEIGHTS = "model.weights.h5"
_ENCRYPTED = 0x1
_NESTED = ("functional", "sequential")
"""How Keras names a network inside another one."""
_DEEPEST, _MOST_NESTED = 4, 32
_RANDOM_STATE = "seed_generator"


def check_archive(path: Path) -> None:
    """Refuse what is no `.keras` file with weights inside; only its table of contents is read.

    Raises:
        WbcError: It is none, or they are compressed or encrypted, as Keras never writes them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _weights_entry(archive, path)
    except (ValueError, OSError, KeyError, NotImplementedError, zipfile.BadZipFile) as error:
        raise WbcError(
            f"{path.name} is no file that Keras saved.",
            expected=f"a .keras file with {_WEIGHTS} inside",
            got=str(error) or type(error).__name__,
            fix="Save the model again, or use a .weights.h5 file.",
        ) from error


def _weights_entry(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    entries = [entry for entry in archive.infolist() if entry.filename == _WEIGHTS]
    if len(entries) != 1:
        raise ValueError(f"{len(entries)} entries named {_WEIGHTS}")
    entry = entries[0]
    # Not compressed, the entry cannot grow beyond the file that it lies in.
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
        raise ValueError(f"{_WEIGHTS} compressed or encrypted")
    if entry.file_size != entry.compress_size or entry.file_size > path.stat().st_size:
        raise ValueError(f"{_WEIGHTS} of {entry.file_size:,} bytes in a file of {path.stat().st_size:,}")
    return entry


def load_archive(model: "keras.Model", path: Path) -> None:
    """Give a network the weights that a `.keras` file holds for it, alone or inside of a larger network.

    Args:
        model: The network; unchanged where it raises.
        path: The file.

    Raises:
        ValueError: It holds no network whose weights have these places and shapes.
        OSError: It is damaged, or the disk is full.
        zipfile.BadZipFile: It is damaged.
    """
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = Path(folder) / "theirs.h5", Path(folder) / "ours.weights.h5"
        with zipfile.ZipFile(path) as archive:
            entry = _weights_entry(archive, path)
            with archive.open(entry) as source, theirs.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        model.save_weights(ours)
        with h5py.File(theirs, "r") as source, h5py.File(ours, "r+") as target:
            _copy(source, target)
        model.load_weights(ours)


def _copy(source: "h5py.File", target: "h5py.File") -> None:
    """Replace every array of a network by that of the first network in the file that has all of them."""
    places = [name for name in _arrays(target) if _RANDOM_STATE not in name.split("/")]
    refusals = []
    for inside in _networks(source):
        try:
            found = [_array(source, f"{inside}{name}", target[name]) for name in places]
        except ValueError as error:
            refusals.append(str(error))
            continue
        for name, dataset in zip(places, found, strict=True):
            values = np.asarray(dataset[()], target[name].dtype)
            if not np.isfinite(values).all():
                raise ValueError(f"{inside}{name} holds values that are no numbers")
            target[name][...] = values
        return
    raise ValueError(refusals[-1])


def _arrays(group: "h5py.Group") -> list[str]:
    """Paths of the arrays in our own file."""
    import h5py

    found: list[str] = []

    def note(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset):
            found.append(name)

    group.visititems(note)
    return found


def _networks(source: "h5py.File") -> Iterator[str]:
    """Where in the file a network may begin: at its root, or in one that is nested in it."""
    import h5py

    waiting, yielded = [""], 0
    while waiting and yielded < _MOST_NESTED:
        inside = waiting.pop(0)
        yield inside
        yielded += 1
        layers = _own(source, f"{inside}layers")
        if not isinstance(layers, h5py.Group) or inside.count("/") >= 2 * _DEEPEST:
            continue
        names = [name for name in layers if name.startswith(_NESTED)]
        waiting += [f"{inside}layers/{name}/" for name in names[:_MOST_NESTED]]


def _own(source: "h5py.File", name: str) -> Any:
    """What lies under a path of the file itself; None where a link leads elsewhere or there is nothing."""
    import h5py

    current: Any = source
    for part in name.split("/"):
        if not isinstance(current, h5py.Group):
            return None
        if not isinstance(current.get(part, getlink=True), h5py.HardLink):
            return None
        current = current[part]
    return current


def _array(source: "h5py.File", name: str, ours: "h5py.Dataset") -> "h5py.Dataset":
    """An array of the file, not read yet.

    Raises:
        ValueError: It is not there, has another shape or kind, or is not stored in one piece, as Keras does:
            a piece may be declared far larger than the array, and lie in another file.
    """
    import h5py

    found = _own(source, name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"no array {name}")
    if found.shape != ours.shape or found.dtype.kind != ours.dtype.kind or found.dtype.itemsize > 8:
        raise ValueError(f"{name} is {found.dtype} {found.shape}, not {ours.dtype} {ours.shape}")
    if found.chunks is not None or found.external or found.is_virtual:
        raise ValueError(f"{name} is not stored in one piece")
    return found
