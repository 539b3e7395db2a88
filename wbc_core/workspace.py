"""Every path of the lab, and writes that are whole or not there at all."""

import errno
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from wbc_core.errors import WbcError
from wbc_core.records import Json

_ABANDONED_AFTER_SECONDS = 86_400.0
_IDENTIFIER = re.compile(r"[a-z]{2,4}-[0-9a-z]{6,32}")


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds_between(start: str, end: str) -> float:
    """Seconds from one time of `now` to another; 0 where the clock was set back meanwhile."""
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


class Workspace:
    """The folder that holds a lab: records as files, decisions and jobs in its database.

    Args:
        home: The folder; made when something is first written.
    """

    def __init__(self, home: str | os.PathLike[str]) -> None:
        self.home = Path(home).expanduser().resolve()

    @classmethod
    def default(cls) -> "Workspace":
        """The workspace that `WBC_HOME` names, else `./workspace`."""
        return cls(os.environ.get("WBC_HOME") or "workspace")

    @property
    def database_url(self) -> str:
        """`WBC_DATABASE_URL`, else SQLite in the workspace."""
        chosen = os.environ.get("WBC_DATABASE_URL")
        if chosen:
            return chosen
        # In a URL a `?` begins the options and a `%` a coded character: the database would lie elsewhere.
        path = str(self.home / "lab.sqlite").replace("%", "%25").replace("?", "%3F")
        return f"sqlite:///{path}"

    def _inside(self, folder: str, identifier: str, suffix: str = "") -> Path:
        if not _IDENTIFIER.fullmatch(identifier):
            raise WbcError(
                f"{identifier!r} is not an id of this lab.",
                expected="two to four letters, a hyphen, letters and digits",
                fix="Copy the id from the page or from the command that made it.",
            )
        return self.home / folder / f"{identifier}{suffix}"

    def dataset_dir(self, dataset: str) -> Path:
        """Folder of a data set: `dataset.json`, `images.npy`, `table.parquet`."""
        return self._inside("datasets", dataset)

    def findings_dir(self, dataset: str) -> Path:
        """Folder of a data set's findings: one Parquet file a check, and the measurements."""
        return self._inside("findings", dataset)

    def split_path(self, split: str, suffix: str = ".json") -> Path:
        """File of a split: `.json` for the record, `.parquet` for the images."""
        return self._inside("splits", split, suffix)

    @property
    def recipes_dir(self) -> Path:
        """Folder of the user's own recipes, as JSON."""
        return self.home / "recipes"

    def prepared_dir(self, prepared: str) -> Path:
        """Folder of a prepared set: `prepared.json`, `images.npy`, `labels.npy`, `provenance.parquet`."""
        return self._inside("prepared", prepared)

    def run_dir(self, run: str) -> Path:
        """Folder of a run: spec, history, checkpoints, best model, reports."""
        return self._inside("runs", run)

    def job_log(self, job: str) -> Path:
        """Log file of a job."""
        return self._inside("logs", job, ".log")

    def costs_path(self, costs: str) -> Path:
        """File of the costs of mix-ups that the lab has set for a list of classes."""
        return self._inside("costs", costs, ".json")

    @property
    def uploads_dir(self) -> Path:
        """Folder where uploads wait for their import job."""
        return self.home / "uploads"

    @property
    def scratch_dir(self) -> Path:
        """Folder of half-written things, on the same file system as the finished ones."""
        return self.home / "scratch"

    def scratch_name(self) -> Path:
        """A new name in the scratch folder, by which what a killed process leaves is found and removed."""
        return self.scratch_dir / f"{os.getpid()}-{secrets.token_hex(4)}"

    def clear_scratch_of(self, process_id: int) -> None:
        """Remove what a process that was killed left half-written."""
        for path in self.scratch_dir.glob(f"{process_id}-*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def clear_abandoned_scratch(self) -> None:
        """Remove what processes left half-written that were killed with their workers, a day or more ago."""
        for path in self.scratch_dir.glob("*-*"):
            process_id = path.name.partition("-")[0]
            # The age is for processes of other machines, which cannot be seen from here.
            old = time.time() - path.stat().st_mtime > _ABANDONED_AFTER_SECONDS
            if old and process_id.isdigit() and not Path("/proc", process_id).exists():
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    @contextmanager
    def atomic_path(self, final: Path, *, durable: bool = False) -> Iterator[Path]:
        """Yield a path to write a file or folder at; it appears at `final`, whole, when the block ends well.

        A `final` that exists already is replaced when it is a file and kept when it is a folder (records
        are immutable, so the one there is the same). After an error nothing is left of either.

        Args:
            final: Where it appears.
            durable: Whether it must also survive a power cut: it is on the disk when the block has ended.
        """
        scratch = self.scratch_name()
        self.scratch_dir.mkdir(parents=True, exist_ok=True)
        try:
            yield scratch
            final.parent.mkdir(parents=True, exist_ok=True)
            if durable:
                _write_through(scratch)
            try:
                scratch.replace(final)
                if durable:
                    _write_through(final.parent, inside=False)
            except OSError:
                # Asked afterwards: another process may be making the same record at this moment.
                if not (scratch.is_dir() and final.is_dir()):
                    raise
        finally:
            if scratch.is_dir():
                shutil.rmtree(scratch)
            else:
                scratch.unlink(missing_ok=True)

    def write_json(self, final: Path, plain: object) -> None:
        """Write JSON, whole or not at all."""
        with self.atomic_path(final) as scratch:
            scratch.write_text(json.dumps(plain, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def read_json(self, path: Path, what: str) -> Json:
        """Read a JSON object.

        Args:
            path: The file.
            what: What it describes, for the message ("split sp-0123").

        Raises:
            WbcError: There is no such file, or it holds no JSON object.
        """
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise WbcError(
                f"There is no {what} in the workspace {self.home}.",
                fix="Check the id, and the workspace named by --home or WBC_HOME.",
            ) from None
        except (ValueError, RecursionError) as error:
            raise WbcError(
                f"{path.name} of {what} is damaged.",
                expected="a JSON object",
                got=error,
                fix="Restore it from a backup.",
            ) from None
        if not isinstance(plain, dict):
            raise WbcError(
                f"{path.name} of {what} is damaged.", expected="a JSON object", got=type(plain).__name__
            )
        return plain


def link_or_copy(path: Path, other: Path) -> None:
    """Give a file a second name, or copy it where there are no links; the folder is made where it is missing.

    Raises:
        FileNotFoundError: There is no such file.
        FileExistsError: The name is taken.
    """
    other.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, other)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:
        shutil.copyfile(path, other)


def _write_through(path: Path, *, inside: bool = True) -> None:
    """Have the kernel write a file, or a folder and what is in it, to the disk now."""
    for part in [*path.rglob("*"), path] if inside else [path]:
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS):  # some network file systems cannot be asked
                raise
        finally:
            os.close(descriptor)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write a file at; it appears at `path` when the block ends well, replacing an older one.

    Raises:
        WbcError: The folder does not exist, or `path` is a folder.
    """
    if path.is_dir():
        raise WbcError(f"{path} is a folder.", expected="the name of a file to write", fix="Add a file name.")
    if not path.parent.is_dir():
        raise WbcError(f"There is no folder {path.parent}.", fix="Make it, or write to another place.")
    # Beside the final file, since that may lie on another disk than the workspace.
    scratch = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}")
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder to fill; it appears at `path` when the block ends well.

    Raises:
        WbcError: `path` is a file, or a folder with something in it.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise WbcError(
            f"{path} is there already and is not empty.",
            expected="a new or an empty folder",
            fix="Name another folder, or empty this one yourself.",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise WbcError(f"{path.parent} is no folder.", fix="Name another folder.") from None
    scratch = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}")
    scratch.mkdir()
    try:
        yield scratch
        scratch.replace(path)
    finally:
        if scratch.exists():
            shutil.rmtree(scratch)
