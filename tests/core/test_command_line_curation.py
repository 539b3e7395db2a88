"""`wbc clean` and `wbc decide --from` as a script uses them: what they write, and how they refuse."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.curation.conftest import noise_images, write_dataset
from tests.core.test_command_line import answer, called
from wbc_core.curation import review
from wbc_core.curation.clean import clean_set
from wbc_core.curation.scan import scan
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace


@pytest.fixture
def dataset(workspace: Workspace) -> Dataset:
    """20 scanned images in two classes, three of them decided."""
    images = noise_images(20)
    images[19] = images[0]
    dataset = write_dataset(workspace, images, np.arange(20) // 10)
    scan(workspace, dataset.id, ["exact_duplicates"])
    review.decide(workspace, dataset.id, {19: ("drop", None)}, who="Ada", check="exact_duplicates")
    review.decide(workspace, dataset.id, {2: ("relabel", 1), 3: ("drop", None)}, who="Ben")
    return dataset


@pytest.fixture
def log(workspace: Workspace, dataset: Dataset, tmp_path: Path) -> Path:
    answer(workspace.home, "clean", "small", "--decisions", tmp_path / "decisions.csv")
    return tmp_path / "decisions.csv"


def test_clean_writes_the_set_and_the_report_in_one_go(
    workspace: Workspace, dataset: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = answer(
        workspace.home, "clean", "small", "--export", f"{out}/", "--report", tmp_path / "report.pdf"
    )
    assert done["kept"] == 18
    assert sorted(path.name for path in out.iterdir()) == ["class 0", "class 1", "images.csv"]
    assert len(list(out.rglob("*.png"))) == 18
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    for name in ("clean.npz", "clean.zip", "report.html"):
        option = "--report" if name.startswith("report") else "--export"
        answer(workspace.home, "clean", "small", option, tmp_path / name)
        assert (tmp_path / name).stat().st_size


def test_findings_name_their_rows_and_give_the_evidence_in_full(
    workspace: Workspace, dataset: Dataset
) -> None:
    lines = called(workspace.home, "findings", "small").stdout.splitlines()
    assert lines[0].split() == ["check", "rows", "score", "flagged", "evidence"]
    assert "  0 19  " in lines[1]
    assert lines[1].endswith("under 2 different labels (class 0 1, class 1 1).")


def test_findings_can_be_only_those_that_reach_the_threshold(workspace: Workspace, dataset: Dataset) -> None:
    scan(workspace, dataset.id, ["contrast"])
    every = answer(workspace.home, "findings", "small")
    flagged = answer(workspace.home, "findings", "small", "--flagged")
    assert flagged == [found for found in every if found["flagged"]]
    assert 0 < len(flagged) < len(every)


def test_a_dry_run_of_accepting_says_per_class_what_would_go_and_writes_nothing(
    workspace: Workspace, dataset: Dataset
) -> None:
    review.undo(workspace, dataset.id, 3, who="Ada")
    asked = ("decide", "small", "--accept", "exact_duplicates")
    dry = called(workspace.home, *asked, "--dry-run", "--json")
    assert json.loads(dry.stdout) == {"decided": 0, "conflicts": 1, "head": 6, "classes": []}
    assert "left for you to decide" in dry.stderr
    answer(workspace.home, "decide", "small", "--relabel", "0=class 1")
    would = {"class": "class 1", "images": 10, "drop": 1, "relabel": 0, "arrive": 0}
    dry_run = answer(workspace.home, *asked, "--dry-run")
    assert dry_run == {"decided": 0, "conflicts": 0, "head": 7, "classes": [would]}
    last = called(workspace.home, *asked, "--dry-run").stdout.splitlines()[-1]
    assert last.split() == ["class", "1", "10", "1", "0", "0"]
    assert review.head(workspace, dataset.id) == 7
    assert answer(workspace.home, *asked)["decided"] == 1


def test_decide_from_says_what_it_would_do_and_then_does_it_in_one_step(
    workspace: Workspace, dataset: Dataset, log: Path, tmp_path: Path
) -> None:
    other = Workspace(tmp_path / "other")
    write_dataset(other, noise_images(19)[::-1], np.arange(19)[::-1] // 10)
    plan = answer(other.home, "decide", "small", "--from", log, "--dry-run")
    effect = {"keep": {}, "drop": {"class 0": 1}, "relabel": {"class 0": 1}}
    assert (plan["decided"], plan["head"], plan["effect"]) == (0, 0, effect)
    assert plan["unknown"]["images"] == 1
    done = answer(other.home, "decide", "small", "--from", log, "--by", "Cyd")
    assert (done["decided"], done["effect"]) == (2, effect)
    again = answer(other.home, "decide", "small", "--from", log)
    assert (again["decided"], again["unchanged"], again["head"]) == (0, 2, done["head"])
    assert answer(other.home, "decide", "small", "--undo", 1)["decided"] == 2


def test_a_fresh_workspace_gets_the_same_clean_set(
    workspace: Workspace, dataset: Dataset, log: Path, tmp_path: Path
) -> None:
    other = Workspace(tmp_path / "other")
    images = noise_images(20)
    images[19] = images[0]
    assert write_dataset(other, images, np.arange(20) // 10).id == dataset.id
    answer(other.home, "decide", "small", "--from", log)
    assert clean_set(other, dataset.id).id == clean_set(workspace, dataset.id).id


WRONG: list[tuple[list[Any], str]] = [
    (["clean", "small", "--export", "OUT/clean.tar"], ".npz, .zip"),
    (["clean", "small", "--export", "FULL"], "not empty"),
    (["clean", "small", "--export", "OUT/nowhere/clean.npz"], "nowhere"),
    (["clean", "small", "--report", "OUT/report.txt"], ".html or .pdf"),
    (["clean", "small", "--report", "OUT/nowhere/report.pdf"], "nowhere"),
    (["clean", "small", "--decisions", "OUT/nowhere/log.csv"], "nowhere"),
    (["decide", "small", "--from", "OUT/nothing.csv"], "nothing.csv"),
    (["decide", "small", "--from", "/dev/zero"], "zero"),
    (["decide", "small", "--from", "BAD"], "line 3: the action 'explode'"),
    (["decide", "small", "--from", "BAD", "--drop", "1"], "exactly one"),
    (["decide", "small", "--drop", "1", "--dry-run"], "--accept or --from"),
    (["decide", "small", "--drop", "1", "--threshold", "2"], "--accept"),
    (["decide", "small", "--accept", ","], "--accept names nothing"),
    (["scan", "small", "--checks", ""], "--checks names nothing"),
    (["scan", "small", "--deep", "--embedding", "own"], "Leave one of them out"),
    (["import", "BAD", "--classes", ","], "--classes names nothing"),
    (["decide", "small", "--accept", "exact_duplicates", "--threshold", "3"], "2 to 2 copies"),
]


@pytest.mark.parametrize(("arguments", "hint"), WRONG, ids=[" ".join(entry[0]) for entry in WRONG])
def test_bad_input_changes_nothing(
    workspace: Workspace, dataset: Dataset, tmp_path: Path, arguments: list[str], hint: str
) -> None:
    out, full, bad = tmp_path / "out", tmp_path / "full", tmp_path / "bad.csv"
    out.mkdir()
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    bad.write_text(f"image_id,action,label\n{'a' * 20},drop,\n{'b' * 20},explode,\n")
    names = {"OUT": str(out), "FULL": str(full), "BAD": str(bad)}
    for name, path in names.items():
        arguments = [argument.replace(name, path) for argument in arguments]
    before = review.head(workspace, dataset.id)
    done = called(workspace.home, *arguments, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert hint in done.stderr
    assert list(out.iterdir()) == []
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    assert review.head(workspace, dataset.id) == before


def test_a_range_of_rows_is_relabelled_whole(workspace: Workspace, dataset: Dataset) -> None:
    done = answer(workspace.home, "decide", "small", "--relabel", "5-7=class 1,9=class 1")
    assert done["decided"] == 4
    held = review.effective_decisions(workspace, dataset.id)
    assert {row: held[row].label for row in (5, 6, 7, 9)} == dict.fromkeys((5, 6, 7, 9), 1)


def test_accepting_all_means_all_that_were_scanned(workspace: Workspace, dataset: Dataset) -> None:
    review.undo(workspace, dataset.id, 3, who="Ada")
    # The two copies carry different labels, until somebody says which is right.
    done = called(workspace.home, "decide", "small", "--accept", "all", "--json")
    assert json.loads(done.stdout) == {"decided": 0, "conflicts": 1, "head": 6}
    assert "1 group whose labels conflict is left for you to decide." in done.stderr
    answer(workspace.home, "decide", "small", "--relabel", "0=class 1")
    done = answer(workspace.home, "decide", "small", "--accept", "all")
    assert (done["decided"], done["conflicts"]) == (1, 0)
    answer(workspace.home, "decide", "small", "--undo", 1)
    done = answer(workspace.home, "decide", "small", "--accept", "exact_duplicates", "--threshold", "2")
    assert done["decided"] == 1
