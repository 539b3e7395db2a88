"""Each check of picture quality finds what its name says, in words, and leaves the rest to the others."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.core.curation.conftest import noise_images, write_dataset
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.measure import Measurements
from wbc_core.curation.measures import MEASURES
from wbc_core.curation.measures.base import Chunk
from wbc_core.curation.measures.detail import edge_variance_and_noise
from wbc_core.curation.scan import load_findings, scan
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.records import Finding
from wbc_core.workspace import Workspace

Image = NDArray[np.uint8]
QUALITY = (
    "exposure",
    "blur",
    "contrast",
    "noise",
    "low_information",
    "colour_cast",
    "occlusion",
    "border",
)
PLANTED = 3


def _bytes(values: NDArray[np.floating]) -> Image:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _pale(image: Image) -> Image:
    return _bytes(image.mean() + 0.25 * (image - image.mean()))


def _grainy(image: Image) -> Image:
    return _bytes(image + np.random.default_rng(1).normal(0, 15, image.shape))


def _blank(image: Image) -> Image:
    return _bytes(image.mean() + np.random.default_rng(2).normal(0, 0.5, image.shape))


def _warm(image: Image) -> Image:
    return _bytes(image * np.array([1.3, 1.0, 0.7]))


def _blocked(image: Image) -> Image:
    blocked = image.copy()
    blocked[30:46, 50:66] = 20
    return blocked


def _grid(image: Image) -> Image:
    masked = image.copy()
    for top in range(5, 96, 24):
        for left in range(5, 96, 24):
            masked[top : top + 12, left : left + 12] = 0
    return masked


def _framed(image: Image) -> Image:
    framed = image.copy()
    framed[:5], framed[:, -3:] = 0, 0
    return framed


def _defocused(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 4), dtype=np.uint8)


def _dark(image: Image) -> Image:
    return _bytes(image * 0.15)


def _bright(image: Image) -> Image:
    return _bytes(image * 1.6 + 80.0)


DEFECTS: list[tuple[str, Callable[[Image], Image], str]] = [
    ("contrast", _pale, "times less"),
    ("noise", _grainy, "grey levels"),
    ("low_information", _blank, "bits a pixel"),
    ("colour_cast", _warm, "CIELAB"),
    ("occlusion", _blocked, "px of its edges"),
    ("occlusion", _grid, "px of its edges"),
    ("border", _framed, "5 px at the top and 3 px at the right"),
    ("blur", _defocused, "times less sharp"),
    ("exposure", _dark, "darker"),
    ("exposure", _bright, "% white"),
]


def _found(
    check: str,
    images: Image,
    labels: NDArray[np.int64] | None = None,
    classes: int = 1,
    sizes: NDArray[np.int64] | None = None,
) -> list[Finding]:
    count, chosen = len(images), CHECKS.get(check)
    arrays = {name: MEASURES.get(name).compute(Chunk(images)) for name in chosen.measures}
    measurements = Measurements(
        image_ids=tuple(f"{row:04}" for row in range(count)),
        labels=np.zeros(count, np.int64) if labels is None else labels,
        class_names=tuple(f"class {number}" for number in range(classes)),
        original_sizes=np.full((count, 2), 96) if sizes is None else sizes,
        arrays={name: array for found in arrays.values() for name, array in found.items()},
    )
    findings = chosen.find(measurements, images, chosen.threshold)
    return [finding for finding in findings if finding.flagged]


@pytest.fixture(scope="module")
def cells() -> Image:
    return draw_cells(np.random.default_rng(0), np.arange(200) % 8)


@pytest.mark.parametrize(
    ("check", "spoil", "words"), DEFECTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_defect_is_found_by_its_own_check_alone(
    cells: Image, check: str, spoil: Callable[[Image], Image], words: str
) -> None:
    images = cells.copy()
    for row in range(PLANTED):
        images[row] = spoil(images[row])
    for other in QUALITY:
        flagged = {finding.rows[0] for finding in _found(other, images)}
        planted = flagged & set(range(PLANTED))
        assert planted == (set(range(PLANTED)) if other == check else set()), other
        assert len(flagged - planted) <= 1, other
    assert all(words in finding.evidence for finding in _found(check, images)[:PLANTED])


def test_plain_bright_ground_is_no_occlusion() -> None:
    generator = np.random.default_rng(3)
    images = np.full((20, 96, 96, 3), 235, np.uint8)
    for image in images:
        x, y = generator.integers(30, 66, size=2).tolist()
        cv2.circle(image, (x, y), 14, (120, 60, 140), -1, cv2.LINE_AA)
        image[:] = cv2.GaussianBlur(image, (0, 0), 1.0)
    assert _found("occlusion", images) == []
    assert _found("border", images) == []


def test_odd_sizes_are_told_with_both_sizes(cells: Image) -> None:
    sizes = np.full((200, 2), 360)
    sizes[4], sizes[9] = (360, 700), (4, 4)
    tiny, tall = _found("odd_size", cells, sizes=sizes)
    assert (tiny.rows, tall.rows) == ((9,), (4,))
    assert tiny.suggested == {"9": "drop"}
    assert tall.suggested == {}
    assert "360 px wide and 700 px high, where 360 x 360 px" in tall.evidence


def test_uneven_and_small_classes_are_told_of_the_set(cells: Image) -> None:
    labels = np.repeat([0, 1, 2], [150, 40, 10])
    (uneven,) = _found("imbalance", cells, labels, classes=4)
    assert (uneven.rows, uneven.suggested, uneven.score) == ((), {}, 15.0)
    assert "As imported, whatever was decided since: class 0 150, class 1 40, class 2 10." in uneven.evidence
    empty, small = _found("class_coverage", cells, labels, classes=4)
    assert "class 3 has no image" in empty.evidence
    assert "class 2 was imported with 10 different images (what was decided since is not counted)" in (
        small.evidence
    )
    assert "a split of 70 % to 30 %, say, holds out 3" in small.evidence
    assert _found("imbalance", cells, np.arange(200) % 4, classes=4) == []
    assert _found("class_coverage", cells, np.arange(200) % 4, classes=4) == []


def test_a_class_of_copies_alone_is_not_called_empty(workspace: Workspace) -> None:
    images = noise_images(50)
    dataset = write_dataset(workspace, np.concatenate([images, images[:2]]), np.repeat([0, 1], [50, 2]))
    scan(workspace, dataset.id, ["class_coverage"])
    copies, *_ = load_findings(workspace, dataset.id, "class_coverage")
    assert "no picture of its own: all its 2 images are copies" in copies.evidence


def test_the_detail_of_a_wide_picture_does_not_overflow() -> None:
    board = (255 * (np.indices((6, 4000)).sum(axis=0) % 2)).astype(np.uint8)
    variances = [edge_variance_and_noise(part[None])[0][0] for part in (board, board[:, :1000])]
    np.testing.assert_allclose(variances, [1020.0**2] * 2)
