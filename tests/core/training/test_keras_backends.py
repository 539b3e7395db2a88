"""The loop runs under every backend of Keras that is installed, in a process of its own each."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from wbc_core.training.runs import history
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

RUN = "job-0123456789ab"
TRAIN = """
import json, sys
from pathlib import Path
import keras
from wbc_core.evaluation.report import evaluate_run
from wbc_core.training.checkpoint import load_checkpoint
from wbc_core.training.loop import train
from wbc_core.training.network import build_network, data_of_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
spec = RunSpec.from_json(json.loads(sys.argv[3]))
train(workspace, sys.argv[2], spec)
first = build_network(spec, data_of_run(workspace, spec), workspace).get_weights()
last = load_checkpoint(workspace, sys.argv[2]).weights
moved = sum((before != after).any() for before, after in zip(first, last))
print(keras.backend.backend(), evaluate_run(workspace, sys.argv[2])["images"], moved)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_two_epochs_with_a_schedule_and_averaged_weights(
    training_workspace: tuple[Workspace, str], backend: str
) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    workspace, prepared = training_workspace
    # The head alone first, then all of it, at a rate that rises from 0 within the epoch: every part of the
    # loop that touches the backend's state.
    settings = {"epochs": 2, "head_epochs": 1, "batch_size": 16, "schedule": "cosine", "warmup_epochs": 1}
    spec = RunSpec(prepared, "cnn", ema=0.8, **settings)
    finished = subprocess.run(
        [sys.executable, "-c", TRAIN, str(workspace.home), RUN, json.dumps(spec.to_json())],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split()[::2] == [backend, "12"]  # every array of its six layers
    assert history(workspace, RUN)["loss"].is_monotonic_decreasing
