"""Decisions are replayed by the content of the pictures, on any import of them, in one step or not at all."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.core.curation.conftest import noise_images, write_dataset
from wbc_core.curation import review
from wbc_core.curation.clean import clean_set
from wbc_core.curation.decision_csv import export_decisions_csv
from wbc_core.curation.replay import apply_replay, origin, plan_replay
from wbc_core.curation.standing import brought_up_to_date, nothing_decided
from wbc_core.datasets.store import load_table
from wbc_core.errors import WbcError
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace

IMAGES = noise_images(12)
IMAGES[9:12] = IMAGES[0]  # row 0 and 10 are of class 0, row 9 and 11 of class 1
LABELS = np.arange(12) % 2


@pytest.fixture
def decided(workspace: Workspace) -> Dataset:
    """A set on which two people decided, one step of which was undone."""
    dataset = write_dataset(workspace, IMAGES, LABELS)
    review.decide(workspace, dataset.id, {1: ("drop", None), 2: ("keep", None)}, who="Ada", reason="smear")
    review.decide(workspace, dataset.id, {3: ("drop", None)}, who="Ben")
    review.undo(workspace, dataset.id, who="Ben")
    review.decide(
        workspace, dataset.id, {4: ("relabel", 1), 2: ("drop", None)}, who="Ben", check="blur", threshold=9
    )
    review.decide(workspace, dataset.id, {9: ("drop", None), 11: ("relabel", 0)}, who="Ada")
    return dataset


@pytest.fixture
def log(workspace: Workspace, decided: Dataset, tmp_path: Path) -> Path:
    path = tmp_path / "decisions.csv"
    export_decisions_csv(workspace, decided.id, path)
    return path


def content(workspace: Workspace, dataset: Dataset) -> list[tuple[str, int]]:
    """Pixels and label of everything in the clean set, sorted."""
    clean = clean_set(workspace, dataset.id)
    ids = load_table(workspace, dataset.id)["image_id"].to_numpy()[clean.rows]
    return sorted(
        (image.partition("-")[0], label) for image, label in zip(ids, clean.labels.tolist(), strict=True)
    )


def test_the_same_import_in_a_fresh_workspace_gets_the_same_clean_set(
    workspace: Workspace, decided: Dataset, log: Path, tmp_path: Path
) -> None:
    fresh = Workspace(tmp_path / "fresh")
    write_dataset(fresh, IMAGES, LABELS)
    apply_replay(fresh, plan_replay(fresh, decided.id, log), who="Cyd")
    assert clean_set(fresh, decided.id).id == clean_set(workspace, decided.id).id


@pytest.mark.parametrize("seed", range(8))
def test_shuffled_rows_get_the_same_decisions(
    workspace: Workspace, decided: Dataset, log: Path, tmp_path: Path, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(12)
    fresh = Workspace(tmp_path / "fresh")
    moved = write_dataset(fresh, IMAGES[order], LABELS[order])
    assert moved.id != decided.id
    plan = plan_replay(fresh, moved.id, log)
    assert (len(plan.verdicts), plan.unchanged, plan.unknown) == (5, 0, ())
    assert apply_replay(fresh, plan, who="Cyd") == 5
    assert content(fresh, moved) == content(workspace, decided)
    # Exported and imported once more, nothing is lost, and nothing is left to do.
    export_decisions_csv(fresh, moved.id, tmp_path / "again.csv")
    again = plan_replay(workspace, decided.id, tmp_path / "again.csv")
    assert again.verdicts == {}
    assert again.unchanged == 5


def test_the_plan_says_what_would_happen_and_changes_nothing(
    workspace: Workspace, log: Path, tmp_path: Path
) -> None:
    fresh = Workspace(tmp_path / "fresh")
    part = write_dataset(fresh, IMAGES[1:9], LABELS[1:9])
    review.decide(fresh, part.id, {0: ("drop", None)}, who="Cyd")
    plan = plan_replay(fresh, part.id, log)
    assert plan.effect == {"keep": {}, "drop": {"class 0": 1}, "relabel": {"class 0": 1}}
    assert plan.unchanged == 1
    assert len(plan.unknown) == 2
    assert len(review.decision_log(fresh, part.id)) == 1


def test_a_surplus_copy_is_not_taken_for_the_only_one(
    workspace: Workspace, log: Path, tmp_path: Path
) -> None:
    fresh = Workspace(tmp_path / "fresh")
    single = write_dataset(fresh, IMAGES[:9], LABELS[:9])
    apply_replay(fresh, plan_replay(fresh, single.id, log), who="Cyd")
    assert 0 not in review.effective_decisions(fresh, single.id)


def test_it_is_one_step_and_keeps_who_when_and_why(
    workspace: Workspace, decided: Dataset, log: Path, tmp_path: Path
) -> None:
    fresh = Workspace(tmp_path / "fresh")
    dataset = write_dataset(fresh, IMAGES, LABELS)
    apply_replay(fresh, plan_replay(fresh, dataset.id, log), who="Cyd")
    lines = {line.row: line for line in review.decision_log(fresh, dataset.id)}
    originals = review.effective_decisions(workspace, decided.id)
    assert {line.who for line in lines.values()} == {"Cyd"}
    assert {row: origin(line) for row, line in lines.items()} == {
        row: (line.who, line.at) for row, line in originals.items()
    }
    assert lines[1].reason.startswith("smear (decided by Ada, ")
    assert (lines[2].check, lines[2].threshold, lines[1].threshold) == ("blur", 9.0, None)
    assert review.undo(fresh, dataset.id, who="Cyd", only_by="Cyd") == 5
    assert review.effective_decisions(fresh, dataset.id) == {}


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (f"{'0' * 20},drop,,", "None of the 1 images"),
        (f"{'0' * 20},relabel,unicorn,", "line 2: there is no class 'unicorn' (there are class 0, class 1)"),
    ],
)
def test_what_does_not_fit_the_data_set_is_refused(
    workspace: Workspace, decided: Dataset, tmp_path: Path, line: str, hint: str
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"image_id,action,label,reason\n{line}\n")
    with pytest.raises(WbcError) as caught:
        plan_replay(workspace, decided.id, path)
    assert hint in str(caught.value)


def test_a_check_that_is_gone_does_not_stop_the_decision(
    workspace: Workspace, decided: Dataset, tmp_path: Path
) -> None:
    pixels: NDArray[np.object_] = load_table(workspace, decided.id)["image_id"].to_numpy()
    path = tmp_path / "in.csv"
    path.write_text(f"image_id,action,label,check\n{pixels[5]},drop,,smell\n")
    plan = plan_replay(workspace, decided.id, path)
    assert [made.check for made in plan.verdicts[5]] == [None]


def test_what_stands_under_each_check_is_taken_over(workspace: Workspace, tmp_path: Path) -> None:
    dataset = write_dataset(workspace, IMAGES, LABELS)
    review.decide(workspace, dataset.id, {5: ("drop", None)}, who="Ada", check="exact_duplicates")
    review.decide(workspace, dataset.id, {5: ("keep", None), 6: ("keep", None)}, who="Ben", check="blur")
    review.decide(workspace, dataset.id, {6: ("relabel", 1)}, who="Ben", check="label_errors")
    path, fresh = tmp_path / "log.csv", Workspace(tmp_path / "fresh")
    export_decisions_csv(workspace, dataset.id, path)
    write_dataset(fresh, IMAGES, LABELS)
    plan = plan_replay(fresh, dataset.id, path)
    assert plan.effect == {"keep": {}, "drop": {"class 1": 1}, "relabel": {"class 0": 1}}
    assert apply_replay(fresh, plan, who="Cyd") == 2
    assert clean_set(fresh, dataset.id).id == clean_set(workspace, dataset.id).id
    read = [brought_up_to_date(lab, dataset, nothing_decided(dataset)) for lab in (workspace, fresh)]
    for check in ("blur", "exact_duplicates", "label_errors"):
        assert read[0].under[check].tolist() == read[1].under[check].tolist()
    assert plan_replay(fresh, dataset.id, path).verdicts == {}
    # What somebody here drops under another check stays dropped.
    review.decide(fresh, dataset.id, {6: ("drop", None)}, who="Cyd", check="exposure")
    review.undo(workspace, dataset.id, who="Ben")
    export_decisions_csv(workspace, dataset.id, path)
    assert plan_replay(fresh, dataset.id, path).verdicts == {}


@pytest.mark.parametrize("later", ["keep,", "relabel,class 0"])
def test_what_stands_under_a_check_that_is_gone_overrides_nothing(
    workspace: Workspace, tmp_path: Path, later: str
) -> None:
    dataset = write_dataset(workspace, IMAGES, LABELS)
    image = load_table(workspace, dataset.id)["image_id"][5]
    path = tmp_path / "in.csv"
    lines = [f"1,{image},drop,,blur", f"2,{image},{later},smell"]
    path.write_text("\n".join(["id,image_id,action,label,check", *lines, ""]))
    assert [(made.action, made.check) for made in plan_replay(workspace, dataset.id, path).verdicts[5]] == [
        ("drop", "blur")
    ]
