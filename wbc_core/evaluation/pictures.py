"""Pictures without labels, from a file, a folder, a zip archive or an npz file, brought to a model's size."""

import os
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from wbc_core.datasets.archives import open_archive
from wbc_core.datasets.listing import Rejected, is_clutter, plain_text
from wbc_core.datasets.npz import StoredArray, image_size, open_arrays
from wbc_core.datasets.pictures import MAX_FILE_BYTES, Unreadable, decode_picture, resized
from wbc_core.datasets.pixel_values import as_rgb, choose_scaling
from wbc_core.errors import WbcError

Shape = tuple[int, int, int]
Read = Callable[[], bytes]
_IMAGES = ("images", "data", "x", "train_images", "val_images", "test_images")
_BATCH = 64


@dataclass(frozen=True)
class Batch:
    """Some pictures of a source.

    Attributes:
        names: Their names as text; never used as paths.
        images: uint8 (n, H, W, 3) in the model's size.
        rejected: Files passed over since the last batch, and why.
        done: Share of the source that has been read, 0..1.
    """

    names: list[str]
    images: NDArray[np.uint8]
    rejected: list[Rejected]
    done: float


def _fitted(pixels: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    """The largest centred part of the right proportions, resized as an import would."""
    height, width, _ = shape
    if pixels.shape == shape:
        return pixels
    picture = Image.fromarray(pixels)
    if height == width:
        return np.asarray(resized(picture, height))
    return np.asarray(ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS))


def _limited(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise Unreadable(f"is larger than {MAX_FILE_BYTES // 2**20} MB")


def _read_file(path: Path, root: Path) -> bytes:
    if not path.resolve().is_relative_to(root):
        raise Unreadable("is a link that leads out of the folder")
    if not path.is_file():
        raise Unreadable("is not a file")
    _limited(path.stat().st_size)
    return path.read_bytes()


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    _limited(info.file_size)
    return archive.read(info)


def _paths_in(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_clutter(name)]
        yield from (Path(place, name) for name in files if not is_clutter(name))


@contextmanager
def _listed(source: Path) -> Iterator[list[tuple[str, Read]]]:
    """The files of a source by name, with what reads their bytes."""
    if source.is_dir():
        root = source.resolve()
        paths = sorted(_paths_in(source))
        yield [
            (plain_text(path.relative_to(source).as_posix()), partial(_read_file, path, root))
            for path in paths
        ]
    elif source.suffix.lower() == ".zip":
        with open_archive(source) as (archive, members):
            named = sorted(((info.filename.replace("\\", "/"), info) for info in members), key=itemgetter(0))
            yield [
                (plain_text(name), partial(_read_member, archive, info))
                for name, info in named
                if not any(is_clutter(part) for part in name.split("/"))
            ]
    else:
        path = source.resolve()
        yield [(plain_text(source.name), partial(_read_file, path, path.parent))]


def _batches_of_files(files: list[tuple[str, Read]], shape: Shape) -> Iterator[Batch]:
    square = shape[0] if shape[0] == shape[1] else None
    for start in range(0, len(files), _BATCH):
        names, images, rejected = list[str](), list[NDArray[np.uint8]](), list[Rejected]()
        for name, read in files[start : start + _BATCH]:
            try:
                images.append(_fitted(decode_picture(read(), square).pixels, shape))
                names.append(name)
            except Unreadable as error:
                rejected.append(Rejected(name, str(error)))
            except Exception as error:
                # A damaged zip member or a file without permission: one file less, not the end of the work.
                rejected.append(Rejected(name, f"cannot be read ({error})"))
        done = min(1.0, (start + _BATCH) / len(files))
        stacked = np.stack(images) if images else np.empty((0, *shape), np.uint8)
        yield Batch(names, stacked, rejected, done)


def _batches_of_arrays(file: Path, arrays: dict[str, StoredArray], shape: Shape) -> Iterator[Batch]:
    found = [arrays[name] for name in _IMAGES if name in arrays]
    if not found:
        raise WbcError(
            f"{file.name} lacks images.",
            expected=f"an array named {', '.join(_IMAGES[:-1])} or {_IMAGES[-1]}",
            got=", ".join(arrays) or "no arrays",
            fix="Save the images under one of these names.",
        )
    total, done = sum(array.shape[0] for array in found if array.shape), 0
    for array in found:
        image_size(array)
        to_bytes = choose_scaling(array.name, array.dtype, array.chunks())
        start = 0
        for chunk in array.chunks():
            images = np.stack([_fitted(image, shape) for image in as_rgb(to_bytes(chunk))])
            start, done = start + len(chunk), done + len(chunk)
            names = [f"{array.name}[{row}]" for row in range(start - len(chunk), start)]
            yield Batch(names, images, [], done / total)


def read_pictures(source: Path, shape: Shape) -> Iterator[Batch]:
    """Read pictures of any source, a batch at a time, by the same rules of caution as an import.

    Args:
        source: A picture file, a folder (with all folders in it), a zip archive, or an npz file with images.
        shape: Height, width and 3 channels to bring them to.

    Yields:
        The pictures in order of their names, or of the array.

    Raises:
        WbcError: There is no such source, or it is hostile or holds no images; single files that cannot be
            read are listed as rejected.
    """
    if not source.exists():
        raise WbcError(f"There is no file or folder {source}.", fix="Check the path.")
    with warnings.catch_warnings():
        # Pillow warns about broken metadata; whether a picture can be used is decided file by file.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        if source.is_file() and source.suffix.lower() == ".npz":
            with open_arrays(source) as arrays:
                yield from _batches_of_arrays(source, arrays, shape)
        else:
            with _listed(source) as files:
                yield from _batches_of_files(files, shape)


def read_named(source: Path, names: Collection[str], shape: Shape) -> dict[str, NDArray[np.uint8]]:
    """Read only some pictures of a source, for showing them.

    Args:
        source: As for `read_pictures`.
        names: Names that `read_pictures` gave.
        shape: Height, width and 3 channels to bring them to.

    Returns:
        Name to uint8 (H, W, 3), of those that are still there and can be read.
    """
    if not source.exists():
        return {}
    found = dict[str, NDArray[np.uint8]]()
    if source.is_file() and source.suffix.lower() == ".npz":
        for batch in read_pictures(source, shape):
            found |= {
                name: image for name, image in zip(batch.names, batch.images, strict=True) if name in names
            }
            if len(found) == len(names):
                break
        return found
    with _listed(source) as files:
        for batch in _batches_of_files([file for file in files if file[0] in names], shape):
            found |= dict(zip(batch.names, batch.images, strict=True))
    return found
