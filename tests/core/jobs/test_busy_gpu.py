"""Who predicts leaves a GPU that trains alone."""

import os

import pytest
from sqlalchemy import update

from wbc_core.database import jobs, transaction
from wbc_core.jobs import queue
from wbc_core.jobs.busy_gpu import leave_gpu_to_training, training_on_gpu
from wbc_core.workspace import Workspace


def test_only_a_training_that_runs_on_a_gpu_counts(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    job = queue.submit(workspace, "train", {"prepared": "pr-000000", "backbone": "cnn"})

    def now_is(**values: object) -> None:
        with transaction(workspace) as connection:
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))

    for state, device in (("queued", None), ("running", "cpu"), ("succeeded", "gpu:0")):
        now_is(state=state, device=device)
        assert not leave_gpu_to_training(workspace)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    now_is(state="running", device="gpu:0")
    assert training_on_gpu(workspace).id == job.id
    assert leave_gpu_to_training(workspace)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
