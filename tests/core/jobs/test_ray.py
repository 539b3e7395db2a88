"""Jobs on a real Ray cluster of a head and two nodes, which die in mid-run."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.core.jobs.conftest import NAP, is_running
from tests.core.training.conftest import MEASURED, prepared_home, training_workspace
from tests.ray_nodes import RayHead, RayNode, ray_head, start_node
from tests.waiting import wait_until
from wbc_core.errors import WbcError
from wbc_core.evaluation.reports import load_report
from wbc_core.jobs import queue, ray_executor
from wbc_core.jobs.ray_bridge import sees_workspace
from wbc_core.jobs.ray_executor import on_ray
from wbc_core.jobs.ray_node import machine, versions
from wbc_core.jobs.worker import Worker
from wbc_core.records import Json
from wbc_core.training.runs import history
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

__all__ = ["prepared_home", "training_workspace"]

FIT = {"machine": machine(), "versions": versions(), "folder": "", "database": "", "own_folder": ""}
Nap = Callable[..., dict[str, object]]
Diary = Callable[[], list[list[str]]]


@dataclass
class Cluster:
    """A head that runs no jobs, and nodes that do not see the folder `hidden`, where one can be hidden."""

    head: RayHead
    nodes: list[RayNode]
    folder: Path
    before: tuple[str, ...]

    @property
    def hidden(self) -> Path:
        """The folder; skips the test where every process sees it."""
        if not self.before:
            pytest.skip("no folder can be hidden from a process here")
        return self.folder / "hidden"

    def hide(self, home: Path, name: str) -> Workspace:
        """A copy of a workspace's data, under a name in `hidden`, without its runs and its database."""
        workspace = Workspace(self.hidden / name)
        shutil.copytree(home, workspace.home, ignore=shutil.ignore_patterns("runs", "*.sqlite*"))
        return workspace

    def begin_node(self, megabytes: int | None = None) -> None:
        """Begin to start a further node, with a folder of its own for what is brought there.

        Args:
            megabytes: How large the disk is that the folder lies on; the machine's own where None.
        """
        before, name = self.before, f"node{len(self.nodes)}"
        if megabytes is not None:
            small = f"mount -t tmpfs -o size={megabytes}m none {self.folder / name}"
            (self.folder / name).mkdir()
            before = (*before[:-2], before[-2].replace("&& exec", f"&& {small} && exec"), before[-1])
        options = f"--address={self.head.address}", "--num-cpus=1"
        # No node knows a database but the worker's, whatever the test that starts it uses.
        own = {"WBC_NODE_FOLDER": str(self.folder / name), "WBC_DATABASE_URL": ""}
        path = str(self.folder)
        self.nodes.append(start_node(self.head.folder, name, *options, path=path, before=before, **own))

    def node_of(self, process_id: int) -> RayNode:
        """The node that started a job's process."""
        parent = int(_status(process_id)[1])
        return next(node for node in self.nodes if parent in node.processes())


def _status(process_id: int) -> list[str]:
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster that these tests share, and the last of them ends; its nodes know how to nap."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "sitecustomize.py").write_text(NAP)
    hidden = folder / "hidden"
    hidden.mkdir()
    hide = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {hidden} && exec "$@"', "sh")
    before = hide if subprocess.run([*hide, "true"], check=False).returncode == 0 else ()
    with ray_head(cpus=0) as head:
        cluster = Cluster(head, [], folder, before)
        try:
            for _ in range(2):
                cluster.begin_node()
            for node in cluster.nodes:
                node.wait()
            yield cluster
        finally:
            for node in cluster.nodes:
                node.kill()


@contextmanager
def working(workspace: Workspace, address: str) -> Iterator[threading.Thread]:
    """A worker for the cluster in a thread of this process."""
    with on_ray(workspace, address) as executor:
        worker = Worker(workspace, executor)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield thread
        finally:
            worker.stop.set()
            thread.join()


def test_a_cluster_runs_cancels_and_gives_back(
    cluster: Cluster, workspace: Workspace, nap: Nap, diary: Diary
) -> None:
    cancelled, stopped = (queue.submit(workspace, "nap", nap(600)).id for _ in range(2))
    with working(workspace, cluster.head.address):
        wait_until(lambda: len(diary()) == 2)
        running = {job: int(process) for _, job, process in diary()}
        assert cluster.node_of(running[cancelled]) is not cluster.node_of(running[stopped])
        queue.cancel(workspace, cancelled)
        wait_until(lambda: queue.get_job(workspace, cancelled).state == "cancelled")
        assert not is_running(running[cancelled])
        short = queue.submit(workspace, "nap", nap(0.6)).id
        wait_until(lambda: queue.get_job(workspace, short).state == "succeeded")
    done = queue.get_job(workspace, short)
    assert (done.result, done.attempts, done.epoch, done.device) == (
        {"slept": 0.6},
        1,
        1,
        f"cpu:ray:{os.uname()[1]}",
    )
    assert "napping" in queue.read_log(workspace, short)
    waiting = queue.get_job(workspace, stopped)
    assert (waiting.state, waiting.attempts) == ("queued", 0)
    assert not is_running(running[stopped])
    assert not queue.worker_beats(workspace)


def test_a_node_that_does_not_see_the_workspace_is_refused(cluster: Cluster) -> None:
    workspace = Workspace(cluster.hidden / "workspace")
    refused = rf"node .* does not see the workspace\. Expected the folder {workspace.home} .* Mount it there"
    with pytest.raises(WbcError, match=refused), on_ray(workspace, cluster.head.address):
        pass
    assert not queue.worker_beats(workspace)
    assert not list(workspace.scratch_dir.iterdir())


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"database": "another database"}, r"does not reach the lab's database.*Got another database"),
        ({"machine": "another"}, r"another machine, and machines cannot share SQLite.*PostgreSQL"),
        ({"versions": {"keras": "2.1"}}, r"has another lab. Expected .*; got .*2\.1"),
        ({"folder": "Permission denied"}, r"does not see the workspace.*; got Permission denied.*PostgreSQL"),
    ],
)
def test_what_a_node_lacks_is_named(workspace: Workspace, seen: Json, said: str) -> None:
    assert sees_workspace(workspace, "n1", FIT)
    with pytest.raises(WbcError, match=rf"^The node n1 of the Ray cluster .*{said}"):
        sees_workspace(workspace, "n1", FIT | seen)


def test_what_a_node_without_the_workspace_lacks_is_named(postgres: Workspace) -> None:
    elsewhere = FIT | {"machine": "another", "folder": "none"}
    assert not sees_workspace(postgres, "n1", elsewhere)
    with pytest.raises(WbcError, match=r"no place for one of its own. Got Permission.*WBC_NODE_FOLDER"):
        sees_workspace(postgres, "n1", elsewhere | {"own_folder": "Permission denied"})
    with pytest.raises(WbcError, match="does not reach the lab's database"):
        sees_workspace(postgres, "n1", elsewhere | {"database": "no route"})


def test_a_training_travels_to_nodes_that_do_not_see_the_workspace(
    cluster: Cluster, prepared_home: tuple[Path, str], postgres: Workspace
) -> None:
    home, prepared = prepared_home
    workspace = cluster.hide(home, "apart")
    spec = RunSpec(
        prepared, "cnn", epochs=12, head_epochs=8, batch_size=16, early_stopping_patience=12
    ).to_json()
    with working(workspace, cluster.head.address):
        whole, run = (queue.submit(workspace, "train", spec).id for _ in range(2))
        wait_until(lambda: len(history(workspace, run)) >= 2)
        trainer = _trainer(run)
        lost = cluster.node_of(trainer)
        lost.kill()
        os.killpg(trainer, signal.SIGKILL)
        before = history(workspace, run)
        cluster.begin_node()
        for job in (whole, run):
            wait_until(lambda job=job: queue.get_job(workspace, job).state == "succeeded")
    after = history(workspace, run)
    pd.testing.assert_frame_equal(after[: len(before)], before)
    assert 2 <= len(before) < len(after) == 12
    pd.testing.assert_frame_equal(after[MEASURED], history(workspace, whole)[MEASURED])
    assert load_report(workspace, run)["accuracy"] == load_report(workspace, whole)["accuracy"]
    kept = workspace.run_dir(run) / "checkpoint"
    assert [path.name for path in kept.iterdir()] == ["epoch-0012"]
    assert queue.read_log(workspace, run).count("loading keras") == 2
    assert not list(workspace.scratch_dir.iterdir())
    own = cluster.folder / f"node{1 - cluster.nodes.index(lost)}"
    assert list((own / "store").iterdir())
    assert not list((own / "jobs").iterdir())


def test_a_node_without_room_is_passed_by(
    cluster: Cluster, prepared_home: tuple[Path, str], postgres: Workspace
) -> None:
    home, prepared = prepared_home
    workspace = cluster.hide(home, "full")
    cluster.begin_node(megabytes=64)
    cluster.nodes[-1].wait()
    spec = RunSpec(prepared, "cnn", epochs=1, batch_size=16).to_json()
    alive = [node for node in cluster.nodes if node.process.poll() is None]
    # As many as there are nodes: one of them is given to the full one.
    runs = [queue.submit(workspace, "train", spec).id for _ in alive]
    with working(workspace, cluster.head.address):
        for run in runs:
            wait_until(lambda run=run: queue.get_job(workspace, run).state == "succeeded")
    logs = [queue.read_log(workspace, run) for run in runs]
    passed_by = [log for log in logs if "has no room for what the training needs" in log]
    assert len(passed_by) == 1
    assert f"MB free at {cluster.folder / f'node{len(cluster.nodes) - 1}'}" in passed_by[0]
    assert [queue.get_job(workspace, run).attempts for run in runs] == [1] * len(runs)
    assert all(len(history(workspace, run)) == 1 for run in runs)


def test_the_jobs_of_a_lost_node_go_on_elsewhere(
    cluster: Cluster, training_workspace: tuple[Workspace, str], nap: Nap, diary: Diary
) -> None:
    workspace, prepared = training_workspace
    spec = RunSpec(prepared, "cnn", epochs=25, batch_size=16, early_stopping_patience=25)
    for node in cluster.nodes:
        if node.process.poll() is None:
            node.wait()
    with working(workspace, cluster.head.address):
        run = queue.submit(workspace, "train", spec.to_json()).id
        wait_until(lambda: len(history(workspace, run)) >= 2)
        trainer = _trainer(run)
        lost = cluster.node_of(trainer)
        job = queue.submit(workspace, "nap", nap(4)).id
        # What a node's death leaves behind as an orphan must end by itself; what dies with it is gone.
        wait_until(lambda: len(diary()) == 1)
        lost.kill()
        os.killpg(trainer, signal.SIGKILL)
        before = history(workspace, run)
        wait_until(lambda: queue.get_job(workspace, run).state == "succeeded")
        wait_until(lambda: queue.get_job(workspace, job).state == "succeeded")
    after = history(workspace, run)
    pd.testing.assert_frame_equal(after[: len(before)], before)
    assert 2 <= len(before) < len(after)
    assert after["epoch"].tolist() == list(range(1, len(after) + 1))


def test_a_head_that_dies_loses_no_job(
    cluster: Cluster, workspace: Workspace, nap: Nap, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "SILENT_AFTER_SECONDS", 4.0)
    job = queue.submit(workspace, "nap", nap(600)).id
    with on_ray(workspace, cluster.head.address) as executor:
        worker = Worker(workspace, executor)
        killer = threading.Thread(
            target=lambda: (wait_until(lambda: len(diary()) == 1), cluster.head.node.kill())
        )
        killer.start()
        with pytest.raises(WbcError, match=r"does not answer any more. Its jobs are in the queue again"):
            worker.run()
        killer.join()
    waiting = queue.get_job(workspace, job)
    assert (waiting.state, waiting.attempts) == ("queued", 0)
    assert not is_running(int(diary()[0][2]))


def _trainer(run: str) -> int:
    """Id of the process that runs a training."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        words = command.read_bytes().split(b"\0")
        if b"wbc_core.jobs.process" in words and run.encode() in words:
            return int(command.parent.name)
    raise AssertionError("it is not running")
