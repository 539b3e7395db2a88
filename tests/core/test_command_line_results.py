"""The commands that say more of a run, on reports that nobody had to train."""

from pathlib import Path

from tests.core.test_command_line import answer, called
from tests.results_lab import NAMES, RUN, add_report, add_run, build_dataset, build_split
from wbc_core.evaluation.mixup_costs import costs_as_csv, missing_costs
from wbc_core.workspace import Workspace


def test_costs_are_set_from_a_file_and_written_to_one(workspace: Workspace, tmp_path: Path) -> None:
    run = add_run(workspace, build_split(workspace, build_dataset(workspace))[1], RUN)
    report = add_report(workspace, run, right=0.7)
    file, out = tmp_path / "costs.csv", tmp_path / "out.csv"
    file.write_text(costs_as_csv(missing_costs(3, 1, 5), NAMES), encoding="utf-8")
    costs = answer(workspace.home, "costs", RUN, "--set", file, "--out", out)
    assert costs["most_probable"] > 100 * (1 - report["accuracy"])
    assert out.read_text(encoding="utf-8") == file.read_text(encoding="utf-8")
    assert answer(workspace.home, "costs", RUN) == costs
    file.write_text("nothing", encoding="utf-8")
    refused = called(workspace.home, "costs", RUN, "--set", file)
    assert refused.returncode == 2
    assert "no table of costs" in refused.stderr
    assert answer(workspace.home, "costs", RUN, "--part", "validation") == costs
