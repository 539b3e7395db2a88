"""Comparisons: paired on the same images, said in words, refused where they would mislead."""

import subprocess
import sys

import pytest

from tests.results_lab import add_report, add_run, build_dataset, build_split
from wbc_core.errors import WbcError
from wbc_core.evaluation.compare import compare
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


def test_runs_of_different_splits_are_refused(workspace: Workspace, prepared: PreparedSet) -> None:
    other = build_split(workspace, build_dataset(workspace, per_class=(200, 150, 100)), seed=1)[1]
    add_report(workspace, add_run(workspace, prepared, ONE), right=0.9)
    add_report(workspace, add_run(workspace, other, TWO), right=0.9)
    with pytest.raises(WbcError, match="different splits"):
        compare(workspace, [ONE, TWO])


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
