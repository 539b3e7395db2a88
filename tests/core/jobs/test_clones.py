"""Trainings made from earlier ones: what differs, half the batch, more epochs."""

import json
from typing import Any

import pandas as pd
import pytest

from tests.core.test_command_line import called
from tests.results_lab import RUN, add_run, prepared_id
from wbc_core.augment.prepare import load_prepared
from wbc_core.errors import WbcError
from wbc_core.jobs import clones, queue
from wbc_core.jobs.launching import launch
from wbc_core.jobs.tasks import TASKS
from wbc_core.records import Job
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

SPEC = RunSpec("pr-0123456789ab", "cnn", epochs=5, batch_size=33).to_json()


def real_spec(workspace: Workspace) -> dict[str, Any]:
    return {**SPEC, "prepared": prepared_id(workspace)}


def ended(workspace: Workspace, how: str, spec: dict[str, Any] = SPEC, **outcome: Any) -> Job:
    job = queue.submit(workspace, "train", spec)
    held = queue.claim_next(workspace, ["train"], "cpu")
    assert held is not None
    queue.finish(workspace, job.id, held[1], how, **outcome)
    return queue.get_job(workspace, job.id)


def test_the_differences_to_the_origin_are_told(workspace: Workspace) -> None:
    first = ended(workspace, "succeeded")
    assert clones.differences(workspace, first) == {}
    spec = {**SPEC, "learning_rate": 3e-4, "clones": first.id, "foreseen": {"seconds": 60}}
    clone = queue.submit(workspace, "train", spec)
    assert clones.differences(workspace, clone) == {"learning_rate": (0.001, 0.0003)}


def test_what_a_trial_drew_is_what_its_clone_differs_from(workspace: Workspace) -> None:
    trial = ended(workspace, "succeeded", {**SPEC, "sweep": {"id": "sw-0123456789"}})
    workspace.write_json(workspace.run_dir(trial.id) / "spec.json", {**SPEC, "dropout": 0.7})
    clone = queue.submit(workspace, "train", {**SPEC, "clones": trial.id})
    assert clones.differences(workspace, clone) == {"dropout": (0.7, 0.3)}


@pytest.mark.parametrize("origin", ["job-0123456789", "no id at all"])
def test_an_origin_that_is_gone_does_not_hide_the_job(workspace: Workspace, origin: str) -> None:
    job = queue.submit(workspace, "train", {**SPEC, "clones": origin})
    assert clones.differences(workspace, job) == {}


def test_half_the_batch_makes_the_same_step(workspace: Workspace) -> None:
    error = "The device ran Out of Memory."
    spec = {**real_spec(workspace), "resumes": "job-0123456789"}
    failed = ended(workspace, "failed", spec, error=error)
    retry = clones.retry_with_half_batch(workspace, failed.id)
    assert (retry.state, retry.spec["batch_size"], retry.spec["accumulation"]) == ("queued", 16, 2)
    assert retry.spec["clones"] == failed.id
    assert "resumes" not in retry.spec
    assert retry.spec["foreseen"]["seconds"] > 0


@pytest.mark.parametrize(
    ("how", "error", "batch"),
    [("failed", "The loss diverged.", 32), ("cancelled", None, 32), ("failed", "out of memory", 1)],
)
def test_half_the_batch_is_for_what_ran_out_of_memory(
    workspace: Workspace, how: str, error: str | None, batch: int
) -> None:
    job = ended(workspace, how, {**SPEC, "batch_size": batch}, error=error)
    assert not clones.ran_out_of_memory(workspace, job)
    with pytest.raises(WbcError, match="did not run out of memory"):
        clones.retry_with_half_batch(workspace, job.id)


def test_half_the_batch_is_refused_where_its_job_could_only_fail(workspace: Workspace) -> None:
    spec = {**real_spec(workspace), "accumulation": 64}
    failed = ended(workspace, "failed", spec, error="out of memory")
    with pytest.raises(WbcError, match="accumulation cannot be 128"):
        clones.retry_with_half_batch(workspace, failed.id)
    drawn = ended(workspace, "failed", spec, error="out of memory")
    workspace.write_json(workspace.run_dir(drawn.id) / "spec.json", {**spec, "batch_size": 1})
    assert not clones.ran_out_of_memory(workspace, drawn)
    assert queue.list_jobs(workspace, states=("queued",)) == []


def test_a_process_killed_for_its_memory_is_offered_half_the_batch(workspace: Workspace) -> None:
    job = queue.submit(workspace, "train", SPEC)
    for _ in range(queue.MAXIMUM_ATTEMPTS):
        held = queue.claim_next(workspace, ["train"], "cpu")
        assert held is not None
        queue.settle(workspace, job.id, held[1], "Its process was ended by signal 9")
    assert clones.ran_out_of_memory(workspace, queue.get_job(workspace, job.id))


def test_more_epochs_go_on_from_the_finished_run(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = real_spec(workspace)
    first = ended(workspace, "succeeded", spec)
    folder = workspace.run_dir(first.id)
    for name in ("spec.json", "summary.json", "reports/validation.json"):
        workspace.write_json(folder / name, spec)
    (folder / "checkpoint").write_text("learnt")
    with pytest.raises(WbcError, match="more than 5"):
        clones.continue_run(workspace, first.id, 5)
    longer = clones.continue_run(workspace, first.id, 8)
    assert clones.differences(workspace, longer) == {"epochs": (5, 8)}
    whole, three = (launch(workspace, {**spec, "epochs": epochs}).spec["foreseen"] for epochs in (8, 3))
    assert longer.spec["foreseen"] == {**three, "disk_mb": whole["disk_mb"]}  # only what is left

    trained: list[tuple[str, RunSpec, list[str]]] = []

    def train(workspace: Workspace, run_id: str, spec: RunSpec, **_: object) -> dict[str, Any]:
        trained.append((run_id, spec, sorted(path.name for path in workspace.run_dir(run_id).iterdir())))
        return {}

    monkeypatch.setattr("wbc_core.training.loop.train", train)
    report = {"accuracy": 0.9, "macro_f1": 0.8}
    monkeypatch.setattr("wbc_core.evaluation.report.evaluate_run", lambda *_, **__: report)
    TASKS.get("train")(workspace, longer.id, longer.spec, lambda *_: None)
    same = {**spec, "resumes": first.id}
    TASKS.get("train")(workspace, "job-resumed000", same, lambda *_: None)
    assert trained == [
        (longer.id, RunSpec.from_json({**spec, "epochs": 8}), ["checkpoint"]),
        ("job-resumed000", RunSpec.from_json(spec), ["checkpoint", "spec.json", "summary.json"]),
    ]
    assert (folder / "reports").exists()


def test_what_more_epochs_do_to_the_learning_rate_is_told_before(workspace: Workspace) -> None:
    cosine = {**real_spec(workspace), "schedule": "cosine"}
    run = add_run(workspace, load_prepared(workspace, cosine["prepared"]), RUN)
    first = ended(workspace, "succeeded", cosine)
    assert "is not known" in clones.foresee_continuation(workspace, first.id, 10)
    workspace.run_dir(first.id).mkdir(parents=True)
    rows = pd.read_csv(workspace.run_dir(run.id) / "history.csv").iloc[[0, 1, 2, 2, 2]]
    rows.assign(learning_rate=[1e-3, 9e-4, 6e-4, 3e-4, 2e-6]).to_csv(
        workspace.run_dir(first.id) / "history.csv"
    )
    told = clones.foresee_continuation(workspace, first.id, 10)
    assert "2e-06 at the end of epoch 5, jumps to 0.0005 in epoch 6, 50 % of the full 0.001" in told
    assert f"clone it with weights=run:{first.id} and a lower learning rate" in told
    with pytest.raises(WbcError, match="more than 5"):
        clones.foresee_continuation(workspace, first.id, 5)
    done = called(workspace.home, "jobs", "show", first.id, "--epochs", "10")
    assert f"learning_rate_ahead: {told}" in done.stdout
    assert queue.list_jobs(workspace, states=("queued",)) == []
    done = called(workspace.home, "jobs", "resume", first.id, "--epochs", "10", "--json")
    assert done.stderr.strip() == told
    assert json.loads(done.stdout)["differences"] == {"epochs": [5, 10]}


@pytest.mark.parametrize(
    ("how", "result"),
    [("failed", None), ("cancelled", None), ("succeeded", {"epochs": 3, "ended": "pruned: below"})],
)
def test_only_a_run_that_ended_by_itself_is_continued(
    workspace: Workspace, how: str, result: dict[str, Any] | None
) -> None:
    job = ended(workspace, how, result=result)
    assert clones.continuation(workspace, job) is None
    with pytest.raises(WbcError, match=f"got train, {result['ended'] if result else how}"):
        clones.continue_run(workspace, job.id, 50)
