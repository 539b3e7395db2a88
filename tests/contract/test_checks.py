"""Every registered check, whatever it looks for: any images, the same findings again, honest records."""

import re
import shutil

import numpy as np
import pytest
from numpy.typing import NDArray

from wbc_core.curation import measure as measuring
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.checks.base import with_threshold
from wbc_core.curation.measure import Measurements, measure
from wbc_core.datasets.store import DatasetWriter, open_images
from wbc_core.records import Finding
from wbc_core.workspace import Workspace


def _cells(count: int, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Coarse blobs on a bright ground, all different."""
    generator = np.random.default_rng(seed)
    ground = generator.integers(190, 230, size=(count, 1, 1, 3))
    grain = generator.integers(-20, 20, size=(count, height, width, 3))
    images = ground + grain
    for image in images:
        top, left = generator.integers(0, height // 2), generator.integers(0, width // 2)
        image[top : top + height // 3, left : left + width // 3] -= generator.integers(40, 120)
    return np.clip(images, 0, 255).astype(np.uint8)


def _constant(count: int) -> NDArray[np.uint8]:
    levels = np.arange(count).repeat(16 * 16 * 3).reshape(count, 16, 16, 3)
    return levels.astype(np.uint8)


def _grey(count: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(_cells(count, 24, 24)[..., :1].repeat(3, axis=3))


_MANY = _cells(60, 32, 32)

CASES = {
    "8 px": _cells(30, 8, 8),
    "128 px": _cells(24, 128, 128),
    "not square": _cells(30, 40, 23),
    "grey": _grey(40),
    "constant": _constant(40),
    "one image": _cells(1, 32, 32),
    "two images": _cells(2, 32, 32),
    "one constant image": _constant(1),
    "all the same": _cells(1, 32, 32).repeat(50, axis=0),
    "all black": np.zeros((12, 16, 16, 3), np.uint8),
    "with copies": np.concatenate([_MANY, _MANY[:20], _MANY[20:40, ::-1]]),
}


def _found(workspace: Workspace, images: NDArray[np.uint8], check: str) -> tuple[Measurements, list[Finding]]:
    shape = (images.shape[1], images.shape[2], 3)
    with DatasetWriter(workspace, "case", ["a", "b"], shape) as writer:
        labels = np.arange(len(images)) % 2
        writer.append(images, labels, ["x"] * len(images), np.full((len(images), 2), 8))
        dataset = writer.finish("a test")
    measurements = measure(workspace, dataset)
    chosen = CHECKS.get(check)
    return measurements, chosen.find(measurements, open_images(workspace, dataset.id), chosen.threshold)


@pytest.mark.parametrize("check", CHECKS.names())
@pytest.mark.parametrize("case", CASES)
def test_any_images_give_honest_findings(workspace: Workspace, check: str, case: str) -> None:
    measurements, findings = _found(workspace, CASES[case], check)
    threshold = CHECKS.get(check).threshold
    assert [finding.score for finding in findings] == sorted(
        (finding.score for finding in findings), reverse=True
    )
    for finding in findings:
        assert finding.check == check
        assert finding.flagged == (finding.score >= threshold)
        assert np.isfinite(finding.score)
        assert len(set(finding.rows)) == len(finding.rows) > 0
        assert finding.image_ids == tuple(measurements.image_ids[row] for row in finding.rows)
        assert set(finding.suggested) <= {str(row) for row in finding.rows}
        assert all(
            word in ("keep", "drop") or word.startswith("relabel:") for word in finding.suggested.values()
        )
        assert finding.evidence.endswith(".")
        assert not re.search(r"\b(nan|inf)\b", finding.evidence)


@pytest.mark.parametrize("check", CHECKS.names())
def test_the_chunk_size_does_not_matter(
    workspace: Workspace, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = CASES["with copies"]
    _, once = _found(workspace, images, check)
    shutil.rmtree(workspace.home / "findings")
    monkeypatch.setattr(measuring, "CHUNK", 7)
    _, again = _found(workspace, images, check)
    assert once == again


@pytest.mark.parametrize("name", CHECKS.names())
def test_a_check_explains_itself(name: str) -> None:
    check = CHECKS.get(name)
    low, high = check.threshold_range
    assert check.name == name
    assert low <= check.threshold <= high
    assert check.title
    assert check.unit
    assert check.description.endswith(".")


def test_a_threshold_moves_without_a_scan(workspace: Workspace) -> None:
    _, findings = _found(workspace, CASES["with copies"], "exact_duplicates")
    moved = with_threshold(findings, 99.0)
    assert [finding.score for finding in moved] == [finding.score for finding in findings]
    assert any(finding.flagged for finding in findings)
    assert not any(finding.flagged for finding in moved)
