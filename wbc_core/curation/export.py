"""The ways of a clean set out of the lab: one npz file, class folders, or a zip archive of these."""

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from wbc_core.curation.class_folders import File, class_folder_files
from wbc_core.curation.clean import CleanSet
from wbc_core.curation.measure import chunk_size
from wbc_core.datasets.store import load_table, open_images
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.records import Json
from wbc_core.wording import counted
from wbc_core.workspace import Workspace, whole_file, whole_folder

_TOLD_EVERY = 512
"""Files between two words about the progress."""


def export_clean_set(workspace: Workspace, clean: CleanSet, target: str, progress: Progress = silent) -> Json:
    """Write a clean set to a file or folder, whole or not at all.

    Args:
        workspace: The lab.
        clean: The clean set.
        target: Where to: `.npz`, `.zip`, or a folder that is new or empty (end it in `/` if it has a dot).
        progress: Told the fraction done.

    Returns:
        `{"clean": id, "images": number, "path": where}`.

    Raises:
        WbcError: The ending is unknown, the folder is not empty, or the folder of the file does not exist.
    """
    path = Path(target).resolve()
    is_folder = target.endswith(("/", os.sep)) or path.is_dir() or not path.suffix
    if is_folder:
        _export_folder(workspace, clean, path, progress)
    elif path.suffix.lower() == ".zip":
        _export_zip(workspace, clean, path, progress)
    elif path.suffix.lower() == ".npz":
        export_npz(workspace, clean, path, progress)
    else:
        raise WbcError(
            f"The clean set cannot be written as {path.name}.",
            expected="a name that ends in .npz, .zip, or in / for class folders",
            fix="Give it one of these endings.",
        )
    return {"clean": clean.id, "images": len(clean.rows), "path": str(path)}


def export_npz(workspace: Workspace, clean: CleanSet, path: Path, progress: Progress = silent) -> None:
    """Write a clean set as one npz file that `wbc import` and `numpy.load` read without pickle.

    It holds `images` uint8 (n, height, width, 3), `labels` int64 (n,), `image_ids` (n,) and
    `class_names` (classes,), in row order. Images are copied in chunks.

    Args:
        workspace: The lab.
        clean: The clean set.
        path: The file to write; an older one is replaced once the new one is whole.
        progress: Told the fraction done.

    Raises:
        WbcError: The folder does not exist.
    """
    images = open_images(workspace, clean.dataset.id)
    image_ids = load_table(workspace, clean.dataset.id)["image_id"].to_numpy(dtype=np.str_)[clean.rows]
    small = {
        "labels": clean.labels,
        "image_ids": image_ids,
        "class_names": np.array(clean.dataset.class_names, dtype=np.str_),
    }
    header = {
        "descr": "|u1",
        "fortran_order": False,
        "shape": (len(clean.rows), *clean.dataset.image_shape),
    }
    with _archive(path) as archive:
        with archive.open(zipfile.ZipInfo("images.npy"), "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            size = chunk_size(clean.dataset.image_shape)
            for start in range(0, len(clean.rows), size):
                _tell(progress, start, clean)
                stream.write(images[clean.rows[start : start + size]].data)
        for name, array in small.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    # Members go in as `ZipInfo(name)`, dated 1980: the same clean set is the same bytes at any time.
    with whole_file(path) as scratch, zipfile.ZipFile(scratch, "w", zipfile.ZIP_STORED) as archive:
        yield archive


def _tell(progress: Progress, done: int, clean: CleanSet) -> None:
    progress(done / max(1, len(clean.rows)), f"Wrote {done:,} of {counted(len(clean.rows), 'image')}")


def _files(workspace: Workspace, clean: CleanSet, progress: Progress) -> Iterator[File]:
    for number, file in enumerate(class_folder_files(workspace, clean)):
        if number % _TOLD_EVERY == 0:
            _tell(progress, number, clean)
        yield file


def _export_zip(workspace: Workspace, clean: CleanSet, path: Path, progress: Progress) -> None:
    with _archive(path) as archive:
        for file in _files(workspace, clean, progress):
            archive.writestr(zipfile.ZipInfo(file.path), file.content)


def _export_folder(workspace: Workspace, clean: CleanSet, path: Path, progress: Progress) -> None:
    with whole_folder(path) as folder:
        for file in _files(workspace, clean, progress):
            place = folder / file.path
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(file.content)
