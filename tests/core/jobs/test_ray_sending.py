"""Files that travel to a node that does not see the workspace, and what is kept of them there."""

import errno
import os
from pathlib import Path

import pytest

from tests.core.jobs.apart import Node, Training, node, prepared_home, training, training_workspace
from tests.results_lab import add_run
from wbc_core.augment.prepare import load_prepared
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import carried_file
from wbc_core.errors import WbcError
from wbc_core.jobs import queue, ray_apart, ray_files
from wbc_core.jobs.ray_apart import ApartHolder
from wbc_core.jobs.ray_delivery import Delivery, needs_of
from wbc_core.jobs.ray_files import Checksums, FileEntry, NodeFull, NodeStore, RecordMissing
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

__all__ = ["node", "prepared_home", "training", "training_workspace"]

SHA = "0" * 64


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
    with pytest.raises(NodeFull, match="no room"):
        Delivery(workspace, job, "claim", full, Checksums(), lambda: False).send()
    assert "passed by: The node" in queue.read_log(workspace, job.id)

    def full_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    filling = Node(node.holder, {"open": lambda _: [], "place": full_disk})
    with pytest.raises(NodeFull, match="No space left"):
        Delivery(workspace, job, "claim", filling, Checksums(), lambda: False).send()
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
    node("open", [])
    ApartHolder().close()
    assert [path.name for path in abandoned.parent.iterdir()] == [node.holder._home.name]
