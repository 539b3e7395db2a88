"""Files that travel to a node that does not see the workspace, and back; the holder is in this process."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from tests.core.jobs.conftest import wait_until
from tests.core.training.conftest import prepared_home, training_workspace
from tests.results_lab import add_run
from wbc_core.augment.prepare import load_prepared
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import carried_file
from wbc_core.errors import WbcError
from wbc_core.jobs import delivery, queue, ray_apart, ray_delivery, ray_files
from wbc_core.jobs.executors import desk_kinds
from wbc_core.jobs.process import finish_surely
from wbc_core.jobs.ray_apart import ApartHolder
from wbc_core.jobs.ray_delivery import Delivery, needs_of
from wbc_core.jobs.ray_executor import RayExecutor
from wbc_core.jobs.ray_files import (
    Checksums,
    FileEntry,
    HolderFailed,
    NodeLost,
    NodeStore,
    NotSent,
    RecordMissing,
    read_entries,
)
from wbc_core.jobs.tasks import TRAINING_KINDS
from wbc_core.records import Job
from wbc_core.training.checkpoint import load_checkpoint
from wbc_core.training.runs import history
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

__all__ = ["prepared_home", "training_workspace"]

SHA = "0" * 64


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
            raise HolderFailed(str(error)) from error


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


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "checkpoint/epoch-0001/../../x",
        "checkpoint/epoch-00001/weights.npz",
        "checkpoint",
        "a/b/c/d/e/f",
        "a//b",
        "",
        ".hidden",
        "x\0y",
        "c" * 200,
    ],
)
def test_a_node_writes_nothing_outside_of_its_run(training: Training, name: str) -> None:
    def everything() -> set[Path]:
        return {path for path in training.workspace.home.parent.rglob("*") if "node" not in path.parts}

    before, run = everything(), training.workspace.run_dir(training.job.id)
    (run / "checkpoint").mkdir(parents=True)
    training.node.instead = {"read": lambda *_: b"x"}
    with pytest.raises((ValueError, OSError)):
        training.delivery().take([(name, 1, sha256(b"x").hexdigest())])
    assert everything() - before <= {run.parent, run, run / "checkpoint", training.workspace.scratch_dir}


@pytest.mark.parametrize(
    "files",
    [
        None,
        [("a", 1)],
        [("a", -1, SHA)],
        [("a", True, SHA)],
        [("a", "1", SHA)],
        [("a", 1, "short")],
        [(1, 1, SHA)],
        [("a", 1, 7)],
        [("a", 1, SHA)] * 1001,
        ["abc"],
    ],
)
def test_what_is_no_list_of_files_is_refused(files: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_entries(files)


@pytest.mark.parametrize("chunk", [b"", b"long", b"no", "xy", None])
def test_what_a_node_did_not_announce_is_not_written(training: Training, chunk: object) -> None:
    training.node.instead = {"read": lambda *_: chunk}
    with pytest.raises(ValueError, match=r"spec.json (is not as long as|did not arrive as)"):
        training.delivery().take([("spec.json", 2, sha256(b"xy").hexdigest())])
    assert not list(training.workspace.scratch_dir.iterdir())
    assert not (training.workspace.run_dir(training.job.id) / "spec.json").exists()


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


def test_everything_that_a_training_reads_is_brought_once(
    training_workspace: tuple[Workspace, str], node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_files, "CHUNK_BYTES", 50_000)
    workspace, prepared = training_workspace
    weights = workspace.home.with_name("my own.weights.h5")
    weights.write_bytes(b"weights")
    first = add_run(workspace, load_prepared(workspace, prepared), "job-00000000000a")
    (workspace.run_dir(first.id) / "best.keras").write_bytes(b"")
    spec = RunSpec(prepared, "cnn", weights=f"file:{weights}").to_json()
    varied = {"sweep": {"space": {"weights": [f"run:{first.id}", "imagenet"]}}}
    job = queue.submit(workspace, "train", {**spec, **varied, "resumes": first.id})
    training = Delivery(workspace, job, "claim", node, Checksums(), lambda: False)
    home = Path(training.send() or "")
    brought = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert brought == set(needs_of(workspace, job))
    for name, path in needs_of(workspace, job).items():
        assert (home / name).read_bytes() == path.read_bytes()
    assert f"runs/{first.id}/best.keras" in brought
    assert f"runs/{job.id}/history.csv" in brought
    assert carried_file(Workspace(home), str(weights)).read_bytes() == b"weights"
    again = Node(ApartHolder())
    assert Delivery(workspace, job, "claim", again, Checksums(), lambda: False).send()
    assert again.called == ["open", "place"]
    again.holder.close()
    full = Node(node.holder, {"open": lambda _: node.holder._store.make_room(2**60, ())})
    with pytest.raises(NotSent, match="no room"):
        Delivery(workspace, job, "claim", full, Checksums(), lambda: False).send()
    stopped = Node(node.holder, {"open": lambda files: [file[2] for file in files]})
    assert Delivery(workspace, job, "claim", stopped, Checksums(), lambda: True).send() is None
    assert "receive" not in stopped.called


def test_published_weights_come_to_where_keras_looks(
    training_workspace: tuple[Workspace, str], node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, prepared = training_workspace
    published = BACKBONES.get("mobilenet_v3_small").imagenet
    here, there = (tmp_path / machine / "models" / published.name for machine in ("here", "there"))
    here.parent.mkdir(parents=True)
    here.write_bytes(b"weights")
    monkeypatch.setenv("KERAS_HOME", str(here.parents[1]))
    spec = RunSpec(prepared, "mobilenet_v3_small", weights="imagenet").to_json()
    job = queue.submit(workspace, "dry_run", spec)
    name = f"{ray_apart.KERAS_FILES}/{published.name}"
    assert needs_of(workspace, job)[name] == here
    monkeypatch.setenv("KERAS_HOME", str(there.parents[1]))
    file = Checksums().entry(here, name).plain
    assert node("open", [file]) == [file[2]]
    node("receive", file, 0, b"weights")
    node("keep", file)
    node("place", [file], job.id)
    assert there.read_bytes() == b"weights"


def test_what_is_not_there_to_be_brought_is_said(training: Training) -> None:
    with pytest.raises(RecordMissing, match="There is no prepared set"):
        training.delivery().send()


def test_a_store_keeps_what_was_used_last(tmp_path: Path) -> None:
    store, entries = NodeStore(tmp_path / "store", 35), []
    (tmp_path / "store").mkdir()
    for number in range(3):
        path = tmp_path / f"{number}"
        path.write_text(str(number) * 10)
        entries.append(Checksums().entry(path, "name"))
        store.add(entries[-1], path)
        os.utime(tmp_path / "store" / entries[-1].sha256, (number, number))
    assert store.take(entries[0], tmp_path / "again")
    store.make_room(10, {entries[1].sha256})
    assert [store.take(entry, tmp_path / f"of {entry.sha256}") for entry in entries] == [True, True, False]
    store.make_room(30, ())
    assert not list((tmp_path / "store").iterdir())
    assert [path.read_text() for path in tmp_path.glob("of *")]  # whoever uses a file keeps it
    with pytest.raises(WbcError, match=r"no room.*MB free at .*WBC_NODE_FOLDER"):
        store.make_room(2**60, ())
    damaged = FileEntry("name", 10, SHA)
    with pytest.raises(ValueError, match="did not arrive as it was sent"):
        store.add(damaged, tmp_path / "0")


def test_what_a_holder_that_died_left_behind_is_removed(node: Node, tmp_path: Path) -> None:
    abandoned = tmp_path / "node" / "jobs" / "0123abcd"
    abandoned.mkdir()
    (abandoned / "file").touch()
    ApartHolder().close()
    assert [path.name for path in abandoned.parent.iterdir()] == [node.holder._home.name]


def test_a_node_that_does_not_see_the_workspace_only_trains() -> None:
    def lanes(*apart: bool) -> dict[str, list[str]]:
        nodes = [
            {"id": f"n{number}", "name": "host", "cpus": 2, "gpus": 0, "apart": is_apart}
            for number, is_apart in enumerate(apart)
        ]
        tell = f"import sys; print({json.dumps({'nodes': nodes})!r}, flush=True); sys.stdin.read()"
        command, pipe = [sys.executable, "-c", tell], subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as bridge:
            executor = RayExecutor("host:1", bridge)
            executor.wait_for_nodes()
            found = {name: lane.kinds for name, lane in executor.lanes().items()}
            executor.close()
        return found

    mixed, apart = lanes(False, True), lanes(True, True)
    assert list(mixed) == ["n0 0", "n0 desk", "n1 0", "here"]
    assert list(apart) == ["n0 0", "n1 0", "here"]
    assert mixed["n1 0"] == apart["n0 0"] == TRAINING_KINDS
    assert "scan" in mixed["n0 desk"]
    assert "scan" not in mixed["here"]
    assert apart["here"] == desk_kinds()
