"""The holder of a training's process on a node that does not see the workspace.

It gives the process a workspace of its own, with what was sent for it, and hands out what the process writes.
"""

import fcntl
import json
import os
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from wbc_core.backbones.weights import cache_folder
from wbc_core.jobs.delivery import delivery_is_asked, note_delivery, outcome_path
from wbc_core.jobs.ray_files import (
    CHUNK_BYTES,
    Checksums,
    FileEntry,
    NodeStore,
    PlainEntry,
    node_folder,
    run_files,
)
from wbc_core.jobs.ray_node import JobHolder
from wbc_core.records import Json
from wbc_core.workspace import Workspace, link_or_copy

KERAS_FILES = "keras"
"""Folder of a job's workspace with published weights that were sent."""

ASK_SECONDS = 2.0
LOG_BYTES = 2**18
_LOOK_SECONDS = 0.05


class ApartHolder(JobHolder):
    """A Ray actor: a `JobHolder` with a workspace of its own, which ends with it.

    Several of its methods run at once, so that the lease is renewed while files travel.
    """

    def __init__(self) -> None:
        super().__init__()
        self._checksums, self._store = Checksums(), NodeStore.of_node()
        jobs, name = node_folder() / "jobs", secrets.token_hex(8)
        _clear_abandoned(jobs)
        self._home, self._lock = jobs / name, -1
        self._run, self._log = self._home / "runs", self._home / "logs"

    def _begin(self) -> None:
        """Make the folder; not at once, since of a full disk only a method can tell."""
        if self._lock >= 0:
            return
        beginning = self._home.with_name(f".{self._home.name}")
        beginning.mkdir(mode=0o700, exist_ok=True)
        # The lock ends with this process, however that ends; under its name the folder is always locked.
        self._lock = os.open(beginning, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        beginning.rename(self._home)

    def open(self, files: list[PlainEntry]) -> list[str]:
        """Find what is here of the files that a job needs, and make room for the rest.

        Args:
            files: Name in a workspace, size and SHA-256 of each.

        Returns:
            SHA-256 of those that are to be sent.

        Raises:
            NoRoom: There is no room for them.
        """
        self._begin()
        entries = {file[2]: FileEntry(*file) for file in files}
        missing = [entry for entry in entries.values() if not self._store.take(entry, self._arrived(entry))]
        self._store.make_room(sum(entry.size for entry in missing), entries)
        return [entry.sha256 for entry in missing]

    def _arrived(self, entry: FileEntry) -> Path:
        return self._home / "arrived" / entry.sha256

    def receive(self, file: PlainEntry, offset: int, chunk: bytes) -> None:
        """Take a chunk of a file; they may come in any order."""
        path = self._arrived(FileEntry(*file))
        path.parent.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            while chunk:
                written = os.pwrite(descriptor, chunk, offset)
                chunk, offset = chunk[written:], offset + written
        finally:
            os.close(descriptor)

    def keep(self, file: PlainEntry) -> None:
        """Keep a file all of whose chunks have come, for this job and later ones.

        Raises:
            ValueError: It is not what was sent.
        """
        entry = FileEntry(*file)
        self.receive(file, 0, b"")  # an empty file has no chunks
        self._store.add(entry, self._arrived(entry))

    def place(self, files: list[PlainEntry], job_id: str) -> str:
        """Lay the files out as a workspace.

        Returns:
            Its folder.
        """
        self._begin()
        for entry in (FileEntry(*file) for file in files):
            link_or_copy(self._arrived(entry), self._home / entry.name)
        shutil.rmtree(self._home / "arrived", ignore_errors=True)
        for path in (self._home / KERAS_FILES).glob("*"):
            with suppress(OSError):  # keras then downloads it, as anywhere else
                cached = cache_folder() / path.name
                if not cached.exists():
                    link_or_copy(path, cached)
        workspace = Workspace(self._home)
        self._run, self._log = workspace.run_dir(job_id), workspace.job_log(job_id)
        return str(self._home)

    def asked_for(self) -> list[PlainEntry] | None:
        """Wait until the process waits for a delivery, two seconds at most.

        Returns:
            The files of the run, which stay as they are until `delivered`; None where it does not wait.
        """
        until = time.monotonic() + ASK_SECONDS
        while time.monotonic() < until and (self._process is None or self._process.ending() is None):
            if delivery_is_asked(self._home):
                return self.files()
            time.sleep(_LOOK_SECONDS)
        return None

    def files(self) -> list[PlainEntry]:
        """Name in the run's folder, size and SHA-256 of every file of the run."""
        named = {path.relative_to(self._run).as_posix(): path for path in run_files(self._run)}
        return [self._checksums.entry(path, name).plain for name, path in named.items()]

    def read(self, name: str, offset: int) -> bytes:
        """A chunk of a file of the run."""
        with (self._run / name).open("rb") as file:
            file.seek(offset)
            return file.read(CHUNK_BYTES)

    def delivered(self) -> None:
        """Let the process go on."""
        note_delivery(self._home)

    def log(self, offset: int) -> bytes:
        """What the process has written to its log from an offset on; not all of it at once."""
        if not self._log.exists():
            return b""
        with self._log.open("rb") as file:
            file.seek(offset)
            return file.read(LOG_BYTES)

    def outcome(self) -> Json | None:
        """How the process says that the job ended, for `queue.finish`; None where it was killed."""
        path = outcome_path(self._home)
        if not path.exists():
            return None
        outcome: Json = json.loads(path.read_text(encoding="utf-8"))
        return outcome

    def close(self) -> None:
        """Remove the workspace; what is kept for later jobs stays."""
        shutil.rmtree(self._home, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)


def _clear_abandoned(jobs: Path) -> None:
    """Remove the workspaces of holders that died."""
    for home in jobs.glob("[0-9a-f]*"):
        with suppress(OSError):
            lock = os.open(home, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(home, ignore_errors=True)
            finally:
                os.close(lock)
