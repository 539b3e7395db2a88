"""The contaminated real set: everything planted is found, and next to nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image

from tests.core.curation.conftest import write_dataset
from wbc_core.curation.accepting import accept
from wbc_core.curation.clean import clean_set
from wbc_core.curation.scan import load_findings, scan
from wbc_core.datasets.importers import import_source
from wbc_core.datasets.store import DatasetWriter
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
    flagged = {
        int(row)
        for item in load_findings(workspace, dataset.id)
        if item.flagged
        for row, action in item.suggested.items()
        if action != "keep"
    }
    twins = {row for pair in truth["duplicates"] for row in pair}
    assert len(flagged - planted - twins) <= 5
    np.testing.assert_array_less(11_959 - len(truth["duplicates"]) - 6, len(kept))


def _blends(cells: NDArray[np.uint8], count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Cells under crops of two photographs, each another cell, crop and strength (0.4..0.7)."""
    photographs = [load_sample_image("china.jpg"), load_sample_image("flower.jpg")]
    blended = []
    for cell in cells[generator.choice(len(cells), count, replace=False)]:
        photograph = photographs[generator.integers(2)]
        side = int(generator.integers(200, 427))
        top, left = generator.integers(427 - side + 1), generator.integers(640 - side + 1)
        crop = cv2.resize(photograph[top : top + side, left : left + side], (96, 96))
        share = generator.uniform(0.4, 0.7)
        blended.append((1 - share) * cell + share * crop)
    return np.stack(blended).astype(np.uint8)


@pytest.mark.parametrize("planted", [1, 100, 2_000])
def test_varied_blends_are_found_at_any_share(contaminated: Path, workspace: Workspace, planted: int) -> None:
    with np.load(contaminated) as archive:
        cells = archive["images"][:FIRST_PLANTED]
    images = np.concatenate([cells, _blends(cells, planted, np.random.default_rng(4))])
    with DatasetWriter(workspace, "blends", ["cell"], (96, 96, 3)) as writer:
        labels = np.zeros(len(images), dtype=np.int64)
        writer.append(images, labels, ["x"] * len(images), np.full((len(images), 2), 96))
        dataset = writer.finish("a test")
    scan(workspace, dataset.id, ["foreign"])
    flagged = [
        row for item in load_findings(workspace, dataset.id, "foreign") if item.flagged for row in item.rows
    ]
    assert sum(row >= FIRST_PLANTED for row in flagged) >= 0.9 * planted
    assert sum(row < FIRST_PLANTED for row in flagged) <= 3


@pytest.mark.parametrize("count", [200, 400, 800, 2_000])
def test_small_sets_of_real_cells_raise_no_false_alarms(
    contaminated: Path, workspace: Workspace, count: int
) -> None:
    with np.load(contaminated) as archive:
        cells = archive["images"][:FIRST_PLANTED]
    generator = np.random.default_rng(6)
    drawn = cells[generator.choice(len(cells), count, replace=False)]
    images = np.concatenate([drawn, _blends(cells, count // 20, generator)])
    dataset = write_dataset(workspace, images)
    scan(workspace, dataset.id, ["foreign"])
    findings = load_findings(workspace, dataset.id, "foreign")
    flagged = [row for item in findings if item.flagged for row in item.rows]
    assert sum(row < count for row in flagged) <= 1
    assert sum(row >= count for row in flagged) >= 0.75 * (count // 20)
