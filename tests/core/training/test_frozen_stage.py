"""What is written while the head learns alone, and what becomes of it after a kill."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.core.training.conftest import MEASURED, RUN, short_spec
from wbc_core.errors import Cancelled, WbcError
from wbc_core.training import callbacks
from wbc_core.training.checkpoint import load_checkpoint
from wbc_core.training.data import load_training_data
from wbc_core.training.loop import train
from wbc_core.training.predict import load_model, predict_probabilities
from wbc_core.training.runs import history, load_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

OTHER = "job-000000000002"


def staged_spec(prepared: str) -> RunSpec:
    """Three epochs of the head alone, of which the second is right about every image, and one of all."""
    head = {"head_epochs": 3, "head_learning_rate": 0.03, "hidden_layers": "8"}
    return short_spec(prepared, seed=1, learning_rate=1e-7, ema=0.5, **head)


def accuracy_of_best(workspace: Workspace, run_id: str) -> float:
    spec = load_run(workspace, run_id).spec
    data = load_training_data(workspace, spec.prepared, batch_size=16, seed=0).validation
    probabilities = predict_probabilities(load_model(workspace, run_id), data.images, rows=data.rows)
    return float((probabilities.argmax(axis=1) == data.labels).mean())


def assert_same_run(workspace: Workspace, run_id: str, other: str) -> None:
    """Their histories and their best weights are the same."""
    tables = [history(workspace, run)[MEASURED] for run in (run_id, other)]
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=1e-6)
    best = [load_run(workspace, run).best_epoch for run in (run_id, other)]
    assert best[0] == best[1]
    for mine, its in zip(*(load_model(workspace, run).get_weights() for run in (run_id, other)), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)


def as_written_before(workspace: Workspace, run_id: str) -> None:
    """Give a run the files that the lab wrote when every checkpoint held the whole network."""
    *older, newest = sorted((workspace.run_dir(run_id) / "checkpoint").iterdir())
    for folder in older:
        shutil.rmtree(folder)
    arrays = {}
    for name in ("frozen.npz", "weights.npz"):
        with np.load(newest / name) as found:
            arrays.update(found)
    np.savez(newest / "weights.npz", **arrays)
    for name in ("frozen.npz", "best_head.npz"):
        (newest / name).unlink()


def test_an_epoch_of_the_head_writes_no_backbone(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    folder, seen = workspace.run_dir(RUN), []

    def watch(row: dict[str, float]) -> None:
        newest = sorted((folder / "checkpoint").iterdir())[-1]
        sizes = {path.name: path.stat().st_size for path in newest.iterdir()}
        frozen = newest / "frozen.npz"
        seen.append((sizes, frozen.exists() and frozen.stat().st_ino, (folder / "best.keras").stat().st_ino))
        assert accuracy_of_best(workspace, RUN) == pytest.approx(load_run(workspace, RUN).val_accuracy)

    train(workspace, RUN, staged_spec(prepared), watch=watch)
    sizes, backbones, models = zip(*seen, strict=True)
    assert len({*backbones[:3]}) == 1
    assert backbones[0]
    assert len({*models[:3]}) == 1
    assert all(size["weights.npz"] + size["best_head.npz"] < size["frozen.npz"] / 50 for size in sizes[:3])
    assert sizes[3].keys() == {"weights.npz", "optimiser.npz", "state.json"}
    assert history(workspace, RUN)["val_accuracy"].idxmax() == 1
    assert load_run(workspace, RUN).best_epoch == 2
    assert accuracy_of_best(workspace, RUN) == 1


def test_a_better_head_is_in_the_best_model_before_the_stage_ends(
    training_workspace: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, prepared = training_workspace
    monkeypatch.setattr(callbacks, "_KEPT_EVERY", 0.0)
    seen = []

    def watch(row: dict[str, float]) -> None:
        told = load_run(workspace, RUN)
        seen.append(told.best_epoch)
        assert accuracy_of_best(workspace, RUN) == pytest.approx(told.val_accuracy)

    train(workspace, RUN, staged_spec(prepared), watch=watch)
    assert seen == [1, 2, 2, 2]


def test_a_frozen_stage_goes_on_from_what_a_kill_left_at_any_moment(
    training_workspace: tuple[Workspace, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, prepared = training_workspace
    spec, left = staged_spec(prepared), []

    def keep(*_: object) -> None:
        left.append(tmp_path / f"left-{len(left)}")
        shutil.copytree(workspace.run_dir(RUN), left[-1])

    with monkeypatch.context() as patched:
        save = callbacks.save_checkpoint
        patched.setattr(callbacks, "save_checkpoint", lambda *a, **more: (save(*a, **more), keep()))
        train(workspace, RUN, spec, watch=keep)
    # After the checkpoint of each epoch, and before all else.
    for folder in left[::2]:
        shutil.copytree(folder, workspace.run_dir(OTHER))
        train(workspace, OTHER, spec)
        assert_same_run(workspace, RUN, OTHER)
        shutil.rmtree(workspace.run_dir(OTHER))
    # The newest checkpoint is torn: its epoch was the best, and is trained again.
    shutil.copytree(left[3], workspace.run_dir(OTHER))
    (workspace.run_dir(OTHER) / "checkpoint" / "epoch-0002" / "best_head.npz").write_bytes(b"")
    train(workspace, OTHER, spec)
    assert_same_run(workspace, RUN, OTHER)


@pytest.mark.parametrize("change", [lambda *_: None, as_written_before])
def test_a_cancelled_run_keeps_its_best_head_and_goes_on(
    training_workspace: tuple[Workspace, str], change: object
) -> None:
    workspace, prepared = training_workspace
    spec = staged_spec(prepared)
    train(workspace, RUN, spec)

    def stop(fraction: float, message: str) -> None:
        if message.startswith("epoch 3/4"):
            raise Cancelled

    with pytest.raises(Cancelled):
        train(workspace, OTHER, spec, stop)
    assert load_run(workspace, OTHER).best_epoch == 2
    assert accuracy_of_best(workspace, OTHER) == 1
    change(workspace, OTHER)
    train(workspace, OTHER, spec)
    assert_same_run(workspace, RUN, OTHER)


def test_who_was_overtaken_leaves_the_best_weights_alone(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    best = workspace.run_dir(RUN) / "best.keras"

    def overtaken(fraction: float, message: str) -> None:
        if message.startswith("epoch 3/4"):
            (workspace.run_dir(RUN) / "checkpoint" / "epoch-0009").mkdir()
            best.write_text("another's")
            raise Cancelled

    with pytest.raises(Cancelled):
        train(workspace, RUN, staged_spec(prepared), overtaken)
    assert best.read_text() == "another's"


def test_a_backbone_that_is_lost_is_not_guessed(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    train(workspace, RUN, short_spec(prepared, freeze="all", epochs=2))
    (workspace.run_dir(RUN) / "checkpoint" / "epoch-0002" / "frozen.npz").unlink()
    with pytest.raises(WbcError, match=r"is damaged\. Got some of its arrays are missing"):
        load_checkpoint(workspace, RUN)
