"""The commands that train again: what they say, what they queue, what they refuse."""

from tests.core.test_command_line import answer, called
from tests.results_lab import RUN, add_report, add_run, build_dataset, build_split, train_study
from wbc_core.jobs import queue
from wbc_core.workspace import Workspace


def test_relaunch_says_what_changes_before_it_queues_a_run(workspace: Workspace) -> None:
    dataset = build_dataset(workspace)
    split, prepared = build_split(workspace, dataset)
    add_report(workspace, add_run(workspace, prepared, RUN), right=0.7)
    home = workspace.home
    nothing = answer(home, "relaunch", RUN)
    assert (nothing["run"], nothing["words"]) == (None, "No image of the split was changed.")
    answer(home, "decide", dataset.id, "--drop", "0-2")
    foreseen = answer(home, "relaunch", RUN, "--dry-run")
    assert sum(foreseen["changes"]["dropped"].values()) == 3
    assert foreseen["run"] is None
    assert queue.list_jobs(workspace) == []
    made = answer(home, "relaunch", RUN)
    assert made["changes"] == foreseen["changes"]
    (job,) = queue.list_jobs(workspace)
    assert (job.id, job.kind, job.spec["prepared"]) == (made["run"], "train", made["prepared"])
    assert made["split"] != split.id
    assert called(home, "relaunch", "job-gone").returncode == 2


def test_a_study_is_foreseen_queued_and_shown(workspace: Workspace) -> None:
    dataset = build_dataset(workspace)
    home = workspace.home
    answer(home, "decide", dataset.id, "--drop", "0,1", "--by", "Ada")
    add_run(workspace, build_split(workspace, dataset)[1], RUN)
    foreseen = answer(home, "cleaning-study", dataset.name, "--seeds", 2, "--dry-run")
    assert (foreseen["run"], foreseen["runs_to_train"], foreseen["study"]) == (RUN, 4, None)
    assert foreseen["images"]["raw"] == foreseen["images"]["clean"] + 1
    assert queue.list_jobs(workspace) == []
    study = answer(home, "cleaning-study", RUN, "--seeds", 2)["study"]
    assert answer(home, "cleaning-study", study) == {"study": study, "runs": {}, "comparison": None}
    train_study(workspace, {"raw": (0.5, 0.6), "clean": (0.9, 0.95)})
    found = answer(home, "cleaning-study", study)
    assert [len(runs) for runs in found["runs"].values()] == [2, 2]
    assert found["comparison"]["differences"][0]["accuracy"] > 0
    again = answer(home, "balance-study", RUN, "--plans", "none,smote", "--seeds", 1, "--dry-run")
    assert (again["plans"], again["runs_to_train"]) == (["none", "smote"], 2)
    assert called(home, "balance-study", RUN, "--plans", "none,smoke").returncode == 2
    assert called(home, "cleaning-study", "nothing").returncode == 2
