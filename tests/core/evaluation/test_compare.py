"""Comparisons: paired on the same images, said in words, refused where they would mislead."""

import subprocess
import sys

import numpy as np
import pytest

from tests.results_lab import NAMES, add_report, add_run, build_dataset, build_split
from wbc_core.errors import WbcError
from wbc_core.evaluation.compare import compare
from wbc_core.evaluation.cost_decisions import report_costs
from wbc_core.evaluation.mixup_costs import keep_costs, missing_costs
from wbc_core.records import PreparedSet
from wbc_core.workspace import Workspace

ONE, TWO, THREE = "job-00000000000a", "job-00000000000b", "job-00000000000c"


@pytest.fixture
def prepared(workspace: Workspace) -> PreparedSet:
    return build_split(workspace, build_dataset(workspace, per_class=(200, 150, 100)))[1]


def test_a_clear_difference_is_said_as_one(workspace: Workspace, prepared: PreparedSet) -> None:
    add_report(workspace, add_run(workspace, prepared, ONE, backbone="cnn"), right=0.6)
    add_report(
        workspace, add_run(workspace, prepared, TWO, backbone="mobilenet_v3_small"), right=0.95, seed=1
    )
    result = compare(workspace, [ONE, TWO])
    pair = result["pairs"][0]
    assert pair["words"].startswith(
        "mobilenet_v3_small is better than cnn: p < .001; mobilenet_v3_small - cnn = +"
    )
    assert pair["accuracy_difference_ci"][0] > 0
    assert pair["only_b_right"] > pair["only_a_right"]
    assert result["runs"][0]["accuracy_ci"][0] < result["runs"][0]["accuracy"]
    turned = compare(workspace, [TWO, ONE])["pairs"][0]
    assert turned["words"] == pair["words"]
    assert turned["accuracy_difference"] == -pair["accuracy_difference"]


def test_costs_of_mixups_stand_beside_where_the_lab_has_set_them(
    workspace: Workspace, prepared: PreparedSet
) -> None:
    for run_id, right in ((ONE, 0.6), (TWO, 0.9)):
        add_report(workspace, add_run(workspace, prepared, run_id), right=right)
    assert [run["mixup_cost"] for run in compare(workspace, [ONE, TWO])["runs"]] == [None, None]
    keep_costs(workspace, missing_costs(3, 0, 5), NAMES)
    one, two = compare(workspace, [ONE, TWO])["runs"]
    assert one["mixup_cost_ci"][0] < one["mixup_cost"] < one["mixup_cost_ci"][1]
    assert one["mixup_cost"] == report_costs(workspace, ONE)["most_probable"] > two["mixup_cost"]


def test_no_difference_is_said_as_none(workspace: Workspace, prepared: PreparedSet) -> None:
    for run_id, seed in ((ONE, 0), (TWO, 1)):
        add_report(workspace, add_run(workspace, prepared, run_id, seed=seed), right=0.9, seed=seed)
    result = compare(workspace, [ONE, TWO])
    words = result["pairs"][0]["words"]
    assert "cnn (seed 0) and cnn (seed 1): no difference shown (p = " in words
    assert "points" in words
    assert result["differing"] == {"seed": {ONE: 0, TWO: 1}}
    assert result["runs"][1]["settings"] == {"seed": 1}


def test_three_runs_are_adjusted_for_three_tests(workspace: Workspace, prepared: PreparedSet) -> None:
    for run_id, right in ((ONE, 0.85), (TWO, 0.9), (THREE, 0.8)):
        add_report(workspace, add_run(workspace, prepared, run_id), right=right, seed=int(right * 100))
    pairs = compare(workspace, [ONE, TWO, THREE])["pairs"]
    assert [(pair["a"], pair["b"]) for pair in pairs] == [(ONE, TWO), (ONE, THREE), (TWO, THREE)]
    assert all(pair["holm_p"] >= pair["mcnemar_p"] for pair in pairs)
    alone = compare(workspace, [ONE, TWO])["pairs"][0]
    assert alone["accuracy_difference_ci"] == pairs[0]["accuracy_difference_ci"]


def test_runs_of_different_splits_are_compared_apart(workspace: Workspace, prepared: PreparedSet) -> None:
    other = build_split(workspace, build_dataset(workspace, per_class=(200, 150, 100)), seed=1)[1]
    for run_id, learnt, right in ((ONE, prepared, 0.9), (TWO, other, 0.6), (THREE, prepared, 0.5)):
        add_report(workspace, add_run(workspace, learnt, run_id), right=right)
    result = compare(workspace, [ONE, TWO, THREE])
    first, second = result["comparisons"]
    assert first == compare(workspace, [ONE, THREE])
    assert [run["run"] for run in second["runs"]] == [TWO]
    assert second["pairs"] == second["group_pairs"] == []
    assert "no paired test applies" in result["apart"]
    assert result["apart"].endswith(f"Alone on their split: {TWO}.")


def test_seeds_are_pooled_and_only_what_differs_is_told(workspace: Workspace, prepared: PreparedSet) -> None:
    ids = [f"job-00000000001{number}" for number in range(5)]
    rights = (0.7, 0.75, 0.8, 0.97, 0.95)
    for number, (run_id, right) in enumerate(zip(ids, rights, strict=True)):
        settings = {"seed": number % 3, "learning_rate": 0.01 if number < 3 else 0.02}
        add_report(workspace, add_run(workspace, prepared, run_id, **settings), right=right, seed=number)
    result = compare(workspace, ids[::-1])
    second, first = result["groups"]
    assert (first["name"], second["name"]) == ("cnn (learning rate 0.01)", "cnn (learning rate 0.02)")
    assert (first["runs"], first["seeds"], first["pooled"]) == (ids[:3], [0, 1, 2], "3 seeds")
    assert first["settings"] == {"learning_rate": 0.01}
    accuracies = [run["accuracy"] for run in result["runs"] if run["run"] in first["runs"]]
    assert first["accuracy"] == pytest.approx(np.mean(accuracies))
    assert first["accuracy_sd"] == pytest.approx(np.std(accuracies, ddof=1))
    assert first["accuracy_range"] == [min(accuracies), max(accuracies)]
    assert first["accuracy_ci"][0] < first["accuracy"] < first["accuracy_ci"][1]
    (pair,) = result["group_pairs"]
    assert (pair["a"], pair["b"]) == (second["name"], first["name"])
    assert pair["words"].startswith(f"{second['name']} is better than {first['name']}: p < .001")
    assert pair["accuracy_difference"] == pytest.approx(first["accuracy"] - second["accuracy"])
    assert pair["method"] == "sign flips over images"
    # With all the seeds of both in it, the order of the runs changes no digit.
    assert compare(workspace, ids)["group_pairs"][0]["accuracy_difference_ci"] == [
        -end for end in pair["accuracy_difference_ci"][::-1]
    ]


def test_one_seed_each_is_tested_by_mcnemar_in_groups_too(
    workspace: Workspace, prepared: PreparedSet
) -> None:
    add_report(workspace, add_run(workspace, prepared, ONE, backbone="cnn"), right=0.6)
    add_report(workspace, add_run(workspace, prepared, TWO, backbone="wbcnet", seed=3), right=0.8, seed=1)
    result = compare(workspace, [ONE, TWO])
    (pair,), (of_groups,) = result["pairs"], result["group_pairs"]
    assert (of_groups["p"], of_groups["words"]) == (pair["mcnemar_p"], pair["words"])
    assert [group["pooled"] for group in result["groups"]] == ["one seed"] * 2
    assert result["groups"][0]["accuracy_ci"] == result["runs"][0]["accuracy_ci"]
    assert result["groups"][0]["accuracy_sd"] is None


def test_no_two_runs_share_a_name(workspace: Workspace, prepared: PreparedSet) -> None:
    for run_id, rate in ((ONE, 0.01), (TWO, 0.01), (THREE, 0.02)):
        add_report(workspace, add_run(workspace, prepared, run_id, learning_rate=rate), right=0.9)
    result = compare(workspace, [ONE, TWO, THREE])
    assert [group["pooled"] for group in result["groups"]] == ["2 runs", "one seed"]
    names = [run["name"] for run in result["runs"]]
    assert names == [f"cnn {ONE}", f"cnn {TWO}", "cnn (learning rate 0.02)"]


def test_what_cannot_be_compared_says_how_to_go_on(workspace: Workspace, prepared: PreparedSet) -> None:
    add_report(workspace, add_run(workspace, prepared, ONE), right=0.9)
    add_run(workspace, prepared, TWO)
    with pytest.raises(WbcError, match=f"wbc evaluate {TWO}"):
        compare(workspace, [ONE, TWO])
    with pytest.raises(WbcError, match="at least two different runs"):
        compare(workspace, [ONE, ONE])
    with pytest.raises(WbcError, match="at least two different runs"):
        compare(workspace, [ONE])


def test_comparing_imports_neither_tensorflow_nor_sklearn() -> None:
    code = (
        "import sys, wbc_core.evaluation.compare, wbc_core.evaluation.report, wbc_core.export.writing, "
        "wbc_core.evaluation.predictions\n"
        "print([name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
