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
from wbc_core.training.loop import train
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
train(workspace, sys.argv[2], RunSpec.from_json(json.loads(sys.argv[3])))
print(keras.backend.backend(), evaluate_run(workspace, sys.argv[2])["images"])
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_two_epochs_with_a_schedule_and_averaged_weights(
    training_workspace: tuple[Workspace, str], backend: str
) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    workspace, prepared = training_workspace
    # The head alone first, then all of it: every part of the loop that touches the backend's state.
    spec = RunSpec(prepared, "cnn", epochs=2, head_epochs=1, batch_size=16, schedule="cosine", ema=0.8)
    finished = subprocess.run(
        [sys.executable, "-c", TRAIN, str(workspace.home), RUN, json.dumps(spec.to_json())],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split()[0] == backend
    assert history(workspace, RUN)["loss"].is_monotonic_decreasing
