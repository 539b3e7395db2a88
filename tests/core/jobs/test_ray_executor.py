"""Which jobs a worker for a Ray cluster gives to which node."""

import json
import subprocess
import sys

from wbc_core.jobs.executors import desk_kinds
from wbc_core.jobs.ray_executor import RayExecutor
from wbc_core.jobs.tasks import TRAINING_KINDS


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
