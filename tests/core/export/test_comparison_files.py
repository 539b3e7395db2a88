"""A comparison as HTML, LaTeX and CSV: whole, escaped, and loading nothing."""

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from tests.results_lab import add_report, add_run, build_dataset, build_split
from wbc_core.errors import WbcError
from wbc_core.evaluation.compare import compare_splits
from wbc_core.export import svg
from wbc_core.export.comparison_files import comparison_text, write_comparison
from wbc_core.records import Json
from wbc_core.workspace import Workspace

ONE, TWO, THREE = "job-00000000000a", "job-00000000000b", "job-00000000000c"
NASTY = r"<script>alert(1)</script> a_b & 5 % \input{x} $"


@pytest.fixture
def comparisons(workspace: Workspace) -> list[Json]:
    prepared = build_split(workspace, build_dataset(workspace, per_class=(40, 30, 20)))[1]
    for number, (run_id, right) in enumerate(((ONE, 0.6), (TWO, 0.7), (THREE, 0.95))):
        backbone = "cnn" if number < 2 else "wbcnet"
        run = add_run(workspace, prepared, run_id, backbone=backbone, seed=number % 2)
        add_report(workspace, run, right=right, seed=number)
    found = compare_splits(workspace, [ONE, TWO, THREE])
    # Names come from recipes and class folders: what a person typed.
    for entry in (found[0]["runs"][0], found[0]["groups"][0], found[0]["group_pairs"][0]):
        entry["name" if "name" in entry else "a"] = NASTY
    return found


def test_the_document_holds_everything_and_loads_nothing(
    workspace: Workspace, comparisons: list[Json], tmp_path: Path
) -> None:
    write_comparison(workspace, comparisons, tmp_path / "comparison.html")
    html = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"\b(src|href|url)\s*[=(]", html)
    assert "default-src 'none'" in html
    for words in (comparisons[0]["group_pairs"][0]["words"].split(":")[0], "2 seeds", "On the Pareto front"):
        assert words in html
    drawings = re.findall(r"<svg.*?</svg>", html)
    # Differences, two costs, three classes, curves, three matrices; latency was not measured.
    assert len(drawings) == 10
    for drawing in drawings:
        assert "nan" not in drawing
        ElementTree.fromstring(drawing)  # noqa: S314


def test_tables_are_escaped_latex(workspace: Workspace, comparisons: list[Json]) -> None:
    text = comparison_text(workspace, comparisons, "tex")
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == text.count(r"\caption") == 5
    assert r"a\_b \& 5 \% \textbackslash{}input\{x\} \$" in text
    for table in re.findall(r"\\begin\{tabular\}\{(l?r*)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        lines = [line for line in table[1].splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(table[0]) - 1}


def test_all_entries_are_one_csv_table(workspace: Workspace, comparisons: list[Json]) -> None:
    table = pd.read_csv(io.StringIO(comparison_text(workspace, comparisons, "csv")))
    assert table["table"].value_counts().to_dict() == {"runs": 3, "pairs": 3, "groups": 2, "group_pairs": 1}
    pair = table[table["table"] == "pairs"].iloc[0]
    assert pair["accuracy_difference"] == pytest.approx(comparisons[0]["pairs"][0]["accuracy_difference"])
    with pytest.raises(WbcError, match=r"\*\.html, \*\.tex, \*\.csv"):
        comparison_text(workspace, comparisons, "pdf")


def test_one_value_alone_can_be_drawn() -> None:
    for drawing in (
        svg.intervals({"a": (1.0, 1.0, 1.0)}, "accuracy"),
        svg.points({"a": (10.0, (1.0, 1.0, 1.0))}, ["a"], ("cost", "accuracy")),
        svg.curves({"a": ([1], [0.5])}, ("epoch", "accuracy")),
        svg.matrix([[0]], ["a"], "empty"),
    ):
        assert "nan" not in drawing
        ElementTree.fromstring(drawing)  # noqa: S314
