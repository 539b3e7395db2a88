"""Launching: what is refused before it is queued, and the cost that a training is launched with."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.results_lab import RUN, add_run, prepared_id
from wbc_core.augment.prepare import load_prepared
from wbc_core.errors import WbcError
from wbc_core.jobs import launching, queue
from wbc_core.jobs.devices import device_kind
from wbc_core.jobs.launching import known_costs, launch_all
from wbc_core.jobs.ray_executor import RayExecutor
from wbc_core.jobs.tasks import TRAINING_KINDS
from wbc_core.records import Job, Json
from wbc_core.training.estimate import Cost
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace


def test_all_are_queued_with_their_cost_or_none(workspace: Workspace) -> None:
    spec = RunSpec(prepared_id(workspace), "cnn").to_json()
    small = {**spec, "backbone": "inception_v3"}
    with pytest.raises(WbcError, match="at least 75 x 75 pixels; got 32 x 32"):
        launch_all(workspace, [spec, small])
    with pytest.raises(WbcError, match="too small"):
        launch_all(workspace, [spec, {**small, "input_size": 64}])
    with pytest.raises(WbcError, match="pr-000000000000"):
        launch_all(workspace, [spec, {**spec, "prepared": "pr-000000000000"}])
    assert queue.list_jobs(workspace) == []
    jobs = launch_all(workspace, [spec, {**small, "input_size": 96, "clones": "job-0123456789"}])
    assert jobs[1].spec["clones"] == "job-0123456789"
    costs = known_costs(workspace, [RunSpec.from_json(job.spec) for job in jobs])
    assert [job.spec["foreseen"] for job in jobs] == [cost.to_json() for cost in costs]


def test_weights_that_are_not_there_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    prepared = prepared_id(workspace)

    def spec(weights: str, backbone: str = "cnn") -> Json:
        return RunSpec.parse(prepared, backbone, {"weights": weights}).to_json()

    add_run(workspace, load_prepared(workspace, prepared), RUN)
    (tmp_path / "no.keras").write_bytes(b"no zip")
    for weights, backbone, words in (
        ("imagenet", "cnn", "no published ImageNet weights"),
        (f"file:{tmp_path / 'own.weights.h5'}", "cnn", "no file of weights"),
        ("run:job-0000000000", "cnn", "no run job-0000000000"),
        (f"file:{tmp_path / 'no.keras'}", "cnn", "no.keras is no file that Keras saved"),
        (f"run:{RUN}", "wbcnet", "Expected wbcnet; got cnn"),
        (f"run:{RUN}", "cnn", "no model yet"),
    ):
        with pytest.raises(WbcError, match=words):
            launch_all(workspace, [spec("random"), spec(weights, backbone)])
    assert queue.list_jobs(workspace) == []
    (first,) = launch_all(workspace, [spec("random")])
    assert launch_all(workspace, [spec(f"run:{first.id}")])  # it will have a model in time
    (tmp_path / "own.weights.h5").touch()
    assert launch_all(workspace, [spec(f"file:{tmp_path / 'own.weights.h5'}")])
    queue.announce_worker(workspace, "one", "here", "cpu:ray:node")
    assert launch_all(workspace, [spec("file:/only/on/the/node.h5")])


def test_weights_of_another_size_are_refused(workspace: Workspace) -> None:
    prepared = prepared_id(workspace)  # of 32 x 32 pixels
    run = add_run(workspace, load_prepared(workspace, prepared), RUN, model=True).id

    def launch(backbone: str, **settings: str) -> Job:
        spec = RunSpec.parse(prepared, backbone, {"weights": f"run:{run}", **settings})
        return launch_all(workspace, [spec.to_json()])[0]

    with pytest.raises(WbcError, match=r"not fit Plain CNN at this size. Expected.*32 x 32.*48 x 48"):
        launch("cnn", input_size="48")
    assert queue.list_jobs(workspace) == []
    launch("cnn", input_size="47")  # it ends in as small a map
    waiting = launch("cnn", input_size="32")
    run = waiting.id
    with pytest.raises(WbcError, match=r"Expected images of 32 x 32.*got 64 x 64"):
        launch("cnn", input_size="64")
    run = launch_all(workspace, [RunSpec(prepared, "wbcnet").to_json()])[0].id
    assert launch("wbcnet", input_size="64")  # whose weights fit every size


def test_a_freezing_of_nothing_is_refused(workspace: Workspace) -> None:
    spec = RunSpec(prepared_id(workspace), "wbcnet").to_json()
    nothing = {**spec, "freeze": "type:layer_normalisation"}
    with pytest.raises(WbcError, match="would freeze nothing of WBCNet"):
        launch_all(workspace, [spec, nothing])
    assert queue.list_jobs(workspace) == []
    # One that an older version of the lab let begin goes on.
    assert launch_all(workspace, [nothing], done=1)


def test_a_file_of_weights_is_found_from_every_folder(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.h5").touch()
    spec = RunSpec.parse(prepared_id(workspace), "cnn", {"weights": "file:own.h5"})
    monkeypatch.chdir("/")
    assert launch_all(workspace, [spec.to_json()])[0].spec["weights"] == f"file:{tmp_path / 'own.h5'}"


def test_float16_waits_for_a_gpu(workspace: Workspace) -> None:
    spec = RunSpec(prepared_id(workspace), "cnn", precision="float16").to_json()
    queue.announce_worker(workspace, "one", "here", "cpu:ray:gpu-less,cpu")
    with pytest.raises(WbcError, match="a GPU"):
        launch_all(workspace, [spec])
    queue.announce_worker(workspace, "two", "there", "cpu,gpu:ray:node")
    assert launch_all(workspace, [spec])


def test_a_cost_counts_on_the_kind_of_device_that_it_was_measured_on(workspace: Workspace) -> None:
    spec = RunSpec(prepared_id(workspace), "cnn")
    measured = {}
    for device, seconds in (("cpu", 500.0), ("gpu:ray:node", 5.0)):
        job = queue.submit(workspace, "dry_run", spec.to_json())
        _, claim = queue.claim_next(workspace, ["dry_run"], device)
        measured[device] = Cost(seconds, seconds, 700.0, 3.0, measured=True)
        queue.finish(workspace, job.id, claim, "succeeded", result=measured[device].to_json())
    assert known_costs(workspace, [spec]) == [measured["cpu"]]
    queue.announce_worker(workspace, "one", "there", "gpu:0,gpu:1")
    assert known_costs(workspace, [spec]) == [measured["gpu:ray:node"]]


def test_a_launch_that_is_killed_half_way_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = RunSpec(prepared_id(workspace), "cnn").to_json()
    submit, submitted = launching.submit, []

    def submit_one_only(*arguments: Any, **options: Any) -> Job:
        if submitted:
            raise KeyboardInterrupt
        submitted.append(submit(*arguments, **options))
        return submitted[0]

    monkeypatch.setattr(launching, "submit", submit_one_only)
    with pytest.raises(KeyboardInterrupt):
        launch_all(workspace, [spec, spec])
    assert submitted
    assert queue.list_jobs(workspace) == []


def test_a_ray_cluster_announces_what_its_nodes_train_on(workspace: Workspace) -> None:
    nodes = [
        {"id": "a", "name": "gpu-less", "cpus": 4, "gpus": 0, "apart": False},
        {"id": "b", "name": "second", "cpus": 8, "gpus": 2, "apart": False},
    ]
    for with_gpus, expected in ((True, ["gpu:ray:second"] * 2), (False, ["cpu:ray:gpu-less"])):
        told = json.dumps({"nodes": nodes if with_gpus else nodes[:1]})
        bridge = subprocess.Popen(["sh", "-c", 'echo "$0"; cat', told], stdin=-1, stdout=-1, text=True)
        executor = RayExecutor("here", bridge)
        try:
            executor.wait_for_nodes()
            lanes = executor.lanes().values()
            assert [lane.device for lane in lanes if lane.kinds == TRAINING_KINDS] == expected
            assert {device_kind(lane.device) for lane in lanes if lane.kinds != TRAINING_KINDS} == {"cpu"}
        finally:
            executor.close()
            bridge.wait()
            bridge.stdout.close()


def test_a_resumed_training_is_checked_and_costs_what_is_left(workspace: Workspace) -> None:
    spec = RunSpec(prepared_id(workspace), "cnn", precision="float16", epochs=10)
    queue.announce_worker(workspace, "one", "there", "gpu:0")
    first = launch_all(workspace, [spec.to_json()])[0]
    queue.cancel(workspace, first.id)
    (workspace.run_dir(first.id) / "checkpoint" / "epoch-0004").mkdir(parents=True)
    again = launching.resume(workspace, first.id)
    whole, left = (Cost.from_json(job.spec["foreseen"]) for job in (first, again))
    assert left.seconds == pytest.approx(whole.seconds - 4 * whole.epoch_seconds)
    queue.cancel(workspace, again.id)
    queue.withdraw_worker(workspace, "one")
    queue.announce_worker(workspace, "two", "here", "cpu")
    with pytest.raises(WbcError, match="a GPU"):
        launching.resume(workspace, again.id)
    assert queue.list_jobs(workspace, states=("queued",)) == []
