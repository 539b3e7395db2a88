"""A node that does not see the workspace may send anything, and writes nothing but its run."""

from hashlib import sha256
from pathlib import Path

import pytest

from tests.core.jobs.apart import Training, node, prepared_home, training
from wbc_core.jobs.ray_files import read_entries

__all__ = ["node", "prepared_home", "training"]

SHA = "0" * 64


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
