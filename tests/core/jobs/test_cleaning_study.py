"""What cleaning buys: raw and clean train parts, the same held-out images, the same spec and seeds."""

import numpy as np
import pytest

from tests.results_lab import RUN, add_run, build_dataset, build_split, train_study
from wbc_core.augment.prepare import load_prepared, open_prepared
from wbc_core.curation.review import decide
from wbc_core.errors import WbcError
from wbc_core.jobs import queue
from wbc_core.jobs.balance_study import asked_by_run
from wbc_core.jobs.cleaning_study import plan_cleaning_study, run_cleaning_study, start_cleaning_study
from wbc_core.jobs.paired_study import CLEANING, list_studies, newest_run, study_runs
from wbc_core.jobs.relaunch import foresee_relaunch
from wbc_core.jobs.study_comparison import study_comparison
from wbc_core.progress import silent
from wbc_core.records import Job
from wbc_core.splitting import load_split, split_table
from wbc_core.training.runs import Run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace) -> Run:
    dataset = build_dataset(workspace)
    decide(workspace, dataset.id, {0: ("drop", None), 1: ("drop", None), 35: ("relabel", 0)}, who="Ada")
    _, prepared = build_split(workspace, dataset)
    return add_run(workspace, prepared, RUN, seed=9, learning_rate=0.004, label_smoothing=0.1)


def done(workspace: Workspace, job: Job) -> dict:
    """What the study's job returns, written down as a worker would."""
    claimed, claim = queue.claim_next(workspace, [CLEANING], "cpu")
    result = run_cleaning_study(workspace, claimed.id, claimed.spec, silent)
    queue.finish(workspace, claimed.id, claim, "succeeded", result=result)
    assert claimed.id == job.id
    return result


def test_both_ways_share_spec_seeds_and_held_out_images(workspace: Workspace, run: Run) -> None:
    assert newest_run(workspace, run.dataset) == RUN
    plan = plan_cleaning_study(workspace, RUN, (0, 1))
    assert (plan.raw.dropped, plan.raw.left_out) == (1, 0)
    assert plan.images["raw"] == plan.images["clean"] + 1
    assert plan.seconds > 0
    assert queue.list_jobs(workspace) == []
    job = start_cleaning_study(workspace, RUN, (0, 1))
    result = done(workspace, job)
    assert run_cleaning_study(workspace, job.id, job.spec, silent) == result
    sets = {way: load_prepared(workspace, identifier) for way, identifier in result["prepared"].items()}
    assert {way: entry.images for way, entry in sets.items()} == plan.images
    # The clean set is the run's own, so that nothing is prepared twice.
    assert sets["clean"].id == run.prepared
    assert sets["raw"].recipe.name == "plain-raw"
    labels = open_prepared(workspace, sets["raw"].id)[1]
    assert np.bincount(labels).tolist() == load_split(workspace, sets["raw"].split).parts["train"]
    held = [
        table[table["part"] != "train"].reset_index(drop=True)[["row", "label", "part"]]
        for table in (split_table(workspace, entry.split) for entry in sets.values())
    ]
    assert held[0].equals(held[1])
    for way, jobs in study_runs(workspace, job.id).items():
        for entry, seed in zip(jobs, (0, 1), strict=True):
            spec = RunSpec.from_json({**entry.spec, "prepared": run.prepared, "seed": 9})
            assert (spec, entry.spec["seed"]) == (run.spec, seed)
            assert entry.spec["prepared"] == result["prepared"][way]
    assert [study.id for study in list_studies(workspace, CLEANING, run.split)] == [job.id]


def test_the_difference_is_told_with_intervals_over_images_and_over_seeds(
    workspace: Workspace, run: Run
) -> None:
    job = start_cleaning_study(workspace, RUN, (0, 1, 2))
    with pytest.raises(WbcError, match="not prepared"):
        study_comparison(workspace, job.id)
    raw, *_ = train_study(workspace, {"raw": (0.5, 0.55, 0.5), "clean": (0.9, 0.95, 1.1)})
    found = study_comparison(workspace, job.id)
    assert found["kind"] == CLEANING
    assert [entry["way"] for entry in found["ways"]] == ["raw", "clean"]
    (difference,) = found["differences"]
    means = {entry["way"]: entry["accuracy"] for entry in found["ways"]}
    assert difference["accuracy"] == pytest.approx(means["clean"] - means["raw"])
    assert np.mean(difference["by_seed"]) == pytest.approx(difference["accuracy"])
    assert difference["words"].startswith("The clean set is better than the raw images: accuracy +")
    low, high = difference["seeds_ci"]
    assert difference["words"].endswith(f"; over 3 seeds {100 * low:+.1f} to {100 * high:+.1f}")
    assert low < difference["accuracy"] < high
    with pytest.raises(WbcError, match="raw images of a study"):
        foresee_relaunch(workspace, raw)
    with pytest.raises(WbcError, match="on the raw images"):
        plan_cleaning_study(workspace, raw, (0,))


def test_without_cleaning_or_a_run_there_is_no_study(workspace: Workspace) -> None:
    dataset = build_dataset(workspace)
    with pytest.raises(WbcError, match="No run on this data set"):
        newest_run(workspace, dataset.id)
    add_run(workspace, build_split(workspace, dataset)[1], RUN)
    with pytest.raises(WbcError, match="no image was dropped or relabelled"):
        start_cleaning_study(workspace, RUN, (0,))
    with pytest.raises(WbcError, match="1 to 10 different"):
        start_cleaning_study(workspace, RUN, (0, 0))
    assert queue.list_jobs(workspace) == []


def test_a_study_of_balance_takes_the_spec_of_a_run(workspace: Workspace, run: Run) -> None:
    split, backbone, recipe, settings = asked_by_run(workspace, RUN)
    assert (split.id, backbone, recipe.name) == (run.split, "cnn", "plain")
    assert RunSpec.parse(run.prepared, backbone, {**settings, "seed": "9"}) == run.spec
