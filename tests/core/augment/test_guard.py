"""The guard: what the scan would flag of augmented images."""

import numpy as np
import pytest
from numpy.typing import NDArray

from wbc_core.augment.guard import Reference, judge, measure_reference
from wbc_core.augment.operations import OPERATIONS
from wbc_core.datasets.synthetic import draw_cells

CLASSES = ("basophil", "eosinophil", "ig")


@pytest.fixture(scope="module")
def cells() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    labels = np.repeat(np.arange(3), 160)
    return draw_cells(np.random.default_rng(0), labels), labels


@pytest.fixture(scope="module")
def reference(cells: tuple[NDArray[np.uint8], NDArray[np.int64]]) -> Reference:
    images, labels = cells
    return measure_reference(images, [np.flatnonzero(labels == label)[::2] for label in range(3)], CLASSES)


def test_the_cells_themselves_pass(reference: Reference, cells: tuple) -> None:
    images, labels = cells
    verdict = judge(reference, images[1::8], labels[1::8])
    assert verdict.images == 60
    assert verdict.share <= 0.03
    assert not verdict.warns


def test_turning_passes_and_negatives_do_not(reference: Reference, cells: tuple) -> None:
    images, labels = cells[0][1::8], cells[1][1::8]
    flip = OPERATIONS.get("flip")
    turned = flip.apply(images, flip.sample(np.random.default_rng(0), len(images), images.shape[1:]))
    assert not judge(reference, turned, labels).warns
    negative = judge(reference, 255 - images, labels)
    assert negative.warns
    assert negative.share > 0.5
    assert set(negative.by_check) & {"foreign", "exposure"}


def test_the_blank_ones_among_many_are_counted_and_named(reference: Reference, cells: tuple) -> None:
    images, labels = cells[0][1::8].copy(), cells[1][1::8]
    images[[3, 40]] = 255
    verdict = judge(reference, images, labels)
    assert {3, 40} <= set(verdict.examples)
    assert verdict.by_check.get("low_information", 0) + verdict.by_check.get("exposure", 0) >= 2


def test_nothing_is_no_share(reference: Reference) -> None:
    verdict = judge(reference, np.empty((0, 96, 96, 3), dtype=np.uint8), np.empty(0, dtype=np.int64))
    assert (verdict.images, verdict.share, verdict.warns) == (0, 0.0, False)
