"""Relaunching a run after decisions: what changes, what is queued, and the comparison on common images."""

import numpy as np
import pytest

from tests.results_lab import RUN, add_report, add_run, build_dataset, build_split
from wbc_core.augment.prepare import load_prepared
from wbc_core.curation.review import decide, head
from wbc_core.errors import WbcError
from wbc_core.evaluation.reports import load_predictions
from wbc_core.jobs import queue, relaunch
from wbc_core.progress import silent
from wbc_core.splitting import load_split, split_table
from wbc_core.training.runs import Run, load_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace) -> Run:
    _, prepared = build_split(workspace, build_dataset(workspace))
    made = add_run(workspace, prepared, RUN, seed=5, learning_rate=0.002)
    add_report(workspace, made, right=0.7)
    return made


def test_without_changes_nothing_is_launched(workspace: Workspace, run: Run) -> None:
    decide(workspace, run.dataset, {0: ("keep", None)}, who="Ada")
    assert relaunch.foresee_relaunch(workspace, RUN).images == 0
    with pytest.raises(WbcError, match="was dropped or relabelled since"):
        relaunch.relaunch_spec(workspace, RUN, head(workspace, run.dataset))
    assert queue.list_jobs(workspace) == []


def test_the_same_spec_is_queued_on_the_new_clean_set(workspace: Workspace, run: Run) -> None:
    table = split_table(workspace, run.split)
    learnt, held_out = (table[table["part"] == part]["row"].tolist() for part in ("train", "validation"))
    decide(workspace, run.dataset, {learnt[0]: ("drop", None), held_out[0]: ("relabel", 2)}, who="Ada")
    with pytest.raises(WbcError, match="no such priority"):
        relaunch.relaunch_spec(workspace, RUN, head(workspace, run.dataset), priority="urgent")
    spec = relaunch.relaunch_spec(workspace, RUN, head(workspace, run.dataset), priority="low")
    # What is decided while the job waits is for the next one.
    decide(workspace, run.dataset, {learnt[1]: ("drop", None)}, who="Ada")
    made = relaunch.run_relaunch(workspace, "", spec, silent)
    assert relaunch.run_relaunch(workspace, "", spec, silent) == made
    (job,) = queue.list_jobs(workspace)
    assert (job.id, job.kind, job.priority) == (made["run"], "train", "low")
    assert job.spec["clones"] == RUN
    again = RunSpec.from_json(job.spec)
    assert again.prepared == made["prepared"] != run.prepared
    assert RunSpec.from_json({**again.to_json(), "prepared": run.prepared}) == run.spec
    assert load_prepared(workspace, again.prepared).recipe == load_prepared(workspace, run.prepared).recipe
    assert load_split(workspace, made["split"]).keeps == run.split
    assert len(split_table(workspace, made["split"])) == len(table) - 1
    assert made["changes"]["dropped"] == {"train": 1, "validation": 0}
    assert [entry.id for entry in relaunch.relaunches_of(workspace, RUN)] == [job.id]
    assert relaunch.relaunched_run(workspace, job.id) == RUN
    assert relaunch.relaunched_run(workspace, RUN) is None
    # One that was cancelled does not stand in the way of another.
    clean = load_split(workspace, made["split"]).clean
    assert relaunch.relaunched_with(workspace, RUN, clean) == job
    queue.cancel(workspace, job.id)
    assert relaunch.relaunched_with(workspace, RUN, clean) is None
    assert relaunch.run_relaunch(workspace, "", spec, silent)["run"] != job.id


def test_both_are_compared_on_what_both_hold_out_under_the_new_labels(workspace: Workspace, run: Run) -> None:
    old = load_predictions(workspace, RUN)
    wrong = old[old["label"] != old["predicted"]]
    fixed, gone = (int(row) for row in wrong["row"][:2])
    predicted = int(wrong["predicted"].iloc[0])
    decide(workspace, run.dataset, {fixed: ("relabel", predicted), gone: ("drop", None)}, who="Ada")
    spec = relaunch.relaunch_spec(workspace, RUN, head(workspace, run.dataset))
    made = relaunch.run_relaunch(workspace, "", spec, silent)
    with pytest.raises(WbcError, match="relaunches no run"):
        relaunch.relaunch_comparison(workspace, RUN)
    again = add_run(workspace, load_prepared(workspace, made["prepared"]), made["run"], seed=5)
    add_report(workspace, again, right=0.9, seed=3)
    found = relaunch.relaunch_comparison(workspace, made["run"])
    new = load_predictions(workspace, made["run"])
    kept = old[old["row"] != gone].reset_index(drop=True)
    assert found["images"] == len(old) - 1
    assert found["accuracy_before"] == pytest.approx((kept["predicted"] == new["label"]).mean())
    assert found["accuracy_after"] == pytest.approx((new["predicted"] == new["label"]).mean())
    assert found["difference"] == pytest.approx(found["accuracy_after"] - found["accuracy_before"])
    # Its report showed the run before's errors first: changing these favours it, and no test can mend that.
    assert (found["difference_ci"], found["p"]) == (None, None)
    assert "favours the run before" in found["words"]
    assert np.isclose(
        (kept["predicted"] == kept["label"]).sum() + 1, (kept["predicted"] == new["label"]).sum()
    )
    assert load_run(workspace, made["run"]).split == made["split"]


def test_where_only_train_images_changed_the_two_are_tested(workspace: Workspace, run: Run) -> None:
    table = split_table(workspace, run.split)
    learnt = int(table[table["part"] == "train"]["row"].iloc[0])
    decide(workspace, run.dataset, {learnt: ("drop", None)}, who="Ada")
    assert "same held-out images" in relaunch.what_it_means(relaunch.foresee_relaunch(workspace, RUN))
    spec = relaunch.relaunch_spec(workspace, RUN, head(workspace, run.dataset))
    made = relaunch.run_relaunch(workspace, "", spec, silent)
    again = add_run(workspace, load_prepared(workspace, made["prepared"]), made["run"], seed=5)
    add_report(workspace, again, right=0.9, seed=3)
    found = relaunch.relaunch_comparison(workspace, made["run"])
    low, high = found["difference_ci"]
    assert low <= found["difference"] <= high
    assert "the run before" in found["words"]
