"""A clean set as class folders of PNG files, under names that every file system takes."""

import csv
import hashlib
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from wbc_core.curation.clean import CleanSet
from wbc_core.datasets.listing import is_clutter, plain_text
from wbc_core.datasets.spreadsheet import spreadsheet_safe
from wbc_core.datasets.store import load_table, open_images
from wbc_core.workspace import Workspace

LIST = "images.csv"
"""The list beside the folders: imported instead of them, it brings back class names and order as well."""

_LONGEST = 96
"""Bytes of a name: every file system takes 255, and some cut what is unpacked into a deep folder."""

_FORBIDDEN = frozenset('<>:"/\\|?*%')
_PORTS = tuple(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))
_DEVICES = frozenset({"con", "prn", "aux", "nul", *_PORTS})
"""What Windows takes for a device, whatever the ending."""

_COMPRESSION = 4
"""zlib level of the PNG files."""


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def _with_hash(safe: str, text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{safe.encode()[: _LONGEST - 9].decode('utf-8', 'ignore')}~{digest}"


def safe_name(name: str) -> str:
    """A text as the name of one file or folder on every system; percent-decoding gives the text back.

    Only a name that is too long cannot be decoded: it is cut and ends in a hash of the whole.

    Example:
        >>> [safe_name(name) for name in ("monocyte", "a/b", "..", "CON", "50 % blast")]
        ['monocyte', 'a%2Fb', '%2E%2E', '%43ON', '50 %25 blast']
    """
    text = plain_text(name) or "_"
    letters = [
        _escaped(letter) if letter in _FORBIDDEN or not letter.isprintable() else letter for letter in text
    ]
    if letters[-1] in " .":
        letters[-1] = _escaped(letters[-1])
    # Hidden files and thumbnail caches are passed over by an import; no path may read as a formula.
    odd = text.startswith(" ") or is_clutter(text) or spreadsheet_safe(text) != text
    if letters[0] == text[0] and (odd or text.partition(".")[0].casefold() in _DEVICES):
        letters[0] = _escaped(text[0])
    safe = "".join(letters)
    return safe if len(safe.encode()) <= _LONGEST else _with_hash(safe, text)


class _Names:
    """Gives names that differ from each other also where case and composed accents do not count."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, name: str, number: int) -> str:
        """A safe name for `name`, told apart by a hash of it and `number` where it is taken."""
        safe, attempt = safe_name(name), 0
        while (key := unicodedata.normalize("NFC", safe).casefold()) in self._taken:
            safe = _with_hash(safe_name(name), f"{name} {number} {attempt}")
            attempt += 1
        self._taken.add(key)
        return safe


def folder_names(class_names: Sequence[str]) -> list[str]:
    """One folder name a class; no two are equal where case does not count.

    Example:
        >>> folder_names(["blast", "Blast"])
        ['blast', 'Blast~562f82d6']
    """
    names = _Names()
    names.give(LIST, -1)
    return [names.give(name, number) for number, name in enumerate(class_names)]


@dataclass(frozen=True)
class File:
    """One file of an export: its path below the top folder, parts joined by `/`, and its bytes."""

    path: str
    content: bytes


def class_folder_files(workspace: Workspace, clean: CleanSet) -> Iterator[File]:
    """Yield a clean set as `CLASS/NAME.png`, one file an image in row order, and the list of them at the end.

    Files are named as their sources; names that cannot be those of files are percent-encoded, and names that
    come twice get a hash. The list `images.csv` has columns path, label (the class as it is called in the
    lab), image_id and source. Only one picture is in memory at a time.

    Args:
        workspace: The lab.
        clean: The clean set.
    """
    images = open_images(workspace, clean.dataset.id)
    table = load_table(workspace, clean.dataset.id).iloc[clean.rows]
    folders = folder_names(clean.dataset.class_names)
    taken = [_Names() for _ in folders]
    listing = io.StringIO(newline="")
    writer = csv.writer(listing)
    writer.writerow(["path", "label", "image_id", "source"])
    lines = zip(clean.rows.tolist(), clean.labels.tolist(), table["image_id"], table["source"], strict=True)
    for row, label, image_id, source in lines:
        last = str(source).replace("\\", "/").rpartition("/")[2]
        stem, dot, _ = last.rpartition(".")
        name = taken[label].give(stem if dot and stem else last, row)
        path = f"{folders[label]}/{name}.png"
        buffer = io.BytesIO()
        Image.fromarray(images[row]).save(buffer, "PNG", compress_level=_COMPRESSION)
        yield File(path, buffer.getvalue())
        class_name = clean.dataset.class_names[label]
        writer.writerow([path, spreadsheet_safe(class_name), image_id, spreadsheet_safe(str(source))])
    yield File(LIST, listing.getvalue().encode("utf-8"))
