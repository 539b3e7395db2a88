"""The commands that train: what they tell of what they queue, and that one failure holds nothing up."""

import json
from pathlib import Path

import pytest

from tests.core.test_command_line import answer, called
from tests.results_lab import build_dataset, prepared_id
from wbc_core import training_commands
from wbc_core.command_line import WorkFailed
from wbc_core.jobs import queue
from wbc_core.quiet import say
from wbc_core.study_commands import follow_runs
from wbc_core.workspace import Workspace


@pytest.fixture
def prepared(workspace: Workspace) -> str:
    return prepared_id(workspace)


def test_a_sweep_whose_trials_have_not_drawn_yet_is_shown_as_text(
    workspace: Workspace, prepared: str
) -> None:
    searched = ("--grid", "learning_rate=1e-4..1e-2", "--search", "tpe", "--trials", 2, "--set", "epochs=3")
    made = answer(workspace.home, "sweep", prepared, "--backbone", "cnn", *searched)
    first = queue.get_job(workspace, made["runs"][0])
    _, claim = queue.claim_next(workspace, ["train"], "cpu") or (None, "")
    drawn = {**first.spec, "learning_rate": 0.0025}
    workspace.write_json(workspace.run_dir(first.id) / "spec.json", drawn)
    queue.finish(workspace, first.id, claim, "succeeded", result={"val_accuracy": 0.5, "accuracy": 0.5})
    told = answer(workspace.home, "sweep", made["sweep"])
    assert [trial["learning_rate"] for trial in told["trials"]] == [0.0025, None]
    shown = called(workspace.home, "sweep", made["sweep"])
    assert shown.returncode == 0, shown.stderr
    assert ["learning_rate" in line or "0.0025" in line for line in shown.stdout.splitlines()[-3:]] == [
        True,
        True,
        False,
    ]
    assert "{" not in called(workspace.home, "jobs", "list").stdout


def test_what_has_no_effect_and_which_weights_are_missing_is_told(
    workspace: Workspace, prepared: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    train = ("train", prepared, "--backbone", "resnet50", "--set", "weights=imagenet")
    told = answer(workspace.home, *train, "momentum=0.5")
    assert told["without_effect"] == ["momentum"]
    assert "Place it there" in told["missing_weights"]["resnet50"]
    sweep = ("sweep", prepared, "--backbone", "cnn", "--grid", "momentum=0.5,0.9")
    assert answer(workspace.home, *sweep)["without_effect"] == ["momentum"]
    told = answer(workspace.home, "train", prepared, "--backbone", "cnn", "--set", "pooling=gem", "epochs=2")
    assert told["without_effect"] == ["pooling"]
    effective = answer(workspace.home, *sweep, "--set", "optimiser=sgd")
    assert list(effective) == ["sweep", "runs"]
    assert list(answer(workspace.home, "train", prepared, "--backbone", "cnn")) == ["run", "foreseen_seconds"]


def test_what_is_hardly_meant_is_said_before_a_run_is_followed(
    workspace: Workspace, prepared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = ("train", prepared, "--backbone", "mobilenet_v3_small", "--set", "freeze=all", "epochs=1")
    random = called(workspace.home, *frozen, "weights=random", "--json")
    assert "mobilenet_v3_small: Frozen layers would keep random weights" in random.stderr
    assert json.loads(random.stdout)["foreseen_seconds"] > 0
    assert "only the head learns" in called(workspace.home, *frozen, "weights=imagenet").stderr
    monkeypatch.setattr(training_commands, "follow_run", lambda *_: say("followed") or {})
    followed = called(workspace.home, *frozen, "weights=random", "--wait").stderr
    assert followed.index("random weights") < followed.index("followed")


def test_a_freezing_that_cannot_be_is_refused_however_it_is_asked_for(
    workspace: Workspace, prepared: str
) -> None:
    nothing, beyond = "freeze=type:layer_normalisation", "freeze=count:109"
    large, tpe = ("--backbone", "mobilenet_v3_large"), ("--search", "tpe")
    for arguments, words in (
        (("train", prepared, *large, "--set", nothing), "would freeze nothing of MobileNetV3-Large"),
        (("train", prepared, *large, "--set", beyond), "at most 108 layers of MobileNetV3-Large"),
        (("train", prepared, "--preset", "quick", "--set", nothing), "would freeze nothing of Plain CNN"),
        (("train", prepared, "--preset", "quick", "--set", "freeze=count:6"), "at most 5 layers"),
        (("train", prepared, *large, "--repeats", 2, "--set", nothing), "would freeze nothing"),
        (("sweep", prepared, *large, "--grid", f"{nothing},none"), "would freeze nothing"),
        (("sweep", prepared, *large, "--grid", f"{beyond},none"), "at most 108 layers"),
        (("sweep", prepared, *large, "--grid", f"freeze=none,{nothing[7:]}", *tpe), "would freeze nothing"),
        (("sweep", prepared, *large, "--grid", "dropout=0,0.1", "--set", nothing), "would freeze nothing"),
    ):
        refused = called(workspace.home, *arguments)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert words in refused.stderr
    assert queue.list_jobs(workspace) == []


def test_a_failure_does_not_keep_the_others_from_running(workspace: Workspace, tmp_path: Path) -> None:
    dataset = build_dataset(workspace)
    jobs = [
        queue.submit(workspace, "export_clean", {"dataset": name, "path": str(tmp_path / f"{name}.npz")}).id
        for name in ("ds-000000000000", dataset.id)
    ]
    with pytest.raises(WorkFailed, match=f"^1 of 2 runs succeeded. Run {jobs[0]} failed. .*ds-000000000000"):
        follow_runs(workspace, jobs)
    assert (tmp_path / f"{dataset.id}.npz").exists()
