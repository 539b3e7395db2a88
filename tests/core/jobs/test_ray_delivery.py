"""What a training on a node that does not see the workspace writes comes back, whatever dies meanwhile."""

import os
import shutil
import threading

import numpy as np
import pytest

from tests.core.jobs.apart import Training, node, prepared_home, training
from tests.waiting import wait_until
from wbc_core.jobs import delivery, queue, ray_apart, ray_delivery
from wbc_core.jobs.process import finish_surely
from wbc_core.jobs.ray_files import NodeLost
from wbc_core.training.runs import history

__all__ = ["node", "prepared_home", "training"]

SHA = "0" * 64


def test_a_worker_that_dies_at_any_moment_leaves_a_checkpoint_with_its_best_weights(
    training: Training,
) -> None:
    training.finish_epoch(1)
    training.delivery().take(training.node("files"))
    assert training.stands() == (1, "of epoch 1")
    training.finish_epoch(2)
    training.finish_epoch(3)
    training.finish_epoch(4, is_best=False)
    kept = training.workspace.home.with_name("kept")
    shutil.copytree(training.workspace.home, kept)
    found, left = [], []

    def read(name: str, offset: int) -> object:
        if not left:
            raise NodeLost
        return training.node.holder.read(name, left.pop())

    training.node.instead = {"read": read}
    for reads in range(100):
        left[:] = [0] * reads
        try:
            training.delivery().take(training.node("files"))
            break
        except NodeLost:
            found.append(training.stands())
        shutil.rmtree(training.workspace.home)
        shutil.copytree(kept, training.workspace.home)
    assert set(found) == {(1, "of epoch 1"), (4, "of epoch 3")}
    assert training.stands() == (4, "of epoch 3")
    assert len(history(training.workspace, training.job.id)) == 4
    assert list(training.workspace.run_dir(training.job.id).glob("tensorboard/*"))
    assert not list(training.workspace.scratch_dir.iterdir())


def test_a_checkpoint_that_is_damaged_here_is_replaced(training: Training) -> None:
    training.finish_epoch(1)
    bringing = training.delivery()
    bringing.take(training.node("files"))
    damaged = training.workspace.run_dir(training.job.id) / "checkpoint" / "epoch-0001" / "weights.npz"
    os.truncate(damaged, 100)
    training.delivery().take(training.node("files"))
    assert training.stands() == (1, "of epoch 1")
    training.node.called.clear()
    bringing.take(training.node("files"))
    assert "read" not in training.node.called


def test_a_frozen_backbone_travels_once(training: Training) -> None:
    bringing, checkpoints = training.delivery(), training.workspace.run_dir(training.job.id) / "checkpoint"
    training.node.instead = {
        "read": lambda name, at: read.append(name) or training.node.holder.read(name, at)
    }
    files, read = [], []
    for epoch in (1, 2, 3):
        training.finish_epoch(epoch)
        there = training.there.run_dir(training.job.id) / "checkpoint" / f"epoch-{epoch:04}" / "frozen.npz"
        np.savez(there, **{"0001": np.zeros(9)})
        bringing.take(training.node("files"))
        files.append(checkpoints / there.parent.name / there.name)
    assert [name for name in read if name.endswith("frozen.npz")] == ["checkpoint/epoch-0001/frozen.npz"]
    assert files[1].samefile(files[2])
    assert training.stands() == (3, "of epoch 3")
    os.truncate(files[2], 0)  # damaged here: the next attempt does not take it for what the node has
    training.delivery().take(training.node("files"))
    assert files[2].stat().st_size > 0


def test_more_than_the_disk_holds_is_not_begun(training: Training) -> None:
    with pytest.raises(OSError, match="MB are to come"):
        training.delivery().take([("best.keras", 2**60, SHA)])
    assert "read" not in training.node.called


def test_what_another_worker_has_taken_over_is_not_written(training: Training) -> None:
    training.finish_epoch(1)
    queue.release(training.workspace, training.job.id, training.claim, "Waiting")
    with pytest.raises(PermissionError):
        training.delivery().take(training.node("files"))
    assert training.stands() == (0, "")


def test_a_training_waits_for_each_epoch_and_ends_after_its_files(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_delivery, "SPARE_BYTES", 2**62)
    monkeypatch.setattr(ray_delivery, "_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(ray_apart, "ASK_SECONDS", 0.2)
    bringing, told = training.delivery(), []
    bringing.begin()
    training.finish_epoch(1)
    with monkeypatch.context() as patched:
        patched.setenv("WBC_APART", "1")
        watch = delivery.after_delivery(training.there, lambda row: told.append(training.stands()))
        waiting = threading.Thread(target=watch, args=({"epoch": 1.0},))
        waiting.start()
        log = training.workspace.job_log(training.job.id)
        wait_until(lambda: log.exists() and "an epoch was not written yet: the disk has" in log.read_text())
        assert not told
        monkeypatch.setattr(ray_delivery, "SPARE_BYTES", 0)
        waiting.join()
        assert told == [(1, "of epoch 1")]
        training.finish_epoch(2)
        training.there.job_log(training.job.id).parent.mkdir()
        training.there.job_log(training.job.id).write_text("the last words\n")
        ended = {"state": "succeeded", "result": {"run": training.job.id}}
        assert finish_surely(training.there, training.job.id, training.claim, **ended) == 0
    assert queue.get_job(training.workspace, training.job.id).state == "running"
    assert bringing.end("") == ""
    job = queue.get_job(training.workspace, training.job.id)
    assert (job.state, job.result) == ("succeeded", {"run": training.job.id})
    assert training.stands() == (2, "of epoch 2")
    assert queue.read_log(training.workspace, training.job.id).endswith("the last words")
    names = {path.name for path in training.workspace.run_dir(training.job.id).iterdir()}
    assert {"spec.json", "best.keras", "history.csv", "checkpoint", "tensorboard"} <= names
    assert not [name for name in names if name.startswith("best-before")]


@pytest.mark.parametrize(("ending", "said"), [("", "Its process left no outcome"), ("Killed", "Killed")])
def test_without_an_outcome_a_job_is_not_done(
    training: Training, monkeypatch: pytest.MonkeyPatch, ending: str, said: str
) -> None:
    monkeypatch.setattr(ray_apart, "ASK_SECONDS", 0.2)
    bringing = training.delivery()
    bringing.begin()
    training.finish_epoch(1)
    assert bringing.end(ending) == said
    assert training.stands() == (1, "of epoch 1")
    assert queue.get_job(training.workspace, training.job.id).state == "running"
