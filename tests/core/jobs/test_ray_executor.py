"""Which jobs a worker for a Ray cluster gives to which node."""

import json
import subprocess
import sys

import pytest

from tests.waiting import wait_until
from wbc_core.jobs import queue, ray_executor
from wbc_core.jobs.executors import desk_kinds
from wbc_core.jobs.ray_executor import RayExecutor
from wbc_core.jobs.tasks import TRAINING_KINDS
from wbc_core.jobs.worker import Worker
from wbc_core.workspace import Workspace


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


BRIDGE = """
import json, sys

def reply(**what):
    print(json.dumps(what), flush=True)

node = {"name": "host", "cpus": 2, "gpus": 0, "apart": True}
reply(nodes=[{"id": "full", **node}, {"id": "roomy", **node}])
for line in sys.stdin:
    order = json.loads(line)
    if order["node"] == "full":
        reply(ending=order["start"], how="the node has no room", no_room=True)
"""


def test_a_job_goes_where_there_is_room_for_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", BRIDGE], stdin=pipe, stdout=pipe, text=True) as bridge:
        executor = RayExecutor("host:1", bridge)
        executor.wait_for_nodes()
        monkeypatch.setattr(ray_executor, "SILENT_AFTER_SECONDS", 600.0)  # this bridge speaks once
        worker = Worker(workspace, executor)
        first, second = (queue.submit(workspace, "train", {}).id for _ in range(2))
        worker.turn()

        def settled(state: str) -> bool:
            worker.turn()
            return queue.get_job(workspace, first).state == state

        wait_until(lambda: settled("queued"))
        waiting = queue.get_job(workspace, first)
        assert (waiting.message, waiting.attempts) == ("Waiting: the node has no room", 0)
        assert queue.get_job(workspace, second).state == "running"
        assert executor.lanes()["full 0"].passes_by == (first,)
        assert executor.lanes()["roomy 0"].passes_by == ()
        third = queue.submit(workspace, "train", {}).id
        wait_until(lambda: settled("queued") and queue.get_job(workspace, third).attempts == 0)
        assert set(executor.lanes()["full 0"].passes_by) == {first, third}
        monkeypatch.setattr(ray_executor, "FULL_SECONDS", 0.0)
        assert executor.lanes()["full 0"].passes_by == ()
        executor.close()
