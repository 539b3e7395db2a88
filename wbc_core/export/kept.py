"""The last export of a run, kept in its folder: one zip archive and what was found about each format."""

import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wbc_core.export.writing import write_each
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Json
from wbc_core.training.runs import load_run
from wbc_core.workspace import Workspace, now

_FACTS = "exports.json"


@dataclass(frozen=True)
class KeptExport:
    """The last export of a run.

    Attributes:
        archive: The zip archive, a folder a format in it.
        formats: Of `writing.write_each`.
        created: When, ISO 8601 in UTC.
        outdated: Whether the model was written again since.
    """

    archive: Path
    formats: tuple[Json, ...]
    created: str
    outdated: bool

    @property
    def passports(self) -> list[Json]:
        """Passports of the models that were kept."""
        return [made for made in self.formats if "files" in made]


def _folder(workspace: Workspace, run_id: str) -> Path:
    return workspace.run_dir(run_id) / "exports"


def keep_export(
    workspace: Workspace, run_id: str, names: Sequence[str], progress: Progress = silent
) -> tuple[Json, ...]:
    """Export a run into its own folder, in place of what was exported before.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        names: Names of formats, `card` among them or not.
        progress: Where to report.

    Returns:
        As `writing.write_each`. After an error, or when cancelled, the export before is still there.

    Raises:
        WbcError: No such run or format, or no model yet.
    """
    load_run(workspace, run_id)
    final = _folder(workspace, run_id)
    with workspace.atomic_path(final) as scratch:
        scratch.mkdir()
        models = scratch / "models"
        formats = write_each(workspace, run_id, names, models, part_of(progress, 0.0, 0.98))
        # Stored, not compressed: weights hardly shrink.
        with zipfile.ZipFile(scratch / f"{run_id}.zip", "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(models.rglob("*")):
                archive.write(path, Path(run_id) / path.relative_to(models))
        if models.exists():
            shutil.rmtree(models)
        facts = json.dumps({"formats": formats, "created": now()}, indent=2, allow_nan=False)
        (scratch / _FACTS).write_text(facts + "\n", encoding="utf-8")
        if final.exists():
            shutil.rmtree(final)
    return tuple(formats)


def kept_export(workspace: Workspace, run_id: str) -> KeptExport | None:
    """The last export of a run, or None where there is none."""
    folder = _folder(workspace, run_id)
    if not (folder / _FACTS).exists():
        return None
    facts = workspace.read_json(folder / _FACTS, f"the export of run {run_id}")
    model = workspace.run_dir(run_id) / "best.keras"
    outdated = model.exists() and model.stat().st_mtime > (folder / _FACTS).stat().st_mtime
    return KeptExport(folder / f"{run_id}.zip", tuple(facts["formats"]), facts["created"], outdated)
