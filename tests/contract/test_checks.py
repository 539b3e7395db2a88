"""Every registered check, whatever it looks for: any images, the same findings again, honest records."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wbc_core.curation import measure as measuring
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.measure import Measurements, measure
from wbc_core.curation.measures import MEASURES
from wbc_core.curation.measures.base import Chunk
from wbc_core.curation.scan import load_findings, scan
from wbc_core.datasets.importers import import_source
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


class _Found:
    """What the checks find in the cases: each is measured once, and looked through once by each check."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.measured = functools.cache(self._measured)
        self.found = functools.cache(self._found)

    def _measured(self, case: str, chunk: int = measuring.CHUNK) -> tuple[Measurements, NDArray[np.uint8]]:
        workspace, images = Workspace(self._folder / f"{case} {chunk}"), CASES[case]
        shape = (images.shape[1], images.shape[2], 3)
        with DatasetWriter(workspace, "case", ["a", "b"], shape) as writer:
            labels = np.arange(len(images)) % 2
            writer.append(images, labels, ["x"] * len(images), np.full((len(images), 2), 8))
            dataset = writer.finish("a test")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(measuring, "CHUNK", chunk)
            return measure(workspace, dataset), open_images(workspace, dataset.id)

    def _found(self, case: str, check: str, chunk: int = measuring.CHUNK) -> list[Finding]:
        chosen = CHECKS.get(check)
        return chosen.find(*self.measured(case, chunk), chosen.threshold)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> _Found:
    return _Found(tmp_path_factory.mktemp("cases"))


def _assert_honest(check: str, measurements: Measurements, findings: list[Finding]) -> None:
    threshold = CHECKS.get(check).threshold
    assert [finding.score for finding in findings] == sorted(
        (finding.score for finding in findings), reverse=True
    )
    for finding in findings:
        assert finding.check == check
        assert finding.flagged == (finding.score >= threshold)
        assert np.isfinite(finding.score)
        assert len(set(finding.rows)) == len(finding.rows)
        assert bool(finding.rows) == (CHECKS.get(check).scope != "set")
        assert finding.image_ids == tuple(measurements.image_ids[row] for row in finding.rows)
        assert set(finding.suggested) <= {str(row) for row in finding.rows}
        assert all(
            word in ("keep", "drop") or word.startswith("relabel:") for word in finding.suggested.values()
        )
        assert finding.evidence.endswith(".")
        assert not re.search(r"\b(nan|inf)\b", finding.evidence)


@pytest.mark.parametrize("check", CHECKS.names())
@pytest.mark.parametrize("case", CASES)
def test_any_images_give_honest_findings(cases: _Found, check: str, case: str) -> None:
    _assert_honest(check, cases.measured(case)[0], cases.found(case, check))


_COLOURED = np.concatenate([_MANY[:30], _MANY[:5], _MANY[5:10, ::-1]])
_GREY = _COLOURED[..., 1:2]

STORED = {
    "uint16": (_COLOURED.astype(np.uint16) * 257, _COLOURED),
    "float32": (_COLOURED.astype(np.float32) / 255, _COLOURED),
    "RGBA": (np.concatenate([_COLOURED, np.full_like(_GREY, 255)], axis=3), _COLOURED),
    "grey uint16": (_GREY.astype(np.uint16) * 257, _GREY.repeat(3, axis=3)),
}
"""How the same pictures may lie in a file, and what they are in the lab."""


@pytest.mark.parametrize("kind", STORED)
def test_however_pixels_are_stored_every_check_is_honest(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    stored, pixels = STORED[kind]
    np.savez(tmp_path / "cells.npz", images=stored, labels=np.arange(len(stored)) % 2)
    dataset = import_source(workspace, tmp_path / "cells.npz").dataset
    np.testing.assert_array_equal(open_images(workspace, dataset.id), pixels)
    scan(workspace, dataset.id)
    measurements = measure(workspace, dataset)
    for check in CHECKS:
        _assert_honest(check, measurements, load_findings(workspace, dataset.id, check))
    assert any(len(found.rows) == 2 for found in load_findings(workspace, dataset.id, "exact_duplicates"))


@pytest.mark.parametrize("check", [name for name, check in CHECKS.items() if check.scope == "image"])
def test_every_score_that_the_slider_reaches_is_told(cases: _Found, check: str) -> None:
    """A threshold moved to any place flags as many as a scan at that threshold would."""
    chosen, findings = CHECKS.get(check), cases.found("with copies", check)
    measurements, images = cases.measured("with copies")
    every = chosen.find(measurements, images, chosen.threshold, 0.0)
    low, high = chosen.threshold_range
    assert findings == [finding for finding in every if finding.score >= low]
    for threshold in np.linspace(low, high, 3).tolist():
        scanned = chosen.find(measurements, images, threshold)
        flagged = {row for finding in scanned if finding.flagged for row in finding.rows}
        assert flagged == {row for finding in findings if finding.score >= threshold for row in finding.rows}


def _pictures(kind: str, count: int, height: int, width: int, seed: int) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    shape = (count, height, width, 3)
    if kind == "noise":
        return generator.integers(0, 256, shape, dtype=np.uint8)
    if kind == "black and white":
        return generator.choice(np.array([0, 255], np.uint8), shape)
    if kind == "constant":
        return np.broadcast_to(generator.integers(0, 256, (count, 1, 1, 3), dtype=np.uint8), shape).copy()
    if kind == "blocks":
        coarse = generator.integers(0, 256, (count, -(-height // 7), -(-width // 7), 3), dtype=np.uint8)
        return coarse.repeat(7, axis=1).repeat(7, axis=2)[:, :height, :width]
    if kind == "bars":
        images = generator.integers(60, 200, shape, dtype=np.uint8)
        images[:, : height // 3], images[:, :, width - width // 4 :] = 0, 255
        return images
    ramp = np.linspace(0, 255, width)[None, None, :, None] * generator.random((count, 1, 1, 3))
    return np.broadcast_to(ramp, shape).astype(np.uint8)


KINDS = ("noise", "black and white", "constant", "blocks", "bars", "ramp")
SHAPES = st.one_of(
    st.sampled_from([(1, 1), (1, 40), (2, 2), (3, 3), (4, 12), (7, 300), (300, 7), (96, 96), (48, 48)]),
    st.tuples(st.integers(1, 64), st.integers(1, 64)),
)


@dataclass(frozen=True)
class _Case:
    """A small set of pictures that any seed makes again: what fails is printed in one line."""

    count: int
    shape: tuple[int, int]
    seed: int
    kinds: list[str]
    copies: bool
    classes: int

    def images(self) -> NDArray[np.uint8]:
        parts = [
            _pictures(kind, self.count, *self.shape, self.seed + place)
            for place, kind in enumerate(self.kinds)
        ]
        order = np.random.default_rng(self.seed).permutation(len(parts) * self.count)[: self.count]
        images = np.concatenate(parts)[order]
        if self.copies:
            half = self.count // 2
            images[self.count - half :] = images[:half]
        return images

    def measured(self, measures: tuple[str, ...]) -> Measurements:
        """Measurements without a workspace."""
        images, first = self.images(), dict[bytes, int]()
        ids = []
        for row, image in enumerate(images):
            number = first.setdefault(image.tobytes(), row)
            ids.append(f"{number:04}" if number == row else f"{number:04}-{row}")
        return Measurements(
            image_ids=tuple(ids),
            labels=np.random.default_rng(self.seed).integers(self.classes, size=self.count),
            class_names=tuple(f"class {number}" for number in range(self.classes)),
            original_sizes=np.array([[1 + 7 * row, 96] for row in range(self.count)]),
            arrays={name: array for one in measures for name, array in _compute(one, images).items()},
        )


ANY_CASE = st.builds(
    _Case,
    count=st.integers(1, 40),
    shape=SHAPES,
    seed=st.integers(0, 99),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    copies=st.booleans(),
    classes=st.integers(1, 9),
)


def _compute(measure: str, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    return MEASURES.get(measure).compute(Chunk(images))


@pytest.mark.parametrize("check", CHECKS.names())
@settings(max_examples=25, deadline=None)
@given(case=ANY_CASE)
def test_no_images_whatever_stop_a_check(check: str, case: _Case) -> None:
    chosen = CHECKS.get(check)
    measurements, images = case.measured(chosen.measures), case.images()
    findings = chosen.find(measurements, images, chosen.threshold)
    _assert_honest(check, measurements, findings)
    assert chosen.find(measurements, images, chosen.threshold) == findings


@pytest.mark.parametrize("name", MEASURES.names())
@settings(max_examples=25, deadline=None)
@given(case=ANY_CASE)
def test_numbers_are_finite_and_the_same_whatever_the_chunk(name: str, case: _Case) -> None:
    images = case.images()
    together = _compute(name, images)
    alone = [_compute(name, images[row : row + 1]) for row in range(len(images))]
    assert tuple(together) == MEASURES.get(name).arrays
    for array, values in together.items():
        assert len(values) == len(images)
        assert np.isfinite(values.astype(np.float64)).all()
        np.testing.assert_array_equal(values, np.concatenate([one[array] for one in alone]))


@pytest.mark.parametrize("check", CHECKS.names())
def test_the_chunk_size_does_not_matter(cases: _Found, check: str) -> None:
    assert cases.found("with copies", check) == cases.found("with copies", check, 7)


@pytest.mark.parametrize("name", CHECKS.names())
def test_a_check_explains_itself(name: str) -> None:
    check = CHECKS.get(name)
    low, high = check.threshold_range
    assert check.name == name
    assert low <= check.threshold <= high
    assert check.title
    assert check.unit
    assert check.description.endswith(".")
