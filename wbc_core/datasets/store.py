"""Where imported images lie: one memory-mapped array and one table a data set, written once."""

import hashlib
import mmap
import shutil
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import pandas as pd
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from wbc_core.errors import WbcError
from wbc_core.records import Dataset, content_id
from wbc_core.wording import counted
from wbc_core.workspace import Workspace, now

IMAGE_ID_DIGITS = 20


def _checked_class_names(class_names: Iterable[str]) -> tuple[str, ...]:
    names = tuple(class_names)
    if not names or any(not name.strip() for name in names) or len(set(names)) != len(names):
        raise WbcError(
            "The class names cannot be used.",
            expected="at least one name, none empty, none twice",
            got=list(names[:20]),
            fix="Correct the folder names or --classes.",
        )
    return names


def _with_copies_numbered(digests: Sequence[str]) -> list[str]:
    """Append `-k` to the k-th further copy of the same pixels, in row order.

    Example:
        >>> _with_copies_numbered(["a", "b", "a", "a"])
        ['a', 'b', 'a-1', 'a-2']
    """
    seen: dict[str, int] = {}
    image_ids = []
    for digest in digests:
        copy = seen.get(digest, 0)
        seen[digest] = copy + 1
        image_ids.append(f"{digest}-{copy}" if copy else digest)
    return image_ids


class DatasetWriter:
    """Stream images into a new data set; it appears in the workspace, whole, when finished.

    Use it as a context manager. Without `finish` (an error, a cancelled job) nothing is left behind.

    Args:
        workspace: The workspace to write to.
        name: What the user calls the data set.
        class_names: Class names; labels are indices into them.
        image_shape: Height, width and 3 channels, in pixels.

    Raises:
        WbcError: The class names are empty or repeat, or the shape is not (H, W, 3).
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        class_names: Sequence[str],
        image_shape: tuple[int, int, int],
    ) -> None:
        if len(image_shape) != 3 or image_shape[2] != 3 or min(image_shape) < 1:
            raise WbcError(
                "The images have no shape that can be stored.",
                expected="height, width and 3 channels",
                got=tuple(image_shape),
            )
        self.workspace, self.name, self.image_shape = workspace, name, image_shape
        self.class_names = _checked_class_names(class_names)
        self.rows = 0
        self._digests: list[str] = []
        self._labels: list[NDArray[np.int64]] = []
        self._sources: list[str] = []
        self._sizes: list[NDArray[np.int64]] = []
        self._pixels = hashlib.sha256()
        self._folder = workspace.scratch_name()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        self._file = (self._folder / "images.npy").open("wb")
        self._write_header()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def _open_file(self) -> BinaryIO:
        if self._file is None or self._file.closed:
            raise RuntimeError("DatasetWriter is used outside its `with` block or after finish().")
        return self._file

    def _write_header(self) -> None:
        # NumPy pads the header so that the first axis may grow in place: its length is the same for any N.
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.rows, *self.image_shape)}
        file = self._open_file()
        file.seek(0)
        npy_format.write_array_header_1_0(file, header)

    def append(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.integer],
        sources: Sequence[str],
        original_sizes: NDArray[np.integer],
    ) -> None:
        """Write one chunk of images.

        Args:
            images: Pixels, uint8 of shape (n, H, W, 3), 0..255.
            labels: Class indices, integers of shape (n,).
            sources: Where each image came from, n texts; never used as a path.
            original_sizes: Width and height before any resizing, integers of shape (n, 2), in pixels.

        Raises:
            WbcError: A label has no class name.
            ValueError: The chunk's arrays do not fit each other or the data set.
        """
        count = len(images)
        sizes = np.asarray(original_sizes, dtype=np.int64)
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape:
            raise ValueError(f"images are {images.dtype} {images.shape}, not uint8 (n, {self.image_shape})")
        if labels.shape != (count,) or len(sources) != count or sizes.shape != (count, 2):
            raise ValueError("images, labels, sources and original sizes differ in number")
        wrong = np.flatnonzero((labels < 0) | (labels >= len(self.class_names)))
        if wrong.size:
            raise WbcError(
                f"Row {self.rows + int(wrong[0])} has a label without a class.",
                expected=f"labels 0..{len(self.class_names) - 1}",
                got=int(labels[wrong[0]]),
                fix="Give as many class names as there are labels.",
            )
        file = self._open_file()
        for image in np.ascontiguousarray(images):
            digest = hashlib.sha256(image)
            self._pixels.update(digest.digest())
            self._digests.append(digest.hexdigest()[:IMAGE_ID_DIGITS])
            file.write(image)
        self._labels.append(labels.astype(np.int64))
        self._sources.extend(sources)
        self._sizes.append(sizes)
        self.rows += count

    def finish(self, source: str) -> Dataset:
        """Write the table and the record, and put the data set in its place.

        Args:
            source: Where the images came from, as the user named it.

        Returns:
            The new data set, or the one that was there already with the same content and name.

        Raises:
            WbcError: No image was appended.
        """
        if not self.rows:
            raise WbcError(
                f"{source} holds no image that can be used.", fix="Look at the list of rejected files."
            )
        self._write_header()
        self._open_file().close()
        labels = np.concatenate(self._labels)
        sizes = np.concatenate(self._sizes)
        identity = {
            "name": self.name,
            "classes": self.class_names,
            "shape": self.image_shape,
            "pixels": self._pixels.hexdigest(),
            "labels": hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest(),
        }
        dataset = Dataset(
            id=content_id("ds", identity),
            name=self.name,
            class_names=self.class_names,
            image_shape=self.image_shape,
            images=self.rows,
            source=source,
            created=now(),
        )
        table = pd.DataFrame(
            {
                "row": np.arange(self.rows),
                "image_id": _with_copies_numbered(self._digests),
                "label": labels,
                "source": self._sources,
                "width": sizes[:, 0],
                "height": sizes[:, 1],
            }
        )
        table.to_parquet(self._folder / "table.parquet", index=False)
        self.workspace.write_json(self._folder / "dataset.json", dataset.to_json())
        final = self.workspace.dataset_dir(dataset.id)
        with self.workspace.atomic_path(final) as scratch:
            self._folder.rename(scratch)
        return read_dataset(self.workspace, dataset.id)


def read_dataset(workspace: Workspace, dataset_id: str) -> Dataset:
    """Read the record of a data set by its whole id.

    Raises:
        WbcError: There is none with this id, or its record is damaged.
    """
    path = workspace.dataset_dir(dataset_id) / "dataset.json"
    return Dataset.from_json(workspace.read_json(path, f"data set {dataset_id}"))


def list_datasets(workspace: Workspace) -> list[Dataset]:
    """Every data set of the workspace, newest first."""
    records = sorted(
        (workspace.home / "datasets").glob("ds-*/dataset.json"),
        key=lambda path: (path.stat().st_mtime_ns, path.parent.name),
        reverse=True,
    )
    return [read_dataset(workspace, path.parent.name) for path in records]


def find_dataset(workspace: Workspace, reference: str) -> Dataset:
    """Find a data set by its id, the unique beginning of its id, or its name.

    Raises:
        WbcError: None or several fit; the message lists those there are.
    """
    known = list_datasets(workspace)
    for matches in (
        [dataset for dataset in known if dataset.id == reference],
        [dataset for dataset in known if dataset.name == reference],
        [dataset for dataset in known if reference and dataset.id.startswith(reference)],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise WbcError(
                f"{reference!r} fits {len(matches)} data sets.",
                got=", ".join(
                    f"{dataset.id} ({dataset.name}, {counted(dataset.images, 'image')})"
                    for dataset in matches
                ),
                fix="Give the id of one of them.",
            )
    if not known:
        raise WbcError("The workspace holds no data set yet.", fix="Import one with `wbc import SOURCE`.")
    raise WbcError(
        f"There is no data set {reference!r}.",
        expected="one of " + ", ".join(f"{dataset.id} ({dataset.name})" for dataset in known),
        fix="Check the spelling, and the workspace named by --home or WBC_HOME.",
    )


def _file_of(workspace: Workspace, dataset_id: str, file: str) -> Path:
    path = workspace.dataset_dir(dataset_id) / file
    if not path.exists():
        raise WbcError(
            f"There is no {file} of data set {dataset_id} in the workspace {workspace.home}.",
            fix="Check the id, and the workspace named by --home or WBC_HOME.",
        )
    return path


def open_images(workspace: Workspace, dataset_id: str) -> NDArray[np.uint8]:
    """Map the images of a data set into memory, read only.

    Returns:
        uint8 of shape (N, H, W, 3), 0..255. A slice of it reads only that slice from disk.

    Raises:
        WbcError: There is no such data set.
    """
    path = _file_of(workspace, dataset_id, "images.npy")
    images: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    return images


def load_table(workspace: Workspace, dataset_id: str, columns: list[str] | None = None) -> pd.DataFrame:
    """Read the table of a data set.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        columns: Only these; all where None.

    Returns:
        One line an image, in the order of the array: row, image_id, label, source, width, height (pixels,
        before any resizing). Further copies of the same pixels carry `-1`, `-2`, .. at the end of their id.

    Raises:
        WbcError: There is no such data set.
    """
    return pd.read_parquet(_file_of(workspace, dataset_id, "table.parquet"), columns=columns)


def image_ids_of(workspace: Workspace, dataset_id: str) -> NDArray[np.object_]:
    """The image ids of a data set by row number, (N,); read once, so not to be changed.

    Raises:
        WbcError: There is no such data set.
    """
    return _image_ids(_file_of(workspace, dataset_id, "table.parquet"))


@lru_cache(maxsize=4)
def _image_ids(path: Path) -> NDArray[np.object_]:
    return pd.read_parquet(path, columns=["image_id"])["image_id"].to_numpy(dtype=object)


def class_counts(workspace: Workspace, dataset: Dataset) -> dict[str, int]:
    """Images per class, in class order, zeros included."""
    labels = load_table(workspace, dataset.id)["label"].to_numpy()
    counts = np.bincount(labels, minlength=len(dataset.class_names))
    return dict(zip(dataset.class_names, counts.tolist(), strict=True))


def release_pages(images: NDArray[np.uint8]) -> None:
    """Give back the memory of the part of a memory-mapped array that was read; it is read anew when needed.

    The system would do so only under pressure, and until then the whole file counts as this process's memory.
    """
    if isinstance(images.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        images.base.madvise(mmap.MADV_DONTNEED)
