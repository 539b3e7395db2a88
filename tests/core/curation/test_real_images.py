"""The contaminated real set: everything planted is found, and next to nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wbc_core.curation.clean import clean_set
from wbc_core.curation.review import accept
from wbc_core.curation.scan import load_findings, scan
from wbc_core.datasets.importers import import_source
from wbc_core.workspace import Workspace

FIRST_PLANTED, LAST_PLANTED = 11_959, 13_758


@pytest.fixture(scope="module")
def contaminated(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The homework's training set as the script beside the real images writes it."""
    path = tmp_path_factory.mktemp("an2dl") / "an2dl.npz"
    subprocess.run([sys.executable, str(real_data / "make_an2dl.py"), str(path)], check=True)
    return path


def test_all_that_was_planted_goes_and_the_cells_stay(contaminated: Path, workspace: Workspace) -> None:
    dataset = import_source(workspace, contaminated).dataset
    truth = json.loads(contaminated.with_suffix(".truth.json").read_text())
    planted = {row for first, last in truth["planted"] for row in range(first, last + 1)}
    assert planted == set(range(FIRST_PLANTED, LAST_PLANTED + 1))
    result = scan(workspace, dataset.id)
    accept(workspace, dataset.id, list(result["checks"]), who="test")
    kept = set(clean_set(workspace, dataset.id).rows.tolist())
    assert not kept & planted
    assert all(len(kept.intersection(pair)) == 1 for pair in truth["duplicates"])
    flagged = {row for item in load_findings(workspace, dataset.id) if item.flagged for row in item.rows}
    twins = {row for pair in truth["duplicates"] for row in pair}
    assert len(flagged - planted - twins) <= 5
    np.testing.assert_array_less(11_959 - len(truth["duplicates"]) - 6, len(kept))
