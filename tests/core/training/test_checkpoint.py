"""What becomes of checkpoints and best weights when the newest checkpoint cannot be read."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.core.training.conftest import RUN
from wbc_core.errors import WbcError
from wbc_core.training.checkpoint import keep_best_before, keep_newest_checkpoint, load_checkpoint
from wbc_core.workspace import Workspace


def write(workspace: Workspace, epoch: int) -> Path:
    """The checkpoint of an epoch, which is the best so far."""
    folder = workspace.run_dir(RUN) / "checkpoint" / f"epoch-{epoch:04}"
    folder.mkdir(parents=True)
    for name in ("weights", "optimiser"):
        np.savez(folder / f"{name}.npz", **{"0000": np.full(50, float(epoch))})
    (folder / "state.json").write_text(json.dumps({"history": [{}] * epoch, "accumulation": 1}))
    keep_best_before(workspace, RUN, epoch)
    best = workspace.run_dir(RUN) / "best.keras"
    best.with_name("new").write_text(f"of epoch {epoch}")
    best.with_name("new").replace(best)
    return folder


def tear(folder: Path) -> None:
    os.truncate(folder / "optimiser.npz", 200)


def garble(folder: Path) -> None:
    (folder / "state.json").write_text("{")


def forget(folder: Path) -> None:
    (folder / "state.json").write_text("[]")


def lose(folder: Path) -> None:
    (folder / "weights.npz").unlink()


def misplace(folder: Path) -> None:
    """Say that the archive's list of members begins far after its end."""
    data = bytearray((folder / "weights.npz").read_bytes())
    data[-6:-2] = (2**31).to_bytes(4, "little")
    (folder / "weights.npz").write_bytes(data)


@pytest.mark.parametrize("damage", [tear, garble, forget, lose, misplace])
def test_after_a_damaged_checkpoint_the_best_weights_are_of_an_epoch_that_is_there(
    workspace: Workspace, damage: Callable[[Path], None]
) -> None:
    best = workspace.run_dir(RUN) / "best.keras"
    for epoch in (1, 2, 3):
        newest = write(workspace, epoch)
    damage(newest)
    for _ in range(2):
        found = load_checkpoint(workspace, RUN)
        assert found is not None
        assert (found.epochs, found.weights[0][0], best.read_text()) == (2, 2.0, "of epoch 2")
    aside = newest.with_name("damaged-epoch-0003")
    assert aside.is_dir()
    damage(write(workspace, 3))  # trained again, and damaged again
    load_checkpoint(workspace, RUN)
    write(workspace, 3)
    assert load_checkpoint(workspace, RUN).epochs == 3
    assert best.read_text() == "of epoch 3"
    keep_newest_checkpoint(workspace, RUN)
    assert sorted(path.name for path in best.parent.iterdir()) == ["best.keras", "checkpoint"]
    assert [path.name for path in aside.parent.iterdir()] == ["epoch-0003"]


def test_a_disk_that_does_not_answer_costs_no_checkpoint(workspace: Workspace) -> None:
    for epoch in (1, 2):
        newest = write(workspace, epoch)
    (newest / "optimiser.npz").unlink()
    (newest / "optimiser.npz").mkdir()  # reading it is an OSError
    with pytest.raises(WbcError, match=r"cannot be read at present.*nothing was removed"):
        load_checkpoint(workspace, RUN)
    assert newest.is_dir()
    assert (workspace.run_dir(RUN) / "best.keras").read_text() == "of epoch 2"
