"""Reading runs: small files only, nothing of keras, so that a page can do it on every rerun."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from wbc_core.errors import WbcError
from wbc_core.records import Json, Record
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

ENSEMBLE = "ensemble"
"""What stands for the backbone of an ensemble."""

HISTORY_COLUMNS = (
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
    "images_per_second",
)
"""Columns of history.csv; one row a finished epoch, epochs counted from 1."""


@dataclass(frozen=True)
class Run(Record):
    """A run and where it stands after its last finished epoch.

    Attributes:
        id: The run's id, which is its job's.
        spec: What it was launched with.
        dataset: Id of the data set.
        split: Id of the split.
        class_names: Class names, in the order of the model's outputs.
        image_shape: Height, width and 3 channels of the model's input.
        train_images: Images an epoch.
        validation_images: Held-out images that every epoch is validated on.
        parameters: Number of weights of the model.
        epochs: Finished epochs.
        best_epoch: Epoch with the best validation accuracy, counted from 1; its weights are `best.keras`.
        val_accuracy: Validation accuracy of that epoch, 0..1.
        seconds: Time spent in finished epochs, and on the features that they used, in seconds.
        device: Where it ran last: `cpu` or `gpu:0`.
        device_name: What that device is.
        created: When it began, ISO 8601 in UTC.
        finished: Whether it has ended by itself.
        ended: Why it ended, in words.
        leaky: Whether held-out images helped make what it learns from (`Recipe.leaky`).
        members: Ids of the runs of an ensemble, whose probabilities are averaged; none for a trained run. The
            prepared set is then that of the first, parameters and seconds are sums, and there are no epochs.
        member_weights: How much each member counts, summing to 1.
        member_weighting: How that was found, one of `evaluation.ensemble.WEIGHTS`.
    """

    id: str
    spec: RunSpec
    dataset: str
    split: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    train_images: int
    validation_images: int
    parameters: int
    epochs: int
    best_epoch: int | None
    val_accuracy: float | None
    seconds: float
    device: str
    device_name: str
    created: str
    finished: bool
    ended: str
    leaky: bool = False
    members: tuple[str, ...] = ()
    member_weights: tuple[float, ...] = ()
    member_weighting: str = ""

    @property
    def prepared(self) -> str:
        """Id of the prepared set that it learns from."""
        return self.spec.prepared

    @property
    def backbone(self) -> str:
        """Name of its backbone."""
        return self.spec.backbone

    @property
    def settings(self) -> Json:
        """What it was made with: its spec, or the members of an ensemble."""
        if not self.members:
            return self.spec.to_json()
        return {
            "prepared": self.prepared,
            "backbone": self.backbone,
            "members": " + ".join(self.members),
            "member_weights": self.member_weighting,
        }

    @classmethod
    def from_json(cls, plain: Json) -> Self:
        """Build the run and its spec from JSON."""
        return super().from_json({**plain, "spec": RunSpec.from_json(plain["spec"])})


def refuse_ensemble(run: Run, what: str) -> None:
    """Refuse an ensemble where only a single network will do.

    Args:
        run: The run.
        what: What was asked for, as a noun.

    Raises:
        WbcError: It is an ensemble.
    """
    if run.members:
        raise WbcError(
            f"{run.id} is an ensemble, and {what} needs a single network.",
            expected="a run that was trained",
            fix=f"Choose one of its members: {', '.join(run.members)}.",
        )


def write_run(workspace: Workspace, run: Run, folder: Path | None = None) -> None:
    """Write where a run stands to its `summary.json`.

    Args:
        workspace: The lab.
        run: The run.
        folder: Where its files are, if not in their place yet.
    """
    summary = run.to_json()
    del summary["id"], summary["spec"]  # the folder's name, and spec.json, which is written once
    workspace.write_json((folder or workspace.run_dir(run.id)) / "summary.json", summary)


def load_run(workspace: Workspace, run_id: str) -> Run:
    """Read a run.

    Raises:
        WbcError: There is no such run, or its files are damaged.
    """
    folder = workspace.run_dir(run_id)
    summary = workspace.read_json(folder / "summary.json", f"run {run_id}")
    spec = workspace.read_json(folder / "spec.json", f"run {run_id}")
    try:
        return Run.from_json({**summary, "id": run_id, "spec": spec})
    except (TypeError, ValueError) as error:
        raise WbcError(
            f"The files of run {run_id} are damaged.", got=error, fix="Restore them from a backup."
        ) from error


def list_runs(workspace: Workspace, prepared: str | None = None) -> list[Run]:
    """Every run that has begun, newest first; a folder that holds no readable run is passed over.

    Args:
        workspace: The workspace.
        prepared: Only the runs on this prepared set.
    """
    runs = []
    for path in (workspace.home / "runs").glob("*/summary.json"):
        # One damaged folder must not take every page that lists runs with it; `load_run` says what is wrong.
        with suppress(WbcError):
            runs.append(load_run(workspace, path.parent.name))
    runs = [run for run in runs if prepared in (None, run.prepared)]
    return sorted(runs, key=lambda run: (run.created, run.id), reverse=True)


def history(workspace: Workspace, run_id: str) -> pd.DataFrame:
    """What every finished epoch measured.

    Returns:
        Columns `HISTORY_COLUMNS`: losses in nats, accuracies 0..1, seconds an epoch with its validation,
        images a second of training alone. No rows before the first epoch has finished.
    """
    path: Path = workspace.run_dir(run_id) / "history.csv"
    if not path.exists():
        return pd.DataFrame(columns=list(HISTORY_COLUMNS))
    return pd.read_csv(path)
