"""Files that travel between the workspace and a node that does not see it, each named by its SHA-256."""

import errno
import hashlib
import os
import re
import shutil
import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wbc_core.errors import WbcError
from wbc_core.workspace import link_or_copy

CHUNK_BYTES = 16 * 2**20
"""What travels as one object; two are under way at a time."""

SPARE_BYTES = 256 * 2**20
"""What a disk keeps free."""

NODE_FOLDER = "WBC_NODE_FOLDER"
"""Names a node's folder for what was brought there, in the environment of `ray start`."""

NODE_GIGABYTES = "WBC_NODE_GB"
"""How much of it is kept for later jobs, beside it."""

_DEFAULT_GIGABYTES = 20.0

_MANY_FILES = 1_000
_DEEPEST = 5
_PART = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


PlainEntry = tuple[str, int, str]
"""Name, size and SHA-256 of a file as they travel."""


class NodeLost(Exception):
    """A node does not answer any more."""


class HolderFailed(Exception):
    """A holder could not do what it was asked to."""


class NodeFull(HolderFailed):
    """A holder's disk has no room for what it was asked to take."""


class NotSent(Exception):
    """A file could not be brought to a node."""


class RecordMissing(Exception):
    """A training needs what is not in the workspace."""


@dataclass(frozen=True)
class FileEntry:
    """One file.

    Attributes:
        name: Its path in the folder that it belongs to, with `/`.
        size: Bytes.
        sha256: SHA-256 of its content, hexadecimal.
    """

    name: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        # A node may send anything: nothing is ever written by a name that leads elsewhere.
        parts = self.name.split("/") if isinstance(self.name, str) else [""]
        well = len(parts) <= _DEEPEST and all(_PART.fullmatch(part) for part in parts)
        if not (well and type(self.size) is int and self.size >= 0 and _SHA256.fullmatch(self.sha256)):
            raise ValueError(f"no file of a run: {(self.name, self.size, self.sha256)!s:.200}")

    @property
    def plain(self) -> PlainEntry:
        """The same, to be sent."""
        return self.name, self.size, self.sha256

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Offset and length of each chunk; none of an empty file."""
        for offset in range(0, self.size, CHUNK_BYTES):
            yield offset, min(CHUNK_BYTES, self.size - offset)


class NoRoom(WbcError):
    """A node's disk has no room for what a training needs."""


def is_no_room(error: BaseException | None) -> bool:
    """Whether what went wrong on a node is that its disk is full."""
    return isinstance(error, NoRoom) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def read_entries(plain: object) -> list[FileEntry]:
    """Read what a node says of its files.

    Raises:
        ValueError: It is no list of files, or names one that cannot be a run's.
    """
    if not isinstance(plain, list) or len(plain) > _MANY_FILES:
        raise ValueError(f"no list of a run's files: {plain!r:.200}")
    return [FileEntry(*file) for file in plain]


class Checksums:
    """SHA-256 of files, each read once for as long as it stays as it is."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], str] = {}

    def entry(self, path: Path, name: str) -> FileEntry:
        """Describe a file under a name of its own."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if key not in self._known:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(name, status.st_size, self._known[key])


def run_files(run: Path) -> list[Path]:
    """The files of a run's folder that its training reads or writes."""
    found = [*run.glob("*"), *run.glob("checkpoint/epoch-*/*"), *run.glob("reports/*")]
    return [path for path in found if path.is_file() and not path.is_symlink() and path.suffix != ".lock"]


def node_folder() -> Path:
    """The folder of this machine for what is brought to it; made where it is missing.

    Raises:
        OSError: It cannot be made or written to.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(os.environ.get(NODE_FOLDER) or f"{cache}/wbc-lab").expanduser()
    for part in ("store", "jobs"):
        (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder / "store", os.W_OK) or not os.access(folder / "jobs", os.W_OK):
        raise PermissionError(f"{folder} cannot be written to")
    return folder


class NodeStore:
    """Files of earlier jobs on a node, under their SHA-256; those used longest ago make room for new ones.

    A job that uses a file has a name of its own for it, so that no file goes while it is in use.

    Args:
        folder: Where they lie.
        limit: How many bytes may lie there, but for what one job alone needs.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit

    @classmethod
    def of_node(cls) -> "NodeStore":
        """The store of this machine."""
        limit = float(os.environ.get(NODE_GIGABYTES) or _DEFAULT_GIGABYTES)
        return cls(node_folder() / "store", round(limit * 1e9))

    def take(self, entry: FileEntry, path: Path) -> bool:
        """Give a file that is here a name at `path`; False where it is not here."""
        kept = self._folder / entry.sha256
        with suppress(FileNotFoundError, FileExistsError):
            link_or_copy(kept, path)
            os.utime(kept)
        return path.exists()

    def add(self, entry: FileEntry, path: Path) -> None:
        """Keep a file that has arrived.

        Raises:
            ValueError: It is not what was sent.
        """
        with path.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
        if not whole:
            raise ValueError(f"{entry.name} did not arrive as it was sent")
        with suppress(FileExistsError):
            link_or_copy(path, self._folder / entry.sha256)

    def make_room(self, needed: int, wanted: Collection[str]) -> None:
        """Remove what was not used for longest until there is room.

        Args:
            needed: Bytes that are coming.
            wanted: SHA-256 of files that stay in any case.

        Raises:
            NoRoom: The disk has no room for them.
        """
        kept = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another job makes room too
                status = path.stat()
                kept.append((status.st_mtime_ns, status.st_size, path))
        used = sum(size for _, size, _ in kept)
        others = sorted(file for file in kept if file[2].name not in wanted)
        free = shutil.disk_usage(self._folder).free
        if free + sum(size for _, size, _ in others) < needed + SPARE_BYTES:
            raise NoRoom(
                f"The node {socket.gethostname()} has no room for what the training needs.",
                expected=f"{(needed + SPARE_BYTES) / 1e6:,.0f} MB free at {self._folder}",
                got=f"{free / 1e6:,.0f} MB",
                fix=f"Free some space there, or set {NODE_FOLDER} where the node is started.",
            )
        for _, size, path in others:
            if used + needed <= self._limit and free >= needed + SPARE_BYTES:
                break
            path.unlink(missing_ok=True)
            used, free = used - size, free + size
