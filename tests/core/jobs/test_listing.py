"""The list of jobs on the command line: two runs are told apart on a screen of 100 characters."""

import json

from tests.core.test_command_line import called
from tests.results_lab import build_dataset, build_split, prepared_id
from wbc_core.augment.prepare import prepare
from wbc_core.augment.recipe import load_recipe
from wbc_core.jobs import order, queue
from wbc_core.jobs.launching import launch_all
from wbc_core.jobs.listing import short_list
from wbc_core.jobs.sweep import start_sweep
from wbc_core.records import Json
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace


def listed(workspace: Workspace) -> list[dict[str, str]]:
    return short_list(workspace, queue.recent_jobs(workspace))[::-1]


def end(workspace: Workspace, how: str, error: str | None = None, result: Json | None = None) -> None:
    held = queue.claim_next(workspace, ["train"], "cpu")
    assert held is not None
    queue.finish(workspace, held[0].id, held[1], how, error=error, result=result)


def test_two_runs_of_a_backbone_are_told_apart(workspace: Workspace) -> None:
    split, plain = build_split(workspace, build_dataset(workspace))
    robust = prepare(workspace, split.id, load_recipe(workspace, "robust"))
    specs = [
        RunSpec(plain.id, "cnn", epochs=3, dropout=0.25),
        RunSpec(plain.id, "cnn", epochs=30, learning_rate=3e-4),
        RunSpec(robust.id, "cnn", epochs=4, dropout=0.25),
        RunSpec(plain.id, "mobilenet_v3_large", epochs=3, freeze="blocks:2"),
    ]
    launch_all(workspace, [spec.to_json() for spec in specs])
    launch_all(workspace, [specs[3].to_json()], priority="high")
    lines = listed(workspace)
    assert [line["what"] for line in lines] == ["train cnn"] * 3 + ["train mobilenet_v3_large"] * 2
    assert [line["done"] for line in lines] == ["0/3", "0/30", "0/4", "0/3", "0/3"]
    assert lines[0]["about"].startswith("plain recipe dropout=0.25")
    assert lines[1]["about"].startswith("plain recipe learning_rate=")
    assert lines[2]["about"].startswith("robust recipe dropout=0.25")
    assert [line["about"] for line in lines[3:]] == ["freeze=blocks:2", "high priority freeze=blocks:2"]


def test_a_trial_says_first_what_its_sweep_varies(workspace: Workspace) -> None:
    grid = {"learning_rate": ["0.001", "0.003"]}
    start_sweep(workspace, prepared_id(workspace), "cnn", grid, settings={"dropout": "0.1"})
    told = [line["about"] for line in listed(workspace)]
    assert told == ["learning_rate=0.001 dropout=0.1", "learning_rate=0.003 dropout=0.1"]


def test_what_came_of_a_job_is_short_too(workspace: Workspace) -> None:
    spec = RunSpec(prepared_id(workspace), "mobilenet_v3_large", freeze="blocks:2", epochs=20)
    jobs = launch_all(workspace, [spec.to_json()] * 4)
    end(workspace, "succeeded", result={"epochs": 7, "accuracy": 0.98765})
    end(workspace, "failed", error="The device ran out of memory.\nExpected less, got more. " * 5)
    order.pause(workspace, jobs[2].id)
    evaluation = queue.submit(workspace, "robustness", {"run": jobs[0].id})
    queue.submit(workspace, "import", {"source": "/data/a folder whose name has no end whatever.zip"})
    first, second, third, _, report, source = listed(workspace)
    assert third["state"] == "paused"
    assert (first["done"], first["accuracy"], first["state"]) == ("7/20", "98.8%", "succeeded")
    assert second["about"].startswith("The device ran out")
    assert second["about"].endswith("…")
    assert (report["id"], report["what"], report["done"]) == (evaluation.id, f"robustness {jobs[0].id}", "0%")
    assert source["what"] == "import a folder whose name…"
    done = called(workspace.home, "jobs", "list")
    assert max(map(len, done.stdout.splitlines())) <= 100
    whole = json.loads(called(workspace.home, "jobs", "list", "--json").stdout)
    assert {job["id"] for job in whole} == {line["id"] for line in listed(workspace)}
    assert whole[0].keys() == evaluation.to_json().keys()


def test_an_empty_list_is_no_error(workspace: Workspace) -> None:
    assert called(workspace.home, "jobs").stdout == "No job has been submitted yet.\n"
    assert called(workspace.home, "jobs", "--json").stdout == "[]\n"


def test_why_a_job_waits_again_is_told_first(workspace: Workspace) -> None:
    job = launch_all(workspace, [RunSpec(prepared_id(workspace), "cnn", dropout=0.5).to_json()])[0]
    assert listed(workspace)[0]["about"] == "dropout=0.5"
    _, claim = queue.claim_next(workspace, ["train"], "cpu") or (job, "")
    queue.settle(workspace, job.id, claim, "The node n1 has no room", counts=False)
    assert listed(workspace)[0]["about"].startswith("Waiting: The node n1 has no room")
