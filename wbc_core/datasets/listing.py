"""Which picture files a folder or a CSV file offers, under which class, before any is opened."""

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from wbc_core.datasets.pictures import MAX_FILE_BYTES, Unreadable
from wbc_core.datasets.spreadsheet import without_escape
from wbc_core.errors import WbcError

_PATH_COLUMNS = ("path", "file", "image")
_LABEL_COLUMNS = ("label", "class")


@dataclass(frozen=True)
class Rejected:
    """A file or row that was not imported, and why."""

    source: str
    why: str


@dataclass(frozen=True)
class Entry:
    """One picture file to import.

    Attributes:
        source: Its name as text; never used as a path.
        class_name: Its class as the source names it.
        read: Returns the file's bytes.
    """

    source: str
    class_name: str
    read: Callable[[], bytes]


@dataclass
class Listing:
    """What a source offers, in the order in which it will be stored, and what was refused already."""

    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def plain_text(name: str) -> str:
    """A file name as text that every file format takes: undecodable bytes become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")


def is_clutter(name: str) -> bool:
    """Whether a file or folder name is what systems leave behind unasked: hidden, or a thumbnail cache."""
    return name.startswith((".", "__MACOSX")) or name.lower() in ("thumbs.db", "desktop.ini")


def without_wrapping(paths: list[tuple[str, ...]]) -> int:
    """Number of top folders that wrap all the class folders.

    Example:
        >>> without_wrapping([("cells", "monocyte", "1.png"), ("cells", "platelet", "2.png")])
        1
        >>> without_wrapping([("monocyte", "1.png"), ("platelet", "2.png")])
        0
    """
    depth = 0
    while True:
        # Files beside the folders, such as a licence, do not make the folder a class.
        deeper = [path for path in paths if len(path) > depth + 1]
        if len({path[depth] for path in deeper}) != 1 or all(len(path) <= depth + 2 for path in deeper):
            return depth
        depth += 1


def class_of(parts: tuple[str, ...], wrapping: int) -> str | None:
    """Class folder of a file, or None where it lies in none."""
    return parts[wrapping] if len(parts) > wrapping + 1 else None


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        raise Unreadable("is not there" if not path.exists() else "is not a file")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise Unreadable(f"is larger than {MAX_FILE_BYTES // 2**20} MB")
    return path.read_bytes()


def _walk(folder: Path) -> Iterator[tuple[str, ...]]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_clutter(name))
        parts = Path(place).relative_to(folder).parts
        yield from ((*parts, name) for name in files if not is_clutter(name))


@contextmanager
def folder_listing(folder: Path) -> Iterator[Listing]:
    """List a folder with one folder a class; files are sorted by class and name.

    Links that lead out of the folder are refused one by one.
    """
    listing, root = Listing(), folder.resolve()
    paths = sorted(_walk(folder))
    wrapping = without_wrapping(paths) if paths else 0
    for parts in paths:
        path, class_name = folder.joinpath(*parts), class_of(parts, wrapping)
        source = plain_text("/".join(parts))
        if class_name is None:
            listing.rejected.append(Rejected(source, "lies in no class folder"))
        elif not path.resolve().is_relative_to(root):
            listing.rejected.append(Rejected(source, "is a link that leads out of the folder"))
        else:
            listing.entries.append(Entry(source, plain_text(class_name), partial(_read_file, path)))
    yield listing


def _column(names: list[str], wanted: tuple[str, ...], file: Path) -> int:
    lowered = [name.strip().lower() for name in names]
    for name in wanted:
        if name in lowered:
            return lowered.index(name)
    raise WbcError(
        f"{file.name} has no column for the {wanted[0]}.",
        expected=f"a header with one of {', '.join(wanted)}",
        got=", ".join(names[:20]) or "an empty file",
        fix="Name the columns in the first line.",
    )


def _csv_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            for fields in reader:
                yield reader.line_num, fields
    except (csv.Error, UnicodeDecodeError) as error:
        raise WbcError(
            f"{file.name} cannot be read.",
            expected="comma-separated text in UTF-8",
            got=error,
            fix="Save it as CSV with UTF-8.",
        ) from None


def _csv_entry(root: Path, path_text: str, label: str) -> Entry:
    source = plain_text(path_text)
    if not label:
        raise Unreadable("has no label")
    try:
        path = (root / path_text).resolve()
        inside = path.is_relative_to(root) and not Path(path_text).is_absolute()
    except (OSError, ValueError, RuntimeError):
        raise Unreadable("is not a path") from None
    if not inside:
        raise Unreadable("lies outside the folder of the CSV file")
    return Entry(source, label, partial(_read_file, path))


@contextmanager
def csv_listing(file: Path) -> Iterator[Listing]:
    """List the pictures that a CSV file names, in its order.

    Columns: path, file or image, relative to the CSV file and never outside its folder; label or class.

    Raises:
        WbcError: It is no CSV file, or lacks a column.
    """
    listing, root = Listing(), file.parent.resolve()
    lines = _csv_lines(file)
    _, header = next(lines, (0, []))
    path_column, label_column = _column(header, _PATH_COLUMNS, file), _column(header, _LABEL_COLUMNS, file)
    for number, fields in lines:
        if not any(text.strip() for text in fields):
            continue
        path_text = fields[path_column].strip() if len(fields) > path_column else ""
        label = without_escape(fields[label_column].strip()) if len(fields) > label_column else ""
        if not path_text:
            listing.rejected.append(Rejected(f"{file.name}, line {number}", "names no file"))
            continue
        try:
            listing.entries.append(_csv_entry(root, path_text, label))
        except Unreadable as error:
            listing.rejected.append(Rejected(plain_text(path_text), str(error)))
    yield listing
