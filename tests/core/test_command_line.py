"""The `wbc` command as a script uses it: the whole path on drawn cells, and every way to get it wrong."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from wbc_core.cli import application
from wbc_core.command_line import console_progress, run_application
from wbc_core.datasets.synthetic import draw_cells

CLASSES = "basophil,eosinophil,erythroblast"


class Done(NamedTuple):
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def wbc(home: Path, *arguments: object) -> Done:
    """Run a command in a process of its own, as a shell does."""
    command = [sys.executable, "-m", "wbc_core.cli", *map(str, arguments), "--home", str(home)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return Done(ended.returncode, ended.stdout, ended.stderr)


def called(home: Path, *arguments: object) -> Done:
    """Run a command in this process, which starts Python and TensorFlow once for all of them."""
    status, out, err = 0, StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["wbc", *map(str, arguments), "--home", str(home)])
        try:
            run_application(application)
        except SystemExit as ended:
            status = int(ended.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


def answer(home: Path, *arguments: object, run: Callable[..., Done] = called) -> Any:
    done = run(home, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An npz file of 90 drawn cells of three classes; row 90 repeats row 0."""
    labels = np.repeat([0, 1, 2], [40, 30, 20])
    images = draw_cells(np.random.default_rng(1), labels)
    path = tmp_path_factory.mktemp("source") / "cells.npz"
    np.savez(path, images=np.concatenate([images, images[:1]]), labels=np.append(labels, 0))
    return path


@pytest.fixture(scope="module")
def lab(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A workspace in which the command line went from the file to two trained runs."""
    home = tmp_path_factory.mktemp("lab")
    ids: dict[str, Any] = {"home": home}
    shell, here = partial(answer, home, run=wbc), partial(answer, home)
    ids["import"] = shell("import", cells, "--name", "cells", "--classes", CLASSES)
    ids["scan"] = shell("scan", "cells")
    ids["decide"] = here("decide", "cells", "--accept", "exact_duplicates", "blur", "--by", "Ada")
    ids["clean"] = here("clean", "cells", "--export", home / "clean.npz")
    ids["split"] = here("split", "cells", "--fractions", "0.7,0.3", "--seed", 3)
    ids["prepare"] = shell("prepare", ids["split"]["split"], "--recipe", "an2dl")
    prepared = ids["prepare"]["prepared"]
    settings = ["--set", "epochs=1", "batch_size=16"]
    ids["train"] = shell("train", prepared, "--backbone", "cnn", *settings, "--wait")
    grid = ["--grid", "learning_rate=0.001,0.0001", "--trials", 1]
    ids["sweep"] = here("sweep", prepared, "--backbone", "cnn", *settings, *grid)
    return ids


def test_import_reports_what_came_in(lab: dict[str, Any]) -> None:
    imported = lab["import"]
    assert imported["images"] == 91
    assert imported["classes"] == {"basophil": 41, "eosinophil": 30, "erythroblast": 20}
    assert imported["rejected"] == []


def test_scan_decide_and_clean(lab: dict[str, Any]) -> None:
    assert lab["scan"]["checks"]["exact_duplicates"]["groups"] == 1
    found = answer(lab["home"], "findings", "cells", "--check", "exact_duplicates")
    assert [finding["rows"] for finding in found] == [[0, 90]]
    assert found[0]["suggested"] == {"0": "keep", "90": "drop"}
    assert lab["decide"]["decided"] >= 1
    assert lab["clean"]["kept"] + lab["clean"]["dropped"] == 91
    with np.load(lab["home"] / "clean.npz", allow_pickle=False) as exported:
        assert len(exported["images"]) == lab["clean"]["kept"]
        assert sum(lab["clean"]["classes"].values()) == len(exported["labels"])


def test_split_and_prepare_count_as_the_recipe_says(lab: dict[str, Any]) -> None:
    train = lab["split"]["parts"]["train"]
    assert lab["prepare"]["images"] == 5 * 3 * max(train.values())
    assert set(lab["prepare"]["classes"].values()) == {5 * max(train.values())}
    assert answer(lab["home"], "split", "cells", "--seed", 3)["split"] == lab["split"]["split"]


def test_jobs_list_show_cancel_and_resume(lab: dict[str, Any]) -> None:
    run, home = lab["train"]["run"], lab["home"]
    shown = answer(home, "jobs", "show", run)
    assert (shown["state"], shown["kind"], shown["attempts"], shown["epoch"]) == ("succeeded", "train", 1, 1)
    waiting = lab["sweep"]["runs"]
    assert len(waiting) == 1
    assert answer(home, "jobs", "cancel", waiting[0])["state"] == "cancelled"
    again = answer(home, "jobs", "resume", waiting[0])
    assert again["state"] == "queued"
    assert {job["id"] for job in answer(home, "jobs")} >= {run, waiting[0], again["id"]}
    assert "epoch 1/1" in answer(home, "jobs", "logs", run)["log"]
    assert answer(home, "jobs", "pause", again["id"])["paused"]
    longer = answer(home, "jobs", "resume", run, "--epochs", "2")
    assert (longer["spec"]["epochs"], longer["spec"]["resumes"]) == (2, run)
    answer(home, "jobs", "first", longer["id"])
    assert answer(home, "jobs", "pause") == {"paused": True, "waiting": [longer["id"], again["id"]]}
    assert answer(home, "jobs", "start")["paused"] is False
    clone = answer(home, "jobs", "clone", run, "--set", "learning_rate=0.01", "dropout=0.1")
    assert (clone["spec"]["clones"], clone["spec"]["learning_rate"], clone["spec"]["dropout"]) == (
        run,
        0.01,
        0.1,
    )
    assert clone["differences"] == {"learning_rate": [0.001, 0.01], "dropout": [0.3, 0.1]}
    assert longer["differences"] == {"epochs": [1, 2]}
    for job in (again, longer, clone):
        assert answer(home, "jobs", "cancel", job["id"])["state"] == "cancelled"


def test_a_preset_is_launched_by_its_name(lab: dict[str, Any]) -> None:
    home, prepared = lab["home"], lab["prepare"]["prepared"]
    told = answer(home, "train", prepared, "--preset", "report", "--set", "epochs=9")
    specs = {
        spec["backbone"]: spec for spec in (answer(home, "jobs", "show", run)["spec"] for run in told["runs"])
    }
    assert len(specs) == 8
    assert all((spec["epochs"], spec["learning_rate"]) == (9, 1e-4) for spec in specs.values())
    assert specs["vgg16"]["weights"] == "imagenet"
    assert (specs["cnn"]["weights"], specs["cnn"]["head_epochs"]) == ("random", 0)
    assert "cnn" not in told["missing_weights"]
    assert all("Place it there" in words for words in told["missing_weights"].values())
    alone = answer(home, "train", prepared, "--preset", "report_freezing", "--backbone", "densenet121")
    assert len(alone["runs"]) == 3
    assert alone["foreseen_seconds"] > 0


def test_each_run_of_a_preset_is_repeated(lab: dict[str, Any]) -> None:
    home, prepared = lab["home"], lab["prepare"]["prepared"]
    freezing = ("train", prepared, "--preset", "report_freezing")
    repeated = answer(home, *freezing, "--seeds", "3,5", "--priority", "low", "--set", "epochs=7")
    assert (len(repeated["sweeps"]), len(repeated["runs"])) == (3, 6)
    jobs = [answer(home, "jobs", "show", run) for run in repeated["runs"]]
    assert {(job["spec"]["epochs"], job["priority"], job["spec"]["head_epochs"]) for job in jobs} == {
        (7, "low", 5)
    }
    assert [(job["spec"]["freeze"], job["spec"]["seed"]) for job in jobs] == [
        (freeze, seed) for freeze in ("none", "fraction:0.5", "type:convolution") for seed in (3, 5)
    ]
    foreseen = sum(job["spec"]["foreseen"]["seconds"] for job in jobs)
    assert repeated["foreseen_seconds"] == pytest.approx(foreseen)
    assert "mobilenet_v3_large" in repeated["missing_weights"]
    (trial,) = answer(home, "sweep", repeated["sweeps"][1])["trials"]
    assert sorted(trial["runs"]) == sorted(repeated["runs"][2:4])
    folded = answer(home, *freezing, "--folds", "2")
    assert (len(folded["sweeps"]), len(folded["runs"])) == (3, 6)
    assert folded["foreseen_seconds"] > 0
    for run in (*repeated["runs"], *folded["runs"]):
        answer(home, "jobs", "cancel", run)


def test_a_repeated_training_is_a_sweep_that_can_be_read(lab: dict[str, Any]) -> None:
    home, prepared = lab["home"], lab["prepare"]["prepared"]
    folded = answer(
        home, "train", prepared, "--backbone", "cnn", "--folds", 2, "--seeds", "3,5", "--priority", "low"
    )
    assert len(folded["runs"]) == 4
    assert len(set(folded["prepared"])) == 2
    told = answer(home, "sweep", folded["sweep"])
    assert (told["search"], told["best"]) == ("grid", None)
    (trial,) = told["trials"]
    assert (trial["state"], sorted(trial["runs"])) == ("queued", sorted(folded["runs"]))
    assert {answer(home, "jobs", "show", run)["priority"] for run in folded["runs"][:2]} == {"low"}
    assert answer(home, "jobs", "high", folded["runs"][0])["priority"] == "high"
    for run in folded["runs"]:
        answer(home, "jobs", "cancel", run)


def test_evaluate_predict_compare_and_export(lab: dict[str, Any], cells: Path, tmp_path: Path) -> None:
    run, home = lab["train"]["run"], lab["home"]
    report = answer(home, "evaluate", run)
    low, high = report["accuracy_ci"]
    assert 0 <= low <= report["accuracy"] <= high <= 1
    assert list(report["per_class"]) == CLASSES.split(",")
    assert np.sum(report["confusion"]) == sum(lab["split"]["parts"]["validation"].values())
    on_file = answer(home, "evaluate", run, "--data", cells, "--tta")
    assert np.sum(on_file["confusion"]) == 91

    answer(home, "predict", run, cells, "--out", tmp_path / "predicted.csv")
    lines = (tmp_path / "predicted.csv").read_text().splitlines()
    assert lines[0] == f"file,predicted,{CLASSES}"
    assert len(lines) == 92

    second = answer(
        home,
        "train",
        lab["prepare"]["prepared"],
        "--backbone",
        "cnn",
        "--set",
        "epochs=1",
        "seed=1",
        "--wait",
        run=wbc,
    )
    compared = answer(home, "compare", run, second["run"])
    assert len(compared["pairs"]) == 1
    assert 0 <= compared["pairs"][0]["mcnemar_p"] <= 1

    shifted = ("--shifts", "geometric", "--strengths", 3)
    answer(home, "robustness", second["run"], *shifted)
    robust = answer(home, "robustness", run, *shifted, "--baseline", second["run"])
    error = robust["views"]["single"]["shifts"]["geometric"]["3"]["error"]
    assert robust["relative"]["mean_error"] == robust["views"]["single"]["mean_corruption_error"] == error
    assert answer(home, "robustness", run, *shifted)["evaluated"] == 0
    sliced = answer(home, "slices", run, "--minimum", 5)
    assert {entry["kind"] for entry in sliced["slices"]} >= {"brightness", "cluster"}

    answer(home, "export", run, tmp_path / "model", "--to", "keras")
    assert any(path.suffix == ".keras" for path in (tmp_path / "model").iterdir())
    answer(home, "export", run, tmp_path / "card", "--to", "card")
    for card in ("model_card.md", "model_card.html"):
        assert "research only" in (tmp_path / "card" / card).read_text().lower()


WRONG: list[tuple[list[object], str]] = [
    (["import", "nowhere.npz"], "nowhere.npz"),
    (["import"], "SOURCE"),
    (["fly"], "No such command"),
    (["scan", "nothing"], "nothing"),
    (["scan", "cells", "--checks", "smell"], "exact_duplicates"),
    (["findings", "cells", "--check", "smell"], "exact_duplicates"),
    (["decide", "cells"], "--accept"),
    (["decide", "cells", "--drop", "1", "--keep", "2"], "exactly one"),
    (["decide", "cells", "--drop", "x"], "3,17,40-52"),
    (["decide", "cells", "--drop", "91"], "91"),
    (["decide", "cells", "--relabel", "0=unicorn"], "erythroblast"),
    (["split", "cells", "--fractions", "0.7,0.7"], "0.7"),
    (["split", "cells", "--fractions", "a,b"], "0.7,0.3"),
    (["prepare", "sp-000000000000", "--recipe", "plain"], "sp-000000000000"),
    (["prepare", "../../etc", "--recipe", "plain"], "etc"),
    (["prepare", "SPLIT", "--recipe", "nothing"], "an2dl"),
    (["train", "PREPARED", "--backbone", "brain"], "mobilenet_v3_small"),
    (["train", "pr-000000000000", "--backbone", "cnn"], "pr-000000000000"),
    (["train", "PREPARED", "--backbone", "cnn", "--set", "epoch=1"], "epochs"),
    (["train", "PREPARED", "--backbone", "cnn", "--set", "epochs=-1"], "epochs"),
    (["sweep", "PREPARED", "--backbone", "cnn", "--grid", "epochs=1,two"], "two"),
    (["sweep", "PREPARED", "--backbone", "cnn", "--grid", "epochs=1", "--search", "luck"], "tpe"),
    (["sweep", "PREPARED", "--grid", "epochs=1,2"], "--backbone"),
    (["sweep", "sw-0000000000"], "sw-0000000000"),
    (["train", "PREPARED", "--backbone", "cnn", "--repeats", "2", "--seeds", "0,1"], "twice"),
    (["train", "PREPARED", "--backbone", "cnn", "--set", "epochs=" + "1" * 400], "1000"),
    (["train", "PREPARED", "--backbone", "cnn", "--set", "weights=file:"], "file:PATH"),
    (["train", "PREPARED", "--backbone", "cnn", "--set", "input_size=2"], "at least"),
    (["train", "PREPARED"], "--preset"),
    (["train", "PREPARED", "--preset", "reports"], "report_freezing"),
    (["train", "PREPARED", "--preset", "report", "--set", "input_size=64"], "75 x 75"),
    (["train", "PREPARED", "--preset", "report", "--repeats", "2", "--set", "input_size=64"], "75 x 75"),
    (["train", "PREPARED", "--preset", "report", "--folds", "2", "--set", "input_size=64"], "75 x 75"),
    (["train", "PREPARED", "--preset", "quick", "--repeats", "2", "--set", "seed=3"], "twice"),
    (["train", "PREPARED", "--backbone", "cnn", "--set", "precision=float16"], "a GPU"),
    (["sweep", "PREPARED", "--backbone", "cnn", "--grid", "input_size=96,2"], "at least"),
    (["evaluate", "RUN", "--data", "/"], "npz"),
    (["predict", "RUN", "/dev/zero"], "zero"),
    (["predict", "RUN", "/", "--out", "/nowhere/predicted.csv"], "/nowhere"),
    (["export", "RUN", "/dev/null/folder", "--to", "card"], "/dev/null"),
    (["export", "RUN", "/proc/folder", "--to", "card"], "/proc"),
    (["jobs", "dance"], "cancel"),
    (["jobs", "show"], "id"),
    (["jobs", "up"], "id"),
    (["jobs", "retry", "RUN"], "did not run out of memory"),
    (["jobs", "clone", "RUN", "--set", "epochs=0"], "epochs"),
    (["lab", "--no-worker", "--devices", "cpu"], "wbc worker"),
    (["train", "PREPARED", "--backbone", "cnn", "--priority", "urgent"], "high"),
    (["jobs", "show", "job-0000000000"], "job-0000000000"),
    (["worker", "--devices", "17"], "--devices cpu"),
    (["evaluate", "job-0000000000"], "job-0000000000"),
    (["robustness", "RUN", "--shifts", "fog"], "photometric"),
    (["robustness", "RUN", "--strengths", "6"], "1 to 5"),
    (["robustness", "RUN", "--baseline", "job-0000000000"], "job-0000000000"),
    (["slices", "RUN", "--report", "nope"], "nope"),
    (["latency", "job-0000000000"], "job-0000000000"),
    (["predict", "RUN", "nowhere"], "nowhere"),
    (["compare", "RUN"], "two"),
    (["export", "RUN", "OUT", "--to", "paper"], "savedmodel"),
]


@pytest.mark.parametrize(
    ("arguments", "hint"), WRONG, ids=[" ".join(map(str, arguments)) for arguments, _ in WRONG]
)
def test_bad_input_is_one_line_and_status_2(
    lab: dict[str, Any], arguments: list[object], hint: str, tmp_path: Path
) -> None:
    real = {
        "SPLIT": lab["split"]["split"],
        "PREPARED": lab["prepare"]["prepared"],
        "RUN": lab["train"]["run"],
        "OUT": tmp_path / "out",
    }
    before = sorted(lab["home"].rglob("*"))
    done = called(lab["home"], *(real.get(str(argument), argument) for argument in arguments), "--json")
    assert done.returncode == 2, done.stderr
    # A machine that is busy for 5 s sees a line of progress first.
    errors = [line for line in done.stderr.splitlines() if not re.match(r" *\d+% ", line)]
    assert len(errors) == 1, done.stderr
    assert hint in errors[0]
    assert done.stdout == ""
    after = [path for path in sorted(lab["home"].rglob("*")) if not path.name.startswith("lab.sqlite")]
    assert after == [path for path in before if not path.name.startswith("lab.sqlite")]


def test_bad_input_is_one_line_from_a_shell_too(lab: dict[str, Any]) -> None:
    done = wbc(lab["home"], "predict", lab["train"]["run"], "nowhere", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("home", ["/dev/null", "/dev/null/lab", "/proc/lab"])
def test_a_home_that_cannot_be_is_one_line_and_status_2(home: str) -> None:
    done = called(Path(home), "jobs", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert home in done.stderr


def test_a_database_that_cannot_be_written_is_one_line(lab: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(lab["home"], tmp_path / "lab")
    with sqlite3.connect(tmp_path / "lab" / "lab.sqlite") as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    database.close()
    done = wbc(tmp_path / "lab", "train", lab["prepare"]["prepared"], "--backbone", "cnn", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "disk is full" in done.stderr


@pytest.mark.parametrize("content", ["{}", "[" * 100_000, "[1]", "{", '{"recipe": {}}'])
def test_a_record_that_was_damaged_by_hand_is_one_line(
    lab: dict[str, Any], content: str, tmp_path: Path
) -> None:
    shutil.copytree(lab["home"], tmp_path / "lab")
    prepared = lab["prepare"]["prepared"]
    (tmp_path / "lab" / "prepared" / prepared / "prepared.json").write_text(content)
    (tmp_path / "lab" / "splits" / f"{lab['split']['split']}.json").write_text(content)
    for command in (
        ["train", prepared, "--backbone", "cnn"],
        ["prepare", lab["split"]["split"], "--recipe", "plain"],
    ):
        done = called(tmp_path / "lab", *command, "--json")
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "damaged" in done.stderr


def test_an_error_on_a_terminal_does_not_follow_half_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    def fail() -> None:
        with console_progress() as progress:
            progress(0.5, "halfway")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert capsys.readouterr().err.endswith("halfway\r\x1b[K")


def test_help_of_every_command() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "wbc_core.cli", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for name in ("import", "scan", "findings", "decide", "clean", "split", "prepare", "train", "sweep"):
        assert f" {name} " in listed
    for name in ("jobs", "worker", "evaluate", "predict", "compare", "export", "demo", "lab"):
        assert f" {name} " in listed
    for name in ("robustness", "slices", "latency", "costs"):
        assert f" {name} " in listed
