"""Import of images from an npz file, a folder, a zip archive or a CSV file, streamed into the store."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wbc_core.datasets.archives import zip_listing
from wbc_core.datasets.class_labels import name_numbered, resolve_classes
from wbc_core.datasets.listing import Entry, Listing, Rejected, csv_listing, folder_listing, plain_text
from wbc_core.datasets.npz import (
    ArrayPair,
    find_pairs,
    image_size,
    open_arrays,
    read_class_names,
    read_labels,
)
from wbc_core.datasets.pictures import DecodedPicture, Unreadable, decode_picture, picture_size, resized
from wbc_core.datasets.pixel_values import as_rgb, choose_scaling
from wbc_core.datasets.store import DatasetWriter
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Dataset
from wbc_core.wording import counted
from wbc_core.workspace import Workspace

__all__ = ["ImportResult", "Rejected", "import_source"]

SIZES = (8, 1024)
_DECODED_BYTES = 16 * 2**20
_THREADS = 4
Size = tuple[int, int]


@dataclass(frozen=True)
class ImportResult:
    """What an import made.

    Attributes:
        dataset: The data set.
        rejected: Files that were left out, in the order of the source, and why.
    """

    dataset: Dataset
    rejected: list[Rejected]


def _common_size(sizes: Counter[Size], size: int | None) -> Size:
    """Width and height to store; the images' own where no size is asked for."""
    if size is not None:
        return size, size
    if len(sizes) > 1:
        listed = ", ".join(
            f"{width}x{height} ({count:,})" for (width, height), count in sizes.most_common(10)
        )
        width, height = sizes.most_common(1)[0][0]
        raise WbcError(
            f"The images have {len(sizes):,} different sizes.",
            expected="one size, or the size to bring them to",
            got=listed + (", .." if len(sizes) > 10 else ""),
            fix=f"Give --size, for example --size {min(max(min(width, height), SIZES[0]), SIZES[1])}.",
        )
    return next(iter(sizes))


def _resize_all(images: NDArray[np.uint8], size: int | None) -> NDArray[np.uint8]:
    if size is None or images.shape[1:3] == (size, size):
        return images
    small = np.empty((len(images), size, size, 3), np.uint8)
    for row, image in enumerate(images):
        small[row] = np.asarray(resized(Image.fromarray(image), size))
    return small


def _import_npz(
    workspace: Workspace,
    source: Path,
    name: str,
    size: int | None,
    class_names: Sequence[str] | None,
    progress: Progress,
) -> ImportResult:
    with open_arrays(source) as arrays:
        pairs = find_pairs(source, arrays)
        sizes = Counter({image_size(pair.images): 0 for pair in pairs})
        for pair in pairs:
            sizes[image_size(pair.images)] += pair.images.shape[0]
        width, height = _common_size(sizes, size)
        labels = [read_labels(pair.labels) for pair in pairs]
        # A one-hot label tells the number of classes even where the last one has no image.
        classes = max(
            max(int(found.max()) + 1, pair.labels.shape[1] if len(pair.labels.shape) == 2 else 0)
            for found, pair in zip(labels, pairs, strict=True)
        )
        names = name_numbered(classes, class_names or read_class_names(arrays))
        total = sum(len(found) for found in labels)
        with DatasetWriter(workspace, name, names, (height, width, 3)) as writer:
            for pair, found in zip(pairs, labels, strict=True):
                _append_pair(writer, pair, found, size, total, progress)
            return ImportResult(writer.finish(plain_text(str(source))), [])


def _append_pair(
    writer: DatasetWriter,
    pair: ArrayPair,
    labels: NDArray[np.int64],
    size: int | None,
    total: int,
    progress: Progress,
) -> None:
    to_bytes = choose_scaling(pair.images.name, pair.images.dtype, pair.images.chunks())
    start, original = 0, image_size(pair.images)
    height, width, _ = writer.image_shape
    for chunk in pair.images.chunks(largest_row=height * width * 3):
        stop = start + len(chunk)
        images = _resize_all(as_rgb(to_bytes(chunk)), size)
        sources = [f"{pair.images.name}[{row}]" for row in range(start, stop)]
        writer.append(images, labels[start:stop], sources, np.tile(original, (len(chunk), 1)))
        progress(writer.rows / total, f"Imported {writer.rows:,} of {counted(total, 'image')}")
        start = stop


def _in_batches(
    work: Callable[[Entry], object], entries: Sequence[Entry], batch: int, progress: Progress, verb: str
) -> Iterator[tuple[int, object]]:
    """Do the work of every entry on a few threads; yield position and outcome (or `Unreadable`) in order."""

    def outcome(entry: Entry) -> object:
        try:
            return work(entry)
        except Unreadable as error:
            return error
        except Exception as error:
            # A damaged zip member or a file without permission: one file less, not the end of the import.
            return Unreadable(f"cannot be read ({error})")

    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(entries), batch):
            yield from enumerate(pool.map(outcome, entries[start : start + batch]), start)
            done = min(start + batch, len(entries))
            progress(done / len(entries), f"{verb} {done:,} of {counted(len(entries), 'file')}")


def _size_of(entry: Entry) -> Size:
    return picture_size(entry.read())


def _decode(size: int | None, entry: Entry) -> DecodedPicture:
    return decode_picture(entry.read(), size)


def _import_pictures(
    workspace: Workspace,
    source: Path,
    listing: Listing,
    name: str,
    size: int | None,
    class_names: Sequence[str] | None,
    progress: Progress,
) -> ImportResult:
    rejected, usable, sizes = list(listing.rejected), list[Entry](), Counter[Size]()
    looked = _in_batches(_size_of, listing.entries, 512, part_of(progress, 0, 0.3), "Looked at")
    for position, outcome in looked:
        entry = listing.entries[position]
        if isinstance(outcome, Unreadable):
            rejected.append(Rejected(entry.source, str(outcome)))
        elif isinstance(outcome, tuple):
            usable.append(entry)
            sizes[outcome] += 1
    if not usable:
        raise _nothing_usable(source, rejected)
    width, height = _common_size(sizes, size)
    names, label_of = resolve_classes({entry.class_name for entry in usable}, class_names)
    batch = max(1, min(512, _DECODED_BYTES // (width * height * 3)))
    decoded = _in_batches(partial(_decode, size), usable, batch, part_of(progress, 0.3, 1), "Imported")
    with DatasetWriter(workspace, name, names, (height, width, 3)) as writer:
        for position, outcome in decoded:
            entry = usable[position]
            if isinstance(outcome, DecodedPicture) and outcome.pixels.shape[:2] != (height, width):
                outcome = Unreadable("has another size than its header says")
            if isinstance(outcome, DecodedPicture):
                label = np.array([label_of[entry.class_name]])
                writer.append(outcome.pixels[None], label, [entry.source], np.array([outcome.original_size]))
            else:
                rejected.append(Rejected(entry.source, str(outcome)))
        if not writer.rows:
            raise _nothing_usable(source, rejected)
        dataset = writer.finish(plain_text(str(source)))
    order = {entry.source: position for position, entry in enumerate(listing.entries)}
    rejected.sort(key=lambda item: order.get(item.source, -1))
    return ImportResult(dataset, rejected)


def _nothing_usable(source: Path, rejected: list[Rejected]) -> WbcError:
    first = "; ".join(f"{item.source} {item.why}" for item in rejected[:3])
    return WbcError(
        f"{source.name} holds no picture that can be used.",
        expected="pictures in one folder a class",
        got=first or "no files",
        fix="Check that it is the right one.",
    )


def _default_name(source: Path) -> str:
    resolved = source.resolve()
    return resolved.name if resolved.is_dir() else resolved.stem


def _listing_of(source: Path) -> AbstractContextManager[Listing] | None:
    if source.is_dir():
        return folder_listing(source)
    reader = {".zip": zip_listing, ".csv": csv_listing}.get(source.suffix.lower())
    return reader(source) if reader else None


@contextmanager
def _pillow_quiet() -> Iterator[None]:
    # Pillow warns about broken metadata; whether the picture can be used is decided here, file by file.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def import_source(
    workspace: Workspace,
    source: Path,
    *,
    name: str | None = None,
    size: int | None = None,
    class_names: Sequence[str] | None = None,
    progress: Progress = silent,
) -> ImportResult:
    """Import images and labels as a new data set; importing the same again gives the one that is there.

    Kinds of source: an npz file (`images`/`data`/`x` and `labels`/`y`, or MedMNIST's `train_images`..; rows
    keep their order), a folder or zip archive with one folder a class (classes sorted by name), or a CSV file
    with paths and labels. Never more than one chunk of about 16 MB is in memory.

    Args:
        workspace: The workspace to write to.
        source: The file or folder.
        name: What to call the data set; the file's name without its ending where None.
        size: Side of the centred square to bring every image to, in pixels (8..1024). None: the images' own.
        class_names: Names of the labels 0..K-1, else `class_names` of an npz file; or the folder names in the
            order wanted.
        progress: Told the fraction done.

    Returns:
        The data set and the files that were left out.

    Raises:
        WbcError: The source is missing, of unknown kind, hostile, or holds nothing that can be used; sizes
            differ and none is given; labels or class names do not fit.
    """
    source = Path(source)
    if size is not None and not SIZES[0] <= size <= SIZES[1]:
        raise WbcError("The size cannot be used.", expected=f"{SIZES[0]}..{SIZES[1]} pixels", got=size)
    try:
        name = plain_text((name if name is not None else _default_name(source)).strip())
        if not 0 < len(name) <= 200:
            raise WbcError("The name cannot be used.", expected="1 to 200 characters", got=len(name))
        with _pillow_quiet():
            return _import_any(workspace, source, name, size, class_names, progress)
    except OSError as error:
        raise WbcError(
            f"{error.filename or source} cannot be read or written.",
            got=error.strerror or error,
            fix="Look at its permissions and at the free space on the disk.",
        ) from None


def _import_any(
    workspace: Workspace,
    source: Path,
    name: str,
    size: int | None,
    class_names: Sequence[str] | None,
    progress: Progress,
) -> ImportResult:
    if not source.exists():
        raise WbcError(f"There is no file or folder {source}.", fix="Check the path.")
    if source.is_file() and source.suffix.lower() == ".npz":
        return _import_npz(workspace, source, name, size, class_names, progress)
    opened = _listing_of(source)
    if opened is None:
        raise WbcError(
            f"{source.name} is of no kind that can be imported.",
            expected="an npz file, a folder, a zip archive or a CSV file",
            fix="Give the file its right ending.",
        )
    with opened as listing:
        return _import_pictures(workspace, source, listing, name, size, class_names, progress)
