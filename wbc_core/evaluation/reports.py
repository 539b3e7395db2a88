"""Reports on disk: found, read and written without TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.augment.shifts import SHIFTS
from wbc_core.errors import WbcError
from wbc_core.evaluation.scoring import score
from wbc_core.records import Json
from wbc_core.workspace import Workspace

# A held-out part of the split, or a file of its own; the most telling first.
_PREFERRED = ("test", "test-tta", "validation", "validation-tta", "file", "file-tta")
_PROBABILITY = "probability "


def reports_dir(workspace: Workspace, run_id: str) -> Path:
    """Folder of a run's reports: `NAME.json` and its predictions `NAME.parquet`."""
    return workspace.run_dir(run_id) / "reports"


def list_reports(workspace: Workspace, run_id: str) -> list[str]:
    """Names of a run's reports (`validation`, `test-tta`, ..), the one to look at first in front.

    Those on shifted images (`validation-photometric-3`) come last.
    """
    there = {path.stem for path in reports_dir(workspace, run_id).glob("*.json")}
    return [name for name in _PREFERRED if name in there] + sorted(there.difference(_PREFERRED))


def report_name(
    part: str, *, tta: bool = False, shift: str | None = None, strength: int | None = None
) -> str:
    """Name of a report.

    Example:
        >>> report_name("validation", shift="photometric", strength=3)
        'validation-photometric-3'
    """
    return part + (f"-{shift}-{strength}" if shift else "") + ("-tta" if tta else "")


def name_of(report: Json) -> str:
    """The name under which a report is saved."""
    return report_name(
        report["part"], tta=report["tta"], shift=report.get("shift"), strength=report.get("strength")
    )


def is_shifted(name: str) -> bool:
    """Whether a report, by its name, is one on shifted images.

    Example:
        >>> is_shifted("validation-photometric-3-tta"), is_shifted("validation-tta")
        (True, False)
    """
    words = name.removesuffix("-tta").split("-")
    return len(words) == 3 and words[1] in SHIFTS


def _chosen(workspace: Workspace, run_id: str, part: str | None) -> str:
    there = list_reports(workspace, run_id)
    if part is None and there:
        return there[0]
    if part in there:
        return part
    raise WbcError(
        f"Run {run_id} has no report{f' of {part!r}' if part else ''} yet.",
        expected=f"one of {', '.join(there)}" if there else None,
        fix=f"Run `wbc evaluate {run_id}` first.",
    )


def load_report(workspace: Workspace, run_id: str, part: str | None = None) -> Json:
    """Read a report.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        part: Name of the report as `list_reports` gives it; by default the test part's, else the
            validation part's.

    Raises:
        WbcError: The run has no such report; the message names the command that makes it.
    """
    name = _chosen(workspace, run_id, part)
    return workspace.read_json(reports_dir(workspace, run_id) / f"{name}.json", f"report {name} of {run_id}")


def is_outdated(workspace: Workspace, run_id: str, name: str) -> bool:
    """Whether the model was written again after a report, as when a stopped run was resumed."""
    model = workspace.run_dir(run_id) / "best.keras"
    report = reports_dir(workspace, run_id) / f"{name}.json"
    return model.exists() and model.stat().st_mtime > report.stat().st_mtime


def load_predictions(workspace: Workspace, run_id: str, part: str | None = None) -> pd.DataFrame:
    """Read the predictions that a report was computed from.

    Returns:
        One line an image: row (in the data set, or in the file), image_id, label, predicted, and one
        column `probability CLASS` a class, float32 in 0..1, in class order.

    Raises:
        WbcError: The run has no such report.
    """
    name = _chosen(workspace, run_id, part)
    return pd.read_parquet(reports_dir(workspace, run_id) / f"{name}.parquet")


def probabilities_of(predictions: pd.DataFrame) -> NDArray[np.float32]:
    """The probabilities in a table of predictions, float32 (n, K), in class order."""
    columns = [name for name in predictions.columns if name.startswith(_PROBABILITY)]
    return predictions[columns].to_numpy(dtype=np.float32)


def complete_report(workspace: Workspace, run_id: str, part: str | None = None) -> Json:
    """Read a report; one that was written before some of today's figures were is scored again.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        part: As for `load_report`.

    Returns:
        The report with every figure of `scoring.score`.

    Raises:
        WbcError: The run has no such report.
    """
    report = load_report(workspace, run_id, part)
    if "brier_score" in report:
        return report
    predictions = load_predictions(workspace, run_id, part)
    return report | score(predictions["label"], probabilities_of(predictions), report["classes"])


def predictions_table(
    rows: NDArray[np.int64],
    image_ids: Sequence[str],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
) -> pd.DataFrame:
    """Build the table that `load_predictions` gives back; the predicted class is the most probable one."""
    table = pd.DataFrame(
        {
            "row": rows,
            "image_id": list(image_ids),
            "label": labels,
            "predicted": probabilities.argmax(axis=1),
        }
    )
    chances = pd.DataFrame(probabilities, columns=[_PROBABILITY + name for name in class_names])
    return pd.concat([table, chances], axis=1)


def save_report(workspace: Workspace, report: Json, predictions: pd.DataFrame) -> None:
    """Write a report and its predictions under the run that `report["run"]` names.

    The predictions come first, so that a report that can be read always has them beside it.
    """
    name, folder = name_of(report), reports_dir(workspace, report["run"])
    with workspace.atomic_path(folder / f"{name}.parquet") as scratch:
        predictions.to_parquet(scratch, index=False)
    workspace.write_json(folder / f"{name}.json", report)
