"""A comparison as a file to take along: HTML, LaTeX or CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from wbc_core.errors import WbcError
from wbc_core.evaluation.browsing import flat_table
from wbc_core.evaluation.compare import apart_in_words
from wbc_core.evaluation.reports import complete_report
from wbc_core.export.comparison_html import as_html
from wbc_core.export.comparison_latex import as_latex
from wbc_core.export.comparison_tables import comparison_sections
from wbc_core.records import Json
from wbc_core.training.runs import history
from wbc_core.workspace import Workspace, whole_file

KINDS = ("html", "tex", "csv")
"""Suffixes that a comparison can be written with."""

_TABLES = ("runs", "groups", "pairs", "group_pairs")


def _reports(workspace: Workspace, comparison: Json) -> Mapping[str, Json]:
    part = comparison["part"]
    return {run["run"]: complete_report(workspace, run["run"], part) for run in comparison["runs"]}


def comparison_text(workspace: Workspace, comparisons: Sequence[Json], kind: str) -> str:
    """Write comparisons as the text of one file.

    Args:
        workspace: Where the runs' reports and histories are.
        comparisons: Of `compare_splits`.
        kind: One of `KINDS`: a document with figures that loads nothing; all tables as LaTeX; or all entries
            as CSV, whose column `table` says which of `runs`, `groups`, `pairs`, `group_pairs` a line is of.

    Raises:
        WbcError: There is no such kind.
    """
    if kind not in KINDS:
        raise WbcError(
            "A comparison cannot be written like that.",
            expected=f"a file named {', '.join(f'*.{known}' for known in KINDS)}",
            got=f"*.{kind}",
        )
    if kind == "csv":
        tables = [
            flat_table(comparison[table]).assign(table=table, split=comparison["split"])
            for comparison in comparisons
            for table in _TABLES
            if comparison[table]
        ]
        whole = pd.concat(tables, ignore_index=True)
        first = ["table", "split"]
        return str(whole[first + [name for name in whole.columns if name not in first]].to_csv(index=False))
    if kind == "tex":
        return "\n".join(
            as_latex(list(comparison_sections(comparison, _reports(workspace, comparison)).values()))
            for comparison in comparisons
        )
    facts = [
        (
            comparison,
            _reports(workspace, comparison),
            {run["run"]: history(workspace, run["run"]) for run in comparison["runs"]},
        )
        for comparison in comparisons
    ]
    return as_html(facts, apart_in_words(comparisons) if len(comparisons) > 1 else "")


def write_comparison(workspace: Workspace, comparisons: Sequence[Json], out: Path) -> None:
    """Write comparisons to a file, by its suffix; an older one is replaced.

    Raises:
        WbcError: The suffix is none of `KINDS`, or the folder does not exist.
    """
    text = comparison_text(workspace, comparisons, out.suffix.removeprefix(".").lower())
    with whole_file(out) as scratch:
        scratch.write_text(text, encoding="utf-8")
