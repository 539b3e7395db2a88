"""The commands that train again: what they say, what they queue, what they refuse."""

from tests.core.test_command_line import answer, called
from tests.results_lab import RUN, add_report, add_run, build_dataset, build_split
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
