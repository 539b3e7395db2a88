"""Timing a real model (untrained), and what is kept of it."""

import json

import numpy as np
import pytest

from tests.results_lab import RUN, add_run, build_dataset, build_split
from wbc_core.backbones.cost import macs
from wbc_core.errors import WbcError
from wbc_core.evaluation.latency import foreseen_macs, load_latency, time_calls
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import silent
from wbc_core.training.predict import load_model
from wbc_core.training.runs import load_run
from wbc_core.workspace import Workspace


def test_every_call_gets_a_full_batch_after_the_warm_up() -> None:
    shapes: list[tuple[int, ...]] = []
    images = np.zeros((5, 4, 4, 3), np.uint8)
    timed = time_calls(lambda given: shapes.append(given.shape), images, 7)
    assert set(shapes) == {(7, 4, 4, 3)}
    assert len(shapes) > timed["calls"] == 100
    assert timed["images_per_second"] == pytest.approx(7000 / timed["median_ms"])


def test_a_cancelled_measurement_leaves_nothing(workspace: Workspace) -> None:
    add_run(workspace, build_split(workspace, build_dataset(workspace))[1], RUN, model=True)

    def cancel(fraction: float, message: str) -> None:
        if message.startswith("Timing batches of 32"):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        TASKS.get("latency")(workspace, "", {"run": RUN}, cancel)
    assert load_latency(workspace, RUN) is None
    measured = TASKS.get("latency")(workspace, "", {"run": RUN}, silent)
    assert load_latency(workspace, RUN) == json.loads(json.dumps(measured)) == measured
    one, many = measured["batches"]["1"], measured["batches"]["32"]
    assert 0 < one["median_ms"] <= one["p95_ms"]
    assert many["images_per_second"] == pytest.approx(32_000 / many["median_ms"])
    assert measured["device"] == "cpu"
    assert "cores" in measured["processor"]
    assert measured["macs"] == macs(load_model(workspace, RUN))
    assert foreseen_macs(load_run(workspace, RUN)) == pytest.approx(measured["macs"], rel=0.01)


def test_a_run_without_a_model_is_refused(workspace: Workspace) -> None:
    add_run(workspace, build_split(workspace, build_dataset(workspace))[1], RUN)
    with pytest.raises(WbcError, match="no model yet"):
        TASKS.get("latency")(workspace, "", {"run": RUN}, silent)
