"""The commands that measure a trained run further: `wbc latency`."""

from typing import Annotated

from typer import Argument, Option

from wbc_core.command_line import command, run_task
from wbc_core.records import Json
from wbc_core.workspace import Workspace

RunReference = Annotated[str, Argument(metavar="RUN", help="Id of a run.")]
Tta = Annotated[bool, Option("--tta", help="Average over the 8 flips and quarter turns.")]


@command("latency")
def latency(workspace: Workspace, run: RunReference) -> Json:
    """Time a run's model on this machine: one image, and a batch of 32."""
    return run_task(workspace, "latency", {"run": run})
