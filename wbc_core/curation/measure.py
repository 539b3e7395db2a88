"""Decode once, measure all: what every check reads, computed in one pass over the stored images and kept."""

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.curation.measures import MEASURES
from wbc_core.curation.measures.base import Chunk, Measure, prepare_colours
from wbc_core.curation.measures.pixel_loops import prepare_loops
from wbc_core.curation.spread import Spread, over_threads
from wbc_core.datasets.store import image_ids_of, list_datasets, load_table, open_images
from wbc_core.progress import Progress, silent
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace

CHUNK = 256
"""Most images that are measured at a time."""

EMBEDDING = "embedding-{}"
"""Name of the measure that keeps what a network made of the images, by the network's id."""

_CHUNK_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class Measurements:
    """What was measured on each image of a data set, in row order: `measurements["sharpness"]`.

    Attributes:
        image_ids: Image ids, `-k` at the end of the k-th further copy of the same pixels.
        labels: Labels as imported, int64 (n,).
        class_names: Class names.
        original_sizes: Width and height before the import brought all to one size, int64 (n, 2), in pixels.
        arrays: The arrays of the measures asked for, by name; `wbc_core.curation.measures` documents them.
    """

    image_ids: tuple[str, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    original_sizes: NDArray[np.int64]
    arrays: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, array: str) -> NDArray[Any]:
        return self.arrays[array]

    @cached_property
    def first_copy(self) -> NDArray[np.int64]:
        """For each row the first row with the same pixels, int64 (n,)."""
        codes, _ = pd.factorize(_pixel_ids(self.image_ids))
        _, first = np.unique(codes, return_index=True)
        return first[codes].astype(np.int64)

    @cached_property
    def unique_rows(self) -> NDArray[np.int64]:
        """Rows of the distinct pictures, the first copy of each, int64, rising."""
        return np.flatnonzero(self.first_copy == np.arange(len(self))).astype(np.int64)

    @cached_property
    def copies(self) -> NDArray[np.int64]:
        """For each row how many rows have its pixels, itself included, int64 (n,)."""
        return np.bincount(self.first_copy, minlength=len(self))[self.first_copy].astype(np.int64)

    @cached_property
    def rows_of_pictures(self) -> list[NDArray[np.int64]]:
        """The rows of each distinct picture, rising, in the order of `unique_rows`."""
        order = np.argsort(self.first_copy, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(self.first_copy[order])) + 1)


def _pixel_ids(image_ids: Sequence[str] | NDArray[np.object_]) -> "pd.Series[str]":
    """Image ids without the number of the copy: the same for the same pixels."""
    return pd.Series(image_ids, dtype=str).str.partition("-")[0]


def measure(
    workspace: Workspace,
    dataset: Dataset,
    measures: Sequence[str] | None = None,
    progress: Progress = silent,
    spread: Spread = over_threads,
) -> Measurements:
    """Measure every image of a data set, or read what was measured before.

    Pixels that were measured before are not measured again, be it in this data set or in another one of the
    same image shape in the workspace.

    Args:
        workspace: The lab.
        dataset: The data set.
        measures: Names of measures; all of them where None.
        progress: Told the fraction done.
        spread: Where the chunks are measured.

    Returns:
        The measurements, in row order. The same pixels give the same numbers, whatever the chunk.

    Raises:
        WbcError: No such data set or measure.
    """
    chosen = [MEASURES.get(name) for name in (MEASURES.names() if measures is None else measures)]
    arrays = measure_arrays(workspace, dataset, chosen, progress, spread)
    table = load_table(workspace, dataset.id, ["label", "width", "height"])
    return Measurements(
        image_ids=tuple(image_ids_of(workspace, dataset.id)),
        labels=table["label"].to_numpy(dtype=np.int64),
        class_names=dataset.class_names,
        original_sizes=table[["width", "height"]].to_numpy(dtype=np.int64),
        arrays=arrays,
    )


def measure_arrays(
    workspace: Workspace,
    dataset: Dataset,
    measures: Sequence[Measure],
    progress: Progress = silent,
    spread: Spread = over_threads,
) -> dict[str, NDArray[Any]]:
    """The arrays of some measures, registered or not, in row order; see `measure`."""
    arrays: dict[str, NDArray[Any]] = {}
    missing = []
    for one in measures:
        kept = _read(workspace, dataset, one)
        if kept is None:
            missing.append(one)
        else:
            arrays |= kept
    if missing:
        arrays |= _measure_missing(workspace, dataset, missing, progress, spread)
    return arrays


def chunk_size(image_shape: Sequence[int]) -> int:
    """How many images to read at a time: up to 32 MB of them, since several chunks are in memory.

    Args:
        image_shape: Height, width and channels.

    Example:
        >>> chunk_size((96, 96, 3)), chunk_size((1024, 1024, 3)), chunk_size((6000, 4000, 3))
        (256, 10, 1)
    """
    return min(CHUNK, max(1, _CHUNK_BYTES // math.prod(image_shape)))


def _path(workspace: Workspace, dataset: Dataset, one: Measure) -> Path:
    return workspace.findings_dir(dataset.id) / "measures" / f"{one.name}-v{one.version}.npz"


def _read(workspace: Workspace, dataset: Dataset, one: Measure) -> dict[str, NDArray[Any]] | None:
    """The arrays of an earlier pass; None where there is none or the file is damaged."""
    try:
        # Opened here: numpy leaves the file open when it is a damaged archive.
        with (
            _path(workspace, dataset, one).open("rb") as stream,
            np.load(stream, allow_pickle=False) as archive,
        ):
            arrays = {name: archive[name] for name in one.arrays}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return arrays if all(len(array) == dataset.images for array in arrays.values()) else None


def measured_before(workspace: Workspace, dataset: Dataset, one: Measure) -> dict[str, NDArray[Any]] | None:
    """The arrays of one measure from an earlier pass; None where there is none. Never measures."""
    return _read(workspace, dataset, one)


def _measure_missing(
    workspace: Workspace,
    dataset: Dataset,
    missing: Sequence[Measure],
    progress: Progress,
    spread: Spread,
) -> dict[str, NDArray[Any]]:
    for prepare in (prepare_loops, prepare_colours):
        Thread(target=prepare).start()
    pixel_ids = _pixel_ids(image_ids_of(workspace, dataset.id))
    arrays, known = _measured_elsewhere(workspace, dataset, pixel_ids, missing)
    # Copies are measured once: 1,600 times the same picture costs as much as one.
    first = ~pixel_ids.duplicated().to_numpy()
    wanted = first & ~known
    total, done = int(wanted.any(axis=0).sum()), 0
    size = chunk_size(dataset.image_shape)
    # Rows that lack the same measures go together: what those share is computed once a chunk.
    for lacking in np.unique(wanted[:, wanted.any(axis=0)], axis=1).T:
        rows = np.flatnonzero((wanted == lacking[:, None]).all(axis=0))
        chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
        measures = tuple(one for one, lacks in zip(missing, lacking, strict=True) if lacks)
        images = _read_chunks(workspace, dataset, chunks)
        for chunk, found in zip(chunks, spread(partial(measure_chunk, measures), images), strict=True):
            for name, values in found.items():
                if name not in arrays:
                    arrays[name] = np.zeros((dataset.images, *values.shape[1:]), dtype=values.dtype)
                arrays[name][chunk] = values
            done += len(chunk)
            progress(done / total, "measuring the images")
    first_row = pd.Series(np.flatnonzero(first), index=pixel_ids[first])
    source = first_row.loc[pixel_ids].to_numpy()
    copied = np.flatnonzero(source != np.arange(len(source)))

    def keep(one: Measure) -> None:
        for name in one.arrays:
            arrays[name][copied] = arrays[name][source[copied]]
        path = _path(workspace, dataset, one)
        with workspace.atomic_path(path) as scratch, scratch.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **{name: arrays[name] for name in one.arrays})
        for older in path.parent.glob(f"{one.name}-v*.npz"):
            if older != path:
                older.unlink(missing_ok=True)

    list(over_threads(keep, missing))
    return arrays


def measure_chunk(measures: tuple[Measure, ...], images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Compute the arrays of some measures on images, uint8 (n, height, width, 3)."""
    chunk = Chunk(images)
    return {name: values for one in measures for name, values in one.compute(chunk).items()}


def _read_chunks(
    workspace: Workspace, dataset: Dataset, chunks: Sequence[NDArray[np.int64]]
) -> Iterator[NDArray[np.uint8]]:
    for rows in chunks:
        # Mapped anew for each chunk, so that pages already read do not count as memory in use.
        images = open_images(workspace, dataset.id)
        first, last = int(rows[0]), int(rows[-1])
        # Rows that lie side by side are read where they are, without a copy.
        yield images[first : last + 1] if last - first < len(rows) else images[rows]


def _measured_elsewhere(
    workspace: Workspace, dataset: Dataset, pixel_ids: "pd.Series[str]", missing: Sequence[Measure]
) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Arrays filled with what other data sets know of the same pixels, and which rows are, (measures, n)."""
    arrays: dict[str, NDArray[Any]] = {}
    known = np.zeros((len(missing), dataset.images), dtype=bool)
    for other in list_datasets(workspace):
        if other.id == dataset.id or other.image_shape != dataset.image_shape:
            continue
        kept = [_read(workspace, other, one) for one in missing]
        if all(found is None for found in kept):
            continue
        ids = _pixel_ids(image_ids_of(workspace, other.id)).drop_duplicates()
        rows = pd.Series(ids.index, index=ids).reindex(pixel_ids).to_numpy()
        for place, found in enumerate(kept):
            new = np.flatnonzero(~np.isnan(rows) & ~known[place])
            if found is None or not len(new):
                continue
            for name, values in found.items():
                if name not in arrays:
                    arrays[name] = np.zeros((dataset.images, *values.shape[1:]), dtype=values.dtype)
                arrays[name][new] = values[rows[new].astype(np.int64)]
            known[place, new] = True
    return arrays, known
