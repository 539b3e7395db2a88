"""Scanning measures once, stores what it found, and knows which pictures belong together."""

import shutil
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from tests.core.curation.conftest import Store, noise_images, write_dataset
from wbc_core.curation import measure as measuring
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.measures import MEASURES
from wbc_core.curation.measures.base import Measure
from wbc_core.curation.scan import (
    duplicate_groups,
    load_findings,
    outdated_checks,
    scan,
    scanned_checks,
)
from wbc_core.datasets.defects import landscape
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace


def test_a_second_scan_measures_nothing(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = store(noise_images(20)).id
    older = workspace.findings_dir(dataset) / "measures" / "tone-v0.npz"
    older.parent.mkdir(parents=True)
    older.write_bytes(b"of an older version")
    result = scan(workspace, dataset)
    assert list(result["checks"]) == CHECKS.names() == scanned_checks(workspace, dataset)

    def refuse(measures: object, images: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(measuring, "measure_chunk", refuse)
    findings = load_findings(workspace, dataset)
    assert scan(workspace, dataset)["checks"].keys() == result["checks"].keys()
    (workspace.findings_dir(dataset) / "blur.parquet").write_bytes(b"damaged")
    scan(workspace, dataset, ["blur"])
    assert load_findings(workspace, dataset) == findings
    (workspace.findings_dir(dataset) / "blur.parquet").unlink()
    assert not older.exists()
    next((workspace.findings_dir(dataset) / "measures").glob("tone-*")).write_bytes(b"")
    with pytest.raises(AssertionError, match="measured again"):
        scan(workspace, dataset, ["blur"])


def test_findings_of_an_older_check_are_told_and_never_divide_a_split(
    workspace: Workspace, store: Store
) -> None:
    images = noise_images(20)
    images[9] = images[4]
    dataset = store(images).id
    scan(workspace, dataset)
    assert outdated_checks(workspace, dataset) == []
    path = workspace.findings_dir(dataset) / "exact_duplicates.parquet"
    # What the lab wrote before checks named the measures that they read.
    table = pq.read_table(path).slice(0, 0)
    pq.write_table(table.replace_schema_metadata({"check": '{"threshold": 2.0, "version": 1}'}), path)
    assert outdated_checks(workspace, dataset) == ["exact_duplicates"]
    assert load_findings(workspace, dataset, "exact_duplicates") == []
    assert duplicate_groups(workspace, dataset) == [(4, 9)]
    assert outdated_checks(workspace, dataset) == []


def test_arrow_leaves_its_tables_memory_to_glibc() -> None:
    told = "import wbc_core, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    assert subprocess.check_output([sys.executable, "-c", told], text=True).strip() == "system"


def test_added_images_alone_are_measured(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = noise_images(30)
    scan(workspace, store(images[:20]).id)
    measured: list[int] = []
    compute = measuring.measure_chunk

    def count(measures: tuple[Measure, ...], chunk: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        measured.append(len(chunk))
        return compute(measures, chunk)

    monkeypatch.setattr(measuring, "measure_chunk", count)
    more = np.concatenate([images[25:], images])
    grown = store(more)
    scan(workspace, grown.id)
    assert sum(measured) == 10
    found = load_findings(workspace, grown.id)
    for path in workspace.home.glob("findings/*"):
        shutil.rmtree(path)
    scan(workspace, grown.id)
    assert load_findings(workspace, grown.id) == found


def test_measures_are_taken_over_one_by_one(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = noise_images(30)
    scan(workspace, store(images[:20]).id, ["blur"])
    scan(workspace, store(images[15:25]).id, ["noise"])
    measured: dict[str, int] = {}
    compute = measuring.measure_chunk

    def count(measures: tuple[Measure, ...], chunk: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        for one in measures:
            measured[one.name] = measured.get(one.name, 0) + len(chunk)
        return compute(measures, chunk)

    monkeypatch.setattr(measuring, "measure_chunk", count)
    grown = store(images)
    taken_over = measuring.measure(workspace, grown)
    known = {name for check in ("blur", "noise") for name in CHECKS.get(check).measures}
    assert all(measured[name] < 30 for name in known)
    assert all(measured[name] == 30 for name in MEASURES if name not in known)
    for path in workspace.home.glob("findings/*"):
        shutil.rmtree(path)
    for name, array in measuring.measure(workspace, grown).arrays.items():
        np.testing.assert_array_equal(array, taken_over[name])


def test_large_images_are_read_a_few_at_a_time_and_found_the_same(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = noise_images(40, side=32)
    images[30] = np.rot90(images[7])
    dataset = store(images).id
    scan(workspace, dataset)
    found = load_findings(workspace, dataset)
    shutil.rmtree(workspace.findings_dir(dataset))
    monkeypatch.setattr(measuring, "_CHUNK_BYTES", 7 * images[0].nbytes)
    measured: list[int] = []
    compute = measuring.measure_chunk

    def count(measures: tuple[Measure, ...], chunk: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        measured.append(len(chunk))
        return compute(measures, chunk)

    monkeypatch.setattr(measuring, "measure_chunk", count)
    scan(workspace, dataset)
    assert max(measured) == 7
    assert load_findings(workspace, dataset) == found


def test_what_was_not_scanned_is_said(workspace: Workspace, store: Store) -> None:
    dataset = store(noise_images(20)).id
    with pytest.raises(WbcError, match="was not scanned"):
        load_findings(workspace, dataset)
    scan(workspace, dataset, ["exposure"])
    assert load_findings(workspace, dataset) == load_findings(workspace, dataset, "exposure")
    with pytest.raises(WbcError, match="not scanned for blur"):
        load_findings(workspace, dataset, "blur")
    with pytest.raises(WbcError, match="no check named"):
        scan(workspace, dataset, ["nonsense"])


def test_one_picture_under_several_labels_is_a_conflict(workspace: Workspace, store: Store) -> None:
    images = noise_images(10)
    images[7] = images[2]
    dataset = store(images).id
    scan(workspace, dataset, ["exact_duplicates"])
    (finding,) = load_findings(workspace, dataset, "exact_duplicates")
    assert finding.rows == (2, 7)
    assert finding.suggested == {"2": "keep", "7": "drop"}
    assert "Conflict" in finding.evidence
    assert "class 0 1, class 1 1" in finding.evidence
    assert load_findings(workspace, dataset) == [finding]


def test_groups_are_transitive_over_exact_and_near_copies(workspace: Workspace, store: Store) -> None:
    generator = np.random.default_rng(0)
    images = draw_cells(generator, np.arange(60) % 8)
    images[10] = images[3]
    images[20] = np.rot90(images[3])
    images[30] = cv2.resize(images[5][3:94, 2:93], (96, 96))
    dataset = store(images).id
    assert duplicate_groups(workspace, dataset) == [(3, 10, 20), (5, 30)]
    findings = load_findings(workspace, dataset, "near_duplicates")
    turned = next(finding for finding in findings if 20 in finding.rows)
    assert "turned by 90 degrees" in turned.evidence
    cropped = next(finding for finding in findings if 30 in finding.rows)
    assert cropped.suggested == {"5": "keep", "30": "drop"}
    assert "cropped to 9" in cropped.evidence


def test_the_demo_is_searched_well(workspace: Workspace) -> None:
    from wbc_core.datasets.synthetic import build_demo_dataset

    dataset = build_demo_dataset(workspace, seed=0)
    truth = workspace.read_json(workspace.dataset_dir(dataset.id) / "truth.json", "truth")
    scan(workspace, dataset.id)
    for check in CHECKS:
        planted = {
            row for item in truth.get(check, ()) for row in (item if isinstance(item, list) else [item])
        }
        found = {
            row for item in load_findings(workspace, dataset.id, check) if item.flagged for row in item.rows
        }
        assert len(found & planted) >= 0.9 * len(planted), check


def _flagged(workspace: Workspace, dataset: str) -> set[int]:
    scan(workspace, dataset, ["foreign"])
    findings = load_findings(workspace, dataset, "foreign")
    return {row for item in findings if item.flagged for row in item.rows}


def test_small_clean_sets_raise_one_false_alarm_at_most_on_average(workspace: Workspace) -> None:
    flagged = []
    for seed in range(4):
        cells = draw_cells(np.random.default_rng(seed), np.arange(400) % 8)
        for part in (cells[:100], cells[:200], cells[200:], cells):
            flagged.append(len(_flagged(workspace, write_dataset(workspace, part).id)))
    assert sum(flagged) <= len(flagged)


@pytest.mark.parametrize("count", [100, 300])
def test_foreign_pictures_are_found_in_a_small_set(workspace: Workspace, store: Store, count: int) -> None:
    generator = np.random.default_rng(2)
    images = draw_cells(generator, np.arange(count) % 8)
    planted = set(range(0, count, 20))
    for row in planted:
        images[row] = landscape(generator)
    found = _flagged(workspace, store(images).id)
    assert len(found & planted) >= 0.9 * len(planted)
    assert len(found - planted) <= 1


def test_a_class_that_comes_every_fifth_row_is_no_foreign_one(workspace: Workspace, store: Store) -> None:
    images = draw_cells(np.random.default_rng(3), np.arange(200) % 5)
    assert len(_flagged(workspace, store(images).id)) <= 1


def test_scores_are_round_and_said_in_words(workspace: Workspace, store: Store) -> None:
    images = draw_cells(np.random.default_rng(4), np.arange(80) % 8)
    images[:12] = landscape(np.random.default_rng(5))
    dataset = store(images).id
    scan(workspace, dataset)
    for finding in load_findings(workspace, dataset):
        assert finding.score == round(finding.score, 2)
    worst = load_findings(workspace, dataset, "foreign")[0]
    assert worst.evidence.startswith("The same picture is there 12 times (class 0 6, class 1 6)")
    assert (
        "times as unlike the rest as an ordinary picture, and 16.5 is flagged; oddest: its " in worst.evidence
    )
