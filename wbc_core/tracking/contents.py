"""What of a run belongs in MLflow, and what of it was not sent yet; read without MLflow."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import select

from wbc_core.database import jobs, transaction
from wbc_core.evaluation.reports import list_reports, reports_dir
from wbc_core.records import Json
from wbc_core.tracking.state import MirrorState, load_state
from wbc_core.training.runs import Run, history, list_runs
from wbc_core.workspace import Workspace

MODEL = "model"
"""Name of the best model among a run's files; it is sent as an MLflow model and registered."""

_STATUS_OF_JOB = {"failed": "FAILED", "cancelled": "KILLED"}
_LONGEST_PARAMETER = 6000  # characters that MLflow takes


@dataclass(frozen=True)
class Unsent:
    """What MLflow has not been sent of a run yet.

    Attributes:
        epochs: Rows of the history.
        files: Names of files to where they lie; none before the run has ended.
        status: How the run stands, in MLflow's words, where the last status sent is another.
    """

    epochs: pd.DataFrame
    files: dict[str, Path]
    status: str | None

    def __bool__(self) -> bool:
        return bool(len(self.epochs) or self.files or self.status)


def fingerprint(path: Path) -> str:
    """Tells one version of a file from the next without reading it: its size and time of change."""
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def run_status(workspace: Workspace, run: Run) -> str:
    """`RUNNING`, `FINISHED`, `FAILED` or `KILLED`; one that waits to be taken up again is running."""
    if run.finished:
        return "FINISHED"
    with transaction(workspace) as connection:
        state = connection.execute(select(jobs.c.state).where(jobs.c.id == run.id)).scalar()
    return _STATUS_OF_JOB.get(str(state), "RUNNING")


def run_files(workspace: Workspace, run_id: str) -> dict[str, Path]:
    """The files of a run that belong in MLflow, by name; not all of them need be there."""
    folder = workspace.run_dir(run_id)
    files = {name: folder / name for name in ("spec.json", "versions.json", "summary.json", "history.csv")}
    files["log"] = workspace.job_log(run_id)
    for report in list_reports(workspace, run_id):
        files[f"reports/{report}.json"] = reports_dir(workspace, run_id) / f"{report}.json"
    return files | {MODEL: folder / "best.keras"}


def unsent(workspace: Workspace, run: Run, state: MirrorState) -> Unsent:
    """Compare a run with what was sent of it."""
    status = run_status(workspace, run)
    table = history(workspace, run.id)
    files = {
        name: path
        for name, path in run_files(workspace, run.id).items()
        if status != "RUNNING" and path.exists() and state.files.get(name) != fingerprint(path)
    }
    return Unsent(table[table["epoch"] > state.epochs], files, status if status != state.status else None)


def unsent_runs(workspace: Workspace, uri: str) -> list[tuple[Run, Unsent]]:
    """Every run of which the server at `uri` lacks something, the oldest first."""
    runs = reversed(list_runs(workspace))
    compared = [(run, unsent(workspace, run, load_state(workspace, run.id, uri))) for run in runs]
    return [(run, missing) for run, missing in compared if missing]


def parameters(run: Run) -> dict[str, str]:
    """The spec, flattened: `optimiser.name` for what is nested.

    Example:
        >>> _flat({"a": {"b": 1}, "c": [1, 2]})
        {'a.b': '1', 'c': '[1, 2]'}
    """
    return {name: value[:_LONGEST_PARAMETER] for name, value in _flat(run.settings).items()}


def _flat(plain: Json, prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in plain.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: str(value)}
    return flat


def tags(workspace: Workspace, run: Run) -> dict[str, str]:
    """Where a run comes from: ids, whether it is leaky, the device, and versions of what made it."""
    path = workspace.run_dir(run.id) / "versions.json"
    found: dict[str, Any] = workspace.read_json(path, f"run {run.id}") if path.exists() else {}
    own = {"run_id": run.id, "dataset": run.dataset, "split": run.split, "prepared": run.prepared}
    own |= {"leaky": str(run.leaky).lower(), "device": run.device_name, "backbone": run.backbone}
    own |= {f"version.{name}": str(value) for name, value in found.items() if name not in ("device", "name")}
    return {f"wbc.{name}": value for name, value in own.items()}


def milliseconds(moment: str, after: float = 0.0) -> int:
    """A moment of the workspace for MLflow, in ms since 1970.

    Such moments never change, so that what is sent twice after a lost answer is the same and counts once.

    Args:
        moment: ISO 8601.
        after: Seconds after it.
    """
    return round((datetime.fromisoformat(moment).timestamp() + after) * 1000)
