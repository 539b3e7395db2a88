"""What a job's process leaves to its holder on a machine that does not see the workspace.

There the process works in a folder of its own (`wbc_core.jobs.ray_apart`). It waits after each epoch until
its files are in the workspace, and how it ended is written to the queue only once the last of them are.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wbc_core.records import Json
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    from wbc_core.training.callbacks import Watch

APART = "WBC_APART"
"""Set in the environment of such a process."""

_LOOK_SECONDS = 0.05


def is_apart() -> bool:
    """Whether this process works in a folder of its own."""
    return APART in os.environ


def outcome_path(home: Path) -> Path:
    """File that holds how a process ended, for `wbc_core.jobs.queue.finish`."""
    return home / "outcome.json"


def _asked_path(home: Path) -> Path:
    return home / "deliveries-asked"


def _made_path(home: Path) -> Path:
    return home / "deliveries-made"


def _count(path: Path) -> int:
    return int(path.read_text(encoding="ascii")) if path.exists() else 0


def write_outcome(workspace: Workspace, outcome: Json) -> None:
    """Write how this process ended, for its holder."""
    workspace.write_json(outcome_path(workspace.home), outcome)


def delivery_is_asked(home: Path) -> bool:
    """Whether the process that works in a folder waits for a delivery, and so changes nothing there."""
    return _count(_asked_path(home)) > _count(_made_path(home))


def note_delivery(home: Path) -> None:
    """Let the process that waits for a delivery go on."""
    workspace = Workspace(home)
    with workspace.atomic_path(_made_path(home)) as scratch:
        scratch.write_text(str(_count(_asked_path(home))), encoding="ascii")


def wait_for_delivery(workspace: Workspace) -> None:
    """Where this process is apart, wait until all that the run has written is in the worker's workspace."""
    if not is_apart():
        return
    home = workspace.home
    with workspace.atomic_path(_asked_path(home)) as scratch:
        scratch.write_text(str(_count(_made_path(home)) + 1), encoding="ascii")
    while delivery_is_asked(home):
        time.sleep(_LOOK_SECONDS)


def after_delivery(workspace: Workspace, watch: "Watch | None") -> "Watch | None":
    """What watches a training, told of an epoch only when that is in the worker's workspace.

    Args:
        workspace: The workspace that the process works in.
        watch: Who watches, if anyone.
    """
    if not is_apart():
        return watch

    def told(row: Mapping[str, float]) -> str | None:
        wait_for_delivery(workspace)
        return watch(row) if watch else None

    return told
