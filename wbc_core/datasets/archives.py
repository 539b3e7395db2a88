"""Zip archives from strangers: looked over before anything in them is unpacked."""

import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from wbc_core.datasets.listing import (
    Entry,
    Listing,
    Rejected,
    class_of,
    is_clutter,
    plain_text,
    without_wrapping,
)
from wbc_core.datasets.pictures import MAX_FILE_BYTES, Unreadable
from wbc_core.errors import WbcError

MAX_RATIO = 200
"""How many times larger than its packed form a member may claim to be; pictures reach 20 at most."""
_ENCRYPTED = 0x1
_DRIVE = re.compile(r"[A-Za-z]:")


def _refuse(archive: Path, member: str, why: str, fix: str) -> WbcError:
    return WbcError(f"{archive.name} is refused: its member {plain_text(member)!r} {why}.", fix=fix)


def _check_member(archive: Path, info: zipfile.ZipInfo, small: int) -> None:
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or _DRIVE.match(name):
        raise _refuse(archive, info.filename, "has an absolute path", "Pack it again with relative paths.")
    if ".." in name.split("/"):
        raise _refuse(
            archive, info.filename, "leads out of the archive by `..`", "Pack it again without `..`."
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _refuse(archive, info.filename, "is a symbolic link", "Pack the file itself instead of a link.")
    if info.flag_bits & _ENCRYPTED:
        raise _refuse(archive, info.filename, "is encrypted", "Pack it again without a password.")
    if info.file_size > small and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise _refuse(
            archive,
            info.filename,
            f"would grow from {info.compress_size:,} to {info.file_size:,} bytes, as a zip bomb does",
            "Pack it again without compression if it is genuine.",
        )


@contextmanager
def open_archive(
    path: Path, *, small: int = 2**20
) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """Open a zip archive after checking the names and sizes that it declares.

    Args:
        path: The archive.
        small: Members up to this many bytes may be packed as tightly as they like.

    Yields:
        The archive and its members without folders.

    Raises:
        WbcError: It is no zip archive, or a member has an absolute path, leads out by `..`, is a link, is
            encrypted or is far larger than its packed form; the message names the member.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError):
        raise WbcError(
            f"{path.name} cannot be opened.",
            expected="an npz file" if path.suffix.lower() == ".npz" else "a zip archive",
            got="a damaged file, or one of another kind",
            fix="Download or pack it again.",
        ) from None
    with archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        for info in members:
            _check_member(path, info, small)
        # Members of an honest archive do not share bytes, so that together they are no larger than the file.
        if sum(info.compress_size for info in members) > path.stat().st_size:
            raise WbcError(
                f"{path.name} is refused: its members overlap, as in a zip bomb.", fix="Pack it again."
            )
        yield archive, members


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > MAX_FILE_BYTES:
        raise Unreadable(f"is larger than {MAX_FILE_BYTES // 2**20} MB")
    return archive.read(info)


@contextmanager
def zip_listing(path: Path) -> Iterator[Listing]:
    """List a zip archive with one folder a class, also inside one wrapping folder; sorted by class and name.

    Raises:
        WbcError: As `open_archive`.
    """
    with open_archive(path) as (archive, members):
        listing = Listing()
        split = [(tuple(info.filename.replace("\\", "/").split("/")), info) for info in members]
        files = [(parts, info) for parts, info in split if not any(is_clutter(part) for part in parts)]
        files.sort(key=lambda file: file[0])
        wrapping = without_wrapping([parts for parts, _ in files]) if files else 0
        for parts, info in files:
            class_name, source = class_of(parts, wrapping), plain_text("/".join(parts))
            if class_name is None:
                listing.rejected.append(Rejected(source, "lies in no class folder"))
            else:
                listing.entries.append(
                    Entry(source, plain_text(class_name), partial(_read_member, archive, info))
                )
        yield listing
