"""Files that appear whole or not at all, whoever else is writing."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from wbc_core.database import engine_of
from wbc_core.workspace import Workspace


def test_of_two_that_make_one_folder_at_once_both_go_on(workspace: Workspace) -> None:
    final = workspace.home / "prepared" / "pr-0123456789ab"
    with workspace.atomic_path(final) as late:
        late.mkdir()
        (late / "who").write_text("late")
        with workspace.atomic_path(final) as early:
            early.mkdir()
            (early / "who").write_text("early")
    assert (final / "who").read_text() == "early"
    assert not list(workspace.scratch_dir.iterdir())


def test_a_folder_that_appears_at_the_last_moment_is_kept(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = workspace.home / "prepared" / "pr-0123456789ab"
    rename = Path.replace

    def overtaken(self: Path, target: Path) -> Path:
        final.mkdir()
        (final / "who").write_text("early")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", overtaken)
    with workspace.atomic_path(final) as late:
        late.mkdir()
    assert (final / "who").read_text() == "early"
    assert not list(workspace.scratch_dir.iterdir())


def test_what_must_survive_a_power_cut_is_on_the_disk_before_it_appears(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, synced, write_through = workspace.run_dir("job-0123456789") / "epoch-0001", [], os.fsync

    def watched(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, final.exists()))
        write_through(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    with workspace.atomic_path(final, durable=True) as scratch:
        scratch.mkdir()
        (scratch / "weights.npz").write_bytes(b"learnt")
    assert synced == [("weights.npz", False), (scratch.name, False), (final.parent.name, True)]


def test_after_an_error_nothing_is_left(workspace: Workspace) -> None:
    final = workspace.home / "recipes" / "mine.json"

    def fail() -> None:
        with workspace.atomic_path(final) as scratch:
            scratch.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not final.exists()
    assert not list(workspace.scratch_dir.iterdir())


def test_only_what_dead_processes_left_long_ago_is_swept(workspace: Workspace) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    workspace.scratch_dir.mkdir(parents=True)
    old, young, alive = (
        workspace.scratch_dir / name for name in (f"{dead.pid}-a", f"{dead.pid}-b", f"{os.getpid()}-c")
    )
    for path in (old, young, alive):
        path.mkdir()
        (path / "half").write_text("written")
    long_ago = time.time() - 90_000
    for path in (old, alive):
        os.utime(path, (long_ago, long_ago))
    workspace.clear_abandoned_scratch()
    assert sorted(workspace.scratch_dir.iterdir()) == sorted([young, alive])


@pytest.mark.parametrize("name", ["a?b", "a?uri=true", "a#b", "a%41b", "a b"])
def test_the_database_lies_in_the_workspace_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WBC_DATABASE_URL", raising=False)
    workspace = Workspace(tmp_path / name)
    engine_of(workspace)
    assert (workspace.home / "lab.sqlite").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]
