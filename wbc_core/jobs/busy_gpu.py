"""A GPU that trains is left alone by what predicts."""

import os

from wbc_core.jobs import queue
from wbc_core.jobs.devices import device_environment, device_kind
from wbc_core.jobs.tasks import TRAINING_KINDS
from wbc_core.records import Job
from wbc_core.workspace import Workspace


def training_on_gpu(workspace: Workspace) -> Job | None:
    """A job of this workspace that trains on a GPU at present, None where none does."""
    running = queue.list_jobs(workspace, states=("running",))
    return next(
        (job for job in running if job.kind in TRAINING_KINDS and device_kind(job.device) == "gpu"), None
    )


def leave_gpu_to_training(workspace: Workspace) -> bool:
    """Confine this process to the CPU while a job of the workspace trains on a GPU.

    Works only before keras is loaded. Jobs of a worker need it not: all that does not train has a lane of its
    own on the CPU.

    Returns:
        Whether it is confined.
    """
    if training_on_gpu(workspace) is None:
        return False
    os.environ.update(device_environment("cpu"))
    return True
