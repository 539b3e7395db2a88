"""What travels with a training to a node that does not see the workspace, and what comes back from there."""

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from wbc_core.augment.prepare import load_prepared
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import WeightsFile, cache_folder, carried_file
from wbc_core.datasets.store import read_dataset
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.jobs.process import finish_surely
from wbc_core.jobs.ray_apart import KERAS_FILES, LOG_BYTES
from wbc_core.jobs.ray_files import (
    SPARE_BYTES,
    Checksums,
    FileEntry,
    HolderFailed,
    NodeFull,
    NodeLost,
    NotSent,
    RecordMissing,
    read_entries,
    run_files,
)
from wbc_core.jobs.tasks import begin_from_earlier
from wbc_core.records import Job
from wbc_core.splitting import load_split
from wbc_core.training.checkpoint import (
    BEST,
    checkpoint_dir,
    drop_older_checkpoints,
    keep_best_before,
    keep_newest_checkpoint,
    saved_epochs,
)
from wbc_core.training.runs import load_run
from wbc_core.training.tensorboard import write_events
from wbc_core.workspace import Workspace, link_or_copy, now

Call = Callable[..., Any]
"""Called with the name of a method of `wbc_core.jobs.ray_apart.ApartHolder` and its arguments.

It raises `NodeLost`, or `HolderFailed` where that method raised.
"""

_CHECKPOINT = re.compile(r"checkpoint/epoch-(\d{4,8})/[^/]+")
_CHECKPOINT_PLACE = (2, False, "")
_IN_FLIGHT = 2
_TELL_SECONDS = 1.0
_AGAIN_SECONDS = 1.0
_PATIENCE_SECONDS = 300.0
"""How long a finished training waits for its last files to be written, where the disk is full."""


def needs_of(workspace: Workspace, job: Job) -> dict[str, Path]:
    """Every file that a training reads: its name in a workspace, and where it is.

    Of a job that goes on from another, the run begins here with what that one has learnt.

    Raises:
        WbcError: A record that it needs is not there.
    """
    prepared = load_prepared(workspace, job.spec["prepared"])
    folders = [
        workspace.prepared_dir(prepared.id),
        workspace.dataset_dir(read_dataset(workspace, prepared.dataset).id),
    ]
    split = load_split(workspace, prepared.split).id
    files = [workspace.split_path(split, suffix) for suffix in (".json", ".parquet")]
    files += [path for folder in folders for path in folder.iterdir()]
    if job.kind == "train":
        begin_from_earlier(workspace, job.id, job.spec)
        files += run_files(workspace.run_dir(job.id))
    named, varied = {}, job.spec.get("sweep", {}).get("space", {}).get("weights", [])
    for weights in [job.spec.get("weights", "random"), *varied]:
        kind, _, argument = weights.partition(":")
        if kind == "run":
            files += [workspace.run_dir(argument) / name for name in ("spec.json", BEST)]
        elif kind == "file":
            named[carried_file(workspace, argument)] = Path(argument).expanduser()
        elif kind == "imagenet":
            published = BACKBONES.get(job.spec["backbone"]).imagenet
            if isinstance(published, WeightsFile):
                named[workspace.home / KERAS_FILES / published.name] = cache_folder() / published.name
    # What is not there the training misses in its own words.
    return {
        path.relative_to(workspace.home).as_posix(): source
        for path, source in {**{path: path for path in files}, **named}.items()
        if source.is_file()
    }


class Delivery:
    """Brings a training's files to its node, and what it writes back.

    Args:
        workspace: The workspace.
        job: The training.
        claim: The claim that it runs under; without it nothing is written.
        call: Reaches its holder.
        checksums: Of the workspace's files.
        is_stopped: Whether the job was told to stop.

    Attributes:
        begun: Whether anything was to be sent yet.
    """

    begun = False

    def __init__(
        self,
        workspace: Workspace,
        job: Job,
        claim: str,
        call: Call,
        checksums: Checksums,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._workspace, self._job, self._claim = workspace, job, claim
        self._call, self._checksums, self._is_stopped = call, checksums, is_stopped
        self._run = workspace.run_dir(job.id)
        self._there: dict[str, str] = {}
        self._logged = self._sent = 0
        self._told = time.monotonic()
        self._ended, self._stopped = threading.Event(), threading.Event()
        self._taking = threading.Thread(target=self._take_epochs, daemon=True)

    def send(self) -> str | None:
        """Bring everything that the training needs.

        Returns:
            The folder of its workspace on the node; None where it was stopped.

        Raises:
            RecordMissing: Something that it needs is not here.
            NodeFull: The node has no room for it.
            NotSent: A file cannot be read here, or written there.
        """
        self.begun = True
        self._tell("Looking at what its node needs")
        try:
            return self._send(needs_of(self._workspace, self._job))
        except WbcError as error:
            raise RecordMissing(str(error)) from error
        except NodeFull as error:
            self._log(f"{now()} passed by: {error}\n".encode())
            raise
        except (OSError, ValueError, HolderFailed) as error:
            raise NotSent(str(error)) from error

    def _send(self, needs: dict[str, Path]) -> str | None:
        entries = {name: self._checksums.entry(path, name) for name, path in needs.items()}
        of_run = f"runs/{self._job.id}/"
        for name, entry in entries.items():
            if name.startswith(of_run):
                self._there[name.removeprefix(of_run)] = entry.sha256
        plain = [entry.plain for entry in entries.values()]
        missing = set(self._call("open", plain))
        coming = {entry.sha256: entry for entry in entries.values() if entry.sha256 in missing}
        total = sum(entry.size for entry in coming.values())
        for entry in coming.values():
            if not self._send_file(needs[entry.name], entry, total):
                return None
        home: str = self._call("place", plain, self._job.id)
        return home

    def _send_file(self, path: Path, entry: FileEntry, total: int) -> bool:
        with path.open("rb") as file, ThreadPoolExecutor(_IN_FLIGHT) as threads:

            def send(chunk: tuple[int, int]) -> bool:
                if self._is_stopped():
                    return False
                offset, length = chunk
                self._call("receive", entry.plain, offset, os.pread(file.fileno(), length, offset))
                self._sent += length
                if time.monotonic() - self._told > _TELL_SECONDS:
                    self._tell(f"Sending its files: {self._sent / 1e6:,.0f} of {total / 1e6:,.0f} MB")
                return True

            if not all(threads.map(send, entry.chunks())):
                return False
        self._call("keep", entry.plain)
        return True

    def _tell(self, message: str) -> None:
        self._told = time.monotonic()
        with suppress(DBAPIError):
            queue.write_held(self._workspace, self._job.id, self._claim, message=message)

    def begin(self) -> None:
        """From now on take whatever epoch is finished."""
        self._taking.start()

    def stop(self) -> None:
        """Take no more."""
        self._stopped.set()

    def _take_epochs(self) -> None:
        complaint = ""
        while not (self._ended.is_set() or self._stopped.is_set()):
            try:
                files = self._call("asked_for")
                if files is not None:
                    self.take(files)
                    self._call("delivered")
            # Whatever it was, such as a full disk here: the training waits, and it is tried again. Who renews
            # the lease finds out whether the node is lost.
            except Exception as error:
                if str(error) != complaint:
                    complaint = str(error)
                    self._log(f"{now()} an epoch was not written yet: {complaint}\n".encode())
                self._ended.wait(_AGAIN_SECONDS)

    def take(self, plain: object) -> None:
        """Bring a run up to what its node has; a reader finds each file whole, at any moment.

        Args:
            plain: What the node says that there is.

        Raises:
            ValueError: The node does not send what it announced, or what no run has.
            OSError: The disk is full.
        """
        entries = read_entries(plain)
        changed = {entry.name: entry for entry in entries if self._is_to_come(entry)}
        self._check_room(sum(entry.size for entry in changed.values() if not self._same_here(entry)))
        epochs = [int(found[1]) for name in changed if (found := _CHECKPOINT.fullmatch(name))]
        for name in sorted((name for name in changed if not name.startswith("checkpoint/")), key=_place):
            if epochs and _place(name) > _CHECKPOINT_PLACE:
                self._take_checkpoint(max(epochs), entries)
                epochs = []
            if epochs and name == BEST:
                self._keep_best_before(max(epochs))
            self._take_file(changed[name])
        if epochs:
            self._take_checkpoint(max(epochs), entries)
        if "history.csv" in changed and (self._run / "summary.json").exists():
            write_events(self._workspace, self._job.id)

    def _is_to_come(self, entry: FileEntry) -> bool:
        return not entry.name.startswith("best-before-") and self._there.get(entry.name) != entry.sha256

    def _keep_best_before(self, epoch: int) -> None:
        """Keep what the best weights are replaced in: a worker that dies now goes on from an older epoch."""
        here = saved_epochs(self._workspace, self._job.id)
        if epoch > here:
            keep_best_before(self._workspace, self._job.id, here + 1)

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self._workspace.home).free
        if free < needed + SPARE_BYTES:
            raise OSError(f"the disk has {free / 1e6:,.0f} MB free, and {needed / 1e6:,.0f} MB are to come")

    @contextmanager
    def _whole(self, final: Path) -> Iterator[Path]:
        """A path that becomes `final`, unless the job has been lost to another worker meanwhile."""
        durable = final.name == BEST or final.parent.name == "checkpoint"  # all else follows from them
        with self._workspace.atomic_path(final, durable=durable) as scratch:
            yield scratch
            if self._stopped.is_set() or not queue.is_held(self._workspace, self._job.id, self._claim):
                raise PermissionError("the job is not this worker's any more")
            if scratch.is_dir() and final.exists():  # a damaged one, which the node has trained again
                shutil.rmtree(final)

    def _take_file(self, entry: FileEntry) -> None:
        with self._whole(self._run / entry.name) as scratch:
            self._fetch(entry, scratch)
        self._there[entry.name] = entry.sha256

    def _take_checkpoint(self, epoch: int, entries: list[FileEntry]) -> None:
        folder = checkpoint_dir(self._workspace, self._job.id, epoch)
        files = [entry for entry in entries if entry.name.startswith(f"checkpoint/{folder.name}/")]
        if not files:
            raise ValueError(f"no checkpoint of epoch {epoch}")
        with self._whole(folder) as scratch:
            scratch.mkdir()
            for entry in files:
                self._fetch(entry, scratch / Path(entry.name).name)
        self._there.update({entry.name: entry.sha256 for entry in files})
        drop_older_checkpoints(self._workspace, self._job.id, epoch)

    def _same_here(self, entry: FileEntry) -> Path | None:
        """The file of an earlier checkpoint that is the same: a frozen backbone travels once."""
        names = (name for name, sha256 in self._there.items() if sha256 == entry.sha256)
        of_checkpoints = (self._run / name for name in names if _CHECKPOINT.fullmatch(name))
        return next((path for path in of_checkpoints if path.is_file()), None)

    def _fetch(self, entry: FileEntry, path: Path) -> None:
        same = self._same_here(entry)
        if same:
            link_or_copy(same, path)
            return
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for offset, length in entry.chunks():
                chunk = self._call("read", entry.name, offset)
                if not isinstance(chunk, bytes) or len(chunk) != length:
                    raise ValueError(f"{entry.name} is not as long as its node said")
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != entry.sha256:
            raise ValueError(f"{entry.name} did not arrive as it was sent")

    def take_log(self) -> int:
        """Bring what the process has written to its log since; returns how many bytes that were."""
        text = self._call("log", self._logged)
        if not isinstance(text, bytes) or len(text) > LOG_BYTES:
            raise ValueError("its log is not sent as it should be")
        self._logged += len(text)
        self._log(text)
        return len(text)

    def _log(self, text: bytes) -> None:
        log = self._workspace.job_log(self._job.id)
        with suppress(OSError):  # a disk too full for it must not decide what becomes of the job
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as file:
                file.write(text)

    def end(self, ending: str) -> str:
        """Take what is left once the process has ended, and only then write its outcome.

        Args:
            ending: How it ended; see `wbc_core.jobs.executors.JobProcess.ending`.

        Returns:
            The same, or what went wrong.
        """
        self._ended.set()
        self._taking.join()  # what it is taking is then whole
        until = time.monotonic() + (0.0 if ending else _PATIENCE_SECONDS)
        while True:
            try:
                while self.take_log():
                    pass
                self.take(self._call("files"))
                break
            except NodeLost:
                raise
            except Exception as error:
                if time.monotonic() > until or self._is_stopped():
                    return f"Its files were not written ({error})"
                time.sleep(_AGAIN_SECONDS)
        return ending or self._settle(self._call("outcome"))

    def _settle(self, outcome: object) -> str:
        if not isinstance(outcome, dict) or outcome.get("state") not in ("succeeded", "failed"):
            return "Its process left no outcome"
        if (self._run / "summary.json").exists() and load_run(self._workspace, self._job.id).finished:
            keep_newest_checkpoint(self._workspace, self._job.id)
        values = {name: outcome.get(name) for name in ("state", "result", "error")}
        written = finish_surely(self._workspace, self._job.id, self._claim, **values)
        return "Its outcome was not written" if written else ""


def _place(name: str) -> tuple[int, bool, str]:
    """Where a file comes when a run is brought up to date: after what is needed to go on from it.

    A checkpoint goes on from the best weights of the epochs before it; all that tells of it comes after.
    """
    order = {"spec.json": 0, "versions.json": 0, BEST: 1, "history.csv": 3, "summary.json": 4}
    return order.get(name, 5), name.endswith(".json"), name
