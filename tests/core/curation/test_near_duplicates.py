"""Copies made in many ways are found as groups, said in words, and the better one stays."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from wbc_core.curation import nearest, similarity
from wbc_core.curation.alteration import altered
from wbc_core.curation.checks.near_duplicates import NEAR_DUPLICATES
from wbc_core.curation.measure import Measurements, measure_chunk
from wbc_core.curation.measures import MEASURES
from wbc_core.curation.nearest import nearest_pairs, whole_numbers
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.records import Finding

Image = NDArray[np.uint8]
CELLS = 60


@pytest.fixture(scope="module")
def cells() -> Image:
    """Painted cells, all different, with a little grain as a camera gives."""
    generator = np.random.default_rng(3)
    painted = draw_cells(generator, np.arange(CELLS) % 8)
    return np.clip(painted + generator.normal(0, 1, painted.shape), 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def as_in_large_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures would be compared pair by pair."""
    monkeypatch.setattr(similarity, "_ALL_COMPARED", 1)


def measured(images: Image, labels: NDArray[np.int64] | None = None) -> Measurements:
    """Measure images of which no two are the same."""
    count = len(images)
    arrays = measure_chunk(tuple(MEASURES.get(name) for name in NEAR_DUPLICATES.measures), images)
    labels = np.zeros(count, dtype=np.int64) if labels is None else labels
    names = tuple(f"{row:064x}" for row in range(count))
    return Measurements(names, labels, ("lymphocyte", "monocyte"), np.full((count, 2), 96), arrays)


def found(images: Image, labels: NDArray[np.int64] | None = None) -> list[Finding]:
    """The groups that are flagged at the default threshold."""
    findings = NEAR_DUPLICATES.find(measured(images, labels), images, NEAR_DUPLICATES.threshold)
    return [finding for finding in findings if finding.flagged]


def jpeg(image: Image, quality: int) -> Image:
    saved = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[
        1
    ]
    return np.asarray(cv2.cvtColor(cv2.imdecode(saved, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def resized(image: Image, share: float) -> Image:
    side = round(96 * share)
    return np.asarray(
        cv2.resize(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), (96, 96)), np.uint8
    )


def cropped(image: Image, share: float) -> Image:
    side = round(96 * share)
    return np.asarray(cv2.resize(image[3 : 3 + side, 1 : 1 + side], (96, 96)), dtype=np.uint8)


def blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0), dtype=np.uint8)


def grained(image: Image) -> Image:
    grain = np.random.default_rng(1).normal(0, 4, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def brightened(image: Image, gain: float) -> Image:
    return np.clip(image * gain, 0, 255).astype(np.uint8)


MADE: dict[str, tuple[Callable[[Image], Image], str]] = {
    "jpeg": (lambda image: jpeg(image, 40), "JPEG"),
    "half the size": (lambda image: resized(image, 0.5), "softer (blurred or resized)"),
    "three quarters of the size": (lambda image: resized(image, 0.75), "softer (blurred or resized)"),
    "blurred": (blurred, "softer (blurred or resized)"),
    "cropped": (lambda image: cropped(image, 0.92), "cropped to 9"),
    "grained": (grained, "noisier"),
    "darker": (lambda image: brightened(image, 0.9), "10 % darker"),
    "mirrored": (lambda image: image[:, ::-1], "mirrored left to right"),
    "turned": (lambda image: np.rot90(image, -1), "turned by 90 degrees clockwise"),
    "turned back": (lambda image: np.rot90(image), "turned by 90 degrees counterclockwise"),
    "turned and cropped": (
        lambda image: cropped(np.rot90(image, -1), 0.95),
        "turned by 90 degrees clockwise",
    ),
}


@pytest.mark.parametrize("copy_first", [False, True], ids=["original first", "copy first"])
@pytest.mark.parametrize("name", MADE)
def test_a_copy_is_found_and_said_and_the_better_one_stays(cells: Image, name: str, copy_first: bool) -> None:
    make, words = MADE[name]
    originals = list(range(0, 40, 5))
    copies = np.stack([make(cells[row]) for row in originals])
    images = np.concatenate([copies, cells] if copy_first else [cells, copies])
    pairs = {
        frozenset({row + len(copies), number} if copy_first else {row, CELLS + number})
        for number, row in enumerate(originals)
    }
    groups = found(images)
    assert {frozenset(group.rows) for group in groups} == pairs
    lossless = name in ("mirrored", "turned", "turned back")
    for group in groups:
        kept, dropped = group.rows
        assert group.suggested == {str(kept): "keep", str(dropped): "drop"}
        original = max(group.rows) if copy_first else min(group.rows)
        if lossless:
            assert kept == min(group.rows)
        elif name != "darker":  # Rounding alone makes it worse, if at all.
            assert kept == original
        if kept == original:
            assert words in group.evidence


def test_few_pictures_are_compared_pair_by_pair_and_find_the_same(
    cells: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.concatenate([cells, [jpeg(cells[3], 60), cropped(cells[9], 0.92), np.rot90(cells[20])]])
    searched = found(images)
    monkeypatch.setattr(similarity, "_ALL_COMPARED", len(images))
    monkeypatch.delattr(similarity, "nearest_pairs")
    assert found(images) == searched
    assert len(searched) == 3


def test_white_without_shades_is_the_worse_copy(cells: Image) -> None:
    shaded = np.clip(cells[0] + np.linspace(0, 20, 96)[:, None, None], 0, 255).astype(np.uint8)
    (group,) = found(np.concatenate([[brightened(shaded, 1.12)], cells[1:], [shaded]]))
    assert group.rows == (CELLS, 0)
    assert "clipped" in group.evidence
    (group,) = found(np.concatenate([[brightened(shaded, 0.9)], cells[1:], [shaded]]))
    assert "clipped" not in group.evidence


def test_differing_labels_are_told_as_a_conflict(cells: Image) -> None:
    labels = np.zeros(CELLS + 1, dtype=np.int64)
    labels[-1] = 1
    (group,) = found(np.concatenate([cells, [jpeg(cells[7], 60)]]), labels)
    assert "Conflict: their labels differ (lymphocyte 1, monocyte 1)." in group.evidence


def test_a_chain_of_look_alikes_does_not_swallow_what_is_unlike_the_picture_that_stays(cells: Image) -> None:
    # A window that walks over one large picture: neighbours are copies of each other, the ends are not.
    side, step, count = 96, 4, 12
    large = cv2.resize(cells[0], (160, 160), interpolation=cv2.INTER_CUBIC)
    walk = [np.ascontiguousarray(large[30 : 30 + side, step * k : step * k + side]) for k in range(count)]
    groups = found(np.concatenate([cells[1:], walk]))
    first = CELLS - 1
    assert groups
    for group in groups:
        places = [row - first for row in group.rows]
        assert min(places) >= 0
        assert max(abs(place - places[0]) for place in places) * step <= 0.3 * side
        assert len(group.rows) < count


def test_many_copies_of_every_picture_are_found_without_comparing_all(
    cells: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wbc_core.curation.checks import near_duplicates

    made = []

    def counted(*arguments: object) -> object:
        made.append(arguments)
        return compare(*arguments)  # type: ignore[arg-type]

    compare = near_duplicates.compare
    monkeypatch.setattr(near_duplicates, "compare", counted)
    each = 30
    generator = np.random.default_rng(5)
    images = np.concatenate(
        [[cell, *(altered(cell, generator) for _ in range(each - 1))] for cell in cells[:8]]
    )
    groups = found(images)
    assert len(made) < 4 * len(images)
    together = {row: number for number, group in enumerate(groups) for row in group.rows}
    whole = [
        len({together.get(row, -row) for row in range(first, first + each)})
        for first in range(0, 8 * each, each)
    ]
    assert np.mean(whole) < 2.5
    assert all(len({row // each for row in group.rows}) == 1 for group in groups)


def test_threads_do_not_change_a_finding(cells: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(9)
    images = np.concatenate([cells, [altered(cell, generator) for cell in cells]])
    both = []
    for threads in (1, 4):
        monkeypatch.setattr("wbc_core.curation.spread.os.cpu_count", lambda threads=threads: threads)
        cv2.setNumThreads(threads)
        both.append(NEAR_DUPLICATES.find(measured(images), images, NEAR_DUPLICATES.threshold))
    cv2.setNumThreads(-1)
    assert both[0] == both[1]
    assert any(finding.flagged for finding in both[0])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_images_are_no_trouble(cells: Image, count: int) -> None:
    assert found(cells[:count]) == []


def test_undoing_a_symmetry_gives_the_picture_back(cells: Image) -> None:
    for symmetry, inverse in enumerate(similarity.INVERSES):
        turned = similarity.apply_symmetry(cells[0], symmetry)
        np.testing.assert_array_equal(similarity.apply_symmetry(turned, inverse), cells[0])


def test_the_smallest_of_each_row_are_found() -> None:
    values = np.random.default_rng(0).integers(0, 5_000, (40, 3_001)).astype(np.float32)
    places = nearest._smallest(values, 9)
    picked = np.sort(np.take_along_axis(values, places, axis=1), axis=1)
    np.testing.assert_array_equal(picked, np.sort(values, axis=1)[:, :9])


def test_near_points_are_found_among_many() -> None:
    generator = np.random.default_rng(1)
    spread = np.linspace(40, 4, 24)
    points = generator.normal(size=(6_000, 24)) * spread
    points[3_000:] = points[:3_000] + generator.normal(size=(3_000, 24))
    pairs = nearest_pairs(whole_numbers(points, 0.25), 8, 96.0)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    twins = int((pairs[:, 1] - pairs[:, 0] == 3_000).sum())
    assert twins >= 0.99 * 3_000


def test_points_that_are_all_the_same_end() -> None:
    points = whole_numbers(np.ones((5_000, 24)), 0.25)
    pairs = nearest_pairs(points, 4, 96.0)
    assert len(np.unique(pairs)) == 5_000
    assert len(pairs) <= 5 * 5_000
