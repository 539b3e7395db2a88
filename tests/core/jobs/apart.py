"""A training on a node that does not see the workspace, as far as files tell; no Ray, no other process."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.core.training.conftest import prepared_home, training_workspace
from tests.results_lab import add_run
from wbc_core.augment.prepare import load_prepared
from wbc_core.jobs import queue
from wbc_core.jobs.ray_apart import ApartHolder
from wbc_core.jobs.ray_delivery import Delivery
from wbc_core.jobs.ray_files import Checksums, HolderFailed, NodeFull, NodeLost, is_no_room
from wbc_core.records import Job
from wbc_core.training.checkpoint import load_checkpoint
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

__all__ = ["node", "prepared_home", "training", "training_workspace"]


@dataclass
class Node:
    """Reaches a holder as the bridge does; what comes from it can be another thing."""

    holder: ApartHolder
    instead: dict[str, Callable[..., object]] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)

    def __call__(self, method: str, *arguments: object) -> object:
        self.called.append(method)
        try:
            return self.instead.get(method, getattr(self.holder, method))(*arguments)
        except NodeLost:
            raise
        except Exception as error:
            raise (NodeFull if is_no_room(error) else HolderFailed)(str(error)) from error


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node with a folder of its own."""
    monkeypatch.setenv("WBC_NODE_FOLDER", str(tmp_path / "node"))
    holder = ApartHolder()
    yield Node(holder)
    holder.close()


@dataclass
class Training:
    """A training that runs on a node as far as files tell."""

    workspace: Workspace
    job: Job
    claim: str
    node: Node
    there: Workspace

    def delivery(self, call: Callable[..., object] | None = None) -> Delivery:
        """What brings its files back."""
        return Delivery(self.workspace, self.job, self.claim, call or self.node, Checksums(), lambda: False)

    def finish_epoch(self, epoch: int, *, is_best: bool = True) -> None:
        """What the training writes when an epoch has ended, in its order."""
        run = self.there.run_dir(self.job.id)
        with self.there.atomic_path(run / "checkpoint" / f"epoch-{epoch:04}") as folder:
            folder.mkdir()
            for name in ("weights", "optimiser"):
                np.savez(folder / f"{name}.npz", **{"0000": np.full(50, float(epoch))})
            (folder / "state.json").write_text(json.dumps({"history": [{}] * epoch, "accumulation": 1}))
        if is_best:
            with self.there.atomic_path(run / "best.keras") as path:
                path.write_text(f"of epoch {epoch}")
        rows = [f"{row},1,1,1,1,1,1,1" for row in range(1, epoch + 1)]
        header = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds,images_per_second"
        with self.there.atomic_path(run / "history.csv") as path:
            path.write_text("\n".join([header, *rows]) + "\n")

    def stands(self) -> tuple[int, str]:
        """The epoch that a training would go on from here, and its best weights."""
        checkpoint = load_checkpoint(self.workspace, self.job.id)
        best = self.workspace.run_dir(self.job.id) / "best.keras"
        return checkpoint.epochs if checkpoint else 0, best.read_text() if best.exists() else ""


@pytest.fixture
def training(workspace: Workspace, node: Node, prepared_home: tuple[Path, str]) -> Training:
    """A claimed training, and the files with which its run begins on the node."""
    home, prepared = prepared_home
    job = queue.submit(workspace, "train", RunSpec(prepared, "cnn").to_json())
    _, claim = queue.claim_next(workspace, ["train"], "cpu")
    there = Workspace(node.holder.place([], job.id))
    add_run(there, load_prepared(Workspace(home), prepared), job.id)
    return Training(workspace, job, claim, node, there)
