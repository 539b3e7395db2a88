"""Labels that other images speak against, and images unlike their class."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.core.curation.conftest import Store
from wbc_core.curation.accepting import accept
from wbc_core.curation.checks import label_errors
from wbc_core.curation.checks.class_outliers import CLASS_OUTLIERS
from wbc_core.curation.checks.foreign import FOREIGN
from wbc_core.curation.checks.label_conflicts import tell_conflicts
from wbc_core.curation.checks.label_errors import LABEL_ERRORS
from wbc_core.curation.measure import Measurements, measure
from wbc_core.curation.review import effective_decisions
from wbc_core.curation.scan import Embedding, load_findings, scan
from wbc_core.datasets.defects import landscape
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.records import Finding
from wbc_core.workspace import Workspace

NO_IMAGES = np.empty((0, 1, 1, 3), dtype=np.uint8)
"""These checks read measurements alone."""


def _rows(findings: list[Finding]) -> set[int]:
    return {row for finding in findings if finding.flagged for row in finding.rows}


def _find(measurements: Measurements) -> list[Finding]:
    return LABEL_ERRORS.find(measurements, NO_IMAGES, LABEL_ERRORS.threshold)


@pytest.fixture(scope="module")
def cells() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Painted cells of four clearly different kinds, and their kinds."""
    kinds = np.arange(600) % 4
    return draw_cells(np.random.default_rng(0), np.array([1, 2, 4, 7])[kinds]), kinds


@pytest.fixture
def measured(
    workspace: Workspace, store: Store, cells: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> tuple[Measurements, NDArray[np.int64]]:
    """Measurements of the cells with every twentieth under the next class, and the true classes."""
    images, kinds = cells
    labels = kinds.copy()
    labels[::20] = (labels[::20] + 1) % 4
    dataset = store(images, labels, classes=4)
    return measure(workspace, dataset, ["features", "appearance"]), kinds


def test_wrong_labels_are_found_and_the_right_ones_named(
    measured: tuple[Measurements, NDArray[np.int64]],
) -> None:
    measurements, kinds = measured
    findings = _find(measurements)
    flagged = _rows(findings)
    wrong = set(range(0, 600, 20))
    assert len(flagged & wrong) >= 0.5 * len(wrong)
    assert len(flagged - wrong) <= 1
    assert len({finding.rows[0] for finding in findings[: len(wrong)]} & wrong) >= 0.8 * len(wrong)
    for finding in findings[:20]:
        row = finding.rows[0]
        if row not in wrong:
            continue
        assert finding.suggested == {str(row): f"relabel:class {kinds[row]}"}
        assert f"Labelled class {measurements.labels[row]}" in finding.evidence
        assert f"it looks like class {kinds[row]}" in finding.evidence


def test_the_same_measurements_give_the_same_findings(
    measured: tuple[Measurements, NDArray[np.int64]],
) -> None:
    measurements, _ = measured
    assert _find(measurements) == _find(replace(measurements))


@pytest.mark.parametrize("dimensions", [50, 1280])
def test_vectors_of_a_network_of_any_scale_do_as_well(
    measured: tuple[Measurements, NDArray[np.int64]], dimensions: int
) -> None:
    measurements, _ = measured
    features = measurements["features"]
    standard = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    directions = np.random.default_rng(1).normal(size=(features.shape[1], dimensions))
    vectors = np.maximum(1e-3 * standard @ directions, 0.0).astype(np.float32)
    wrong = set(range(0, 600, 20))
    replaced = replace(measurements, arrays={**measurements.arrays, "features": vectors})
    flagged = _rows(_find(replaced))
    assert len(flagged & wrong) >= 0.4 * len(wrong)
    assert len(flagged - wrong) <= 2
    outliers = CLASS_OUTLIERS.find(replaced, NO_IMAGES, CLASS_OUTLIERS.threshold)
    assert len({finding.rows[0] for finding in outliers[:30]} & wrong) >= 20


def test_an_embedding_stands_in_for_the_features(
    workspace: Workspace, store: Store, cells: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    images, kinds = cells
    labels = kinds.copy()
    labels[7] = 0
    vectors = np.eye(4, dtype=np.float32)[kinds] + np.random.default_rng(0).normal(0, 0.1, (600, 4))
    dataset = store(images, labels, classes=4).id
    scan(workspace, dataset, ["label_errors"], embedding=Embedding("told", vectors.astype(np.float32)))
    assert _rows(load_findings(workspace, dataset, "label_errors")) == {7}


@pytest.mark.parametrize("seed", range(4))
def test_labels_without_meaning_raise_no_flags(
    measured: tuple[Measurements, NDArray[np.int64]], seed: int
) -> None:
    measurements, _ = measured
    generator = np.random.default_rng(seed)
    for classes in (2, 4):
        labels = generator.integers(0, classes, len(measurements))
        assert not _rows(_find(replace(measurements, labels=labels)))


def test_one_class_or_tiny_ones_are_left_alone(measured: tuple[Measurements, NDArray[np.int64]]) -> None:
    measurements, kinds = measured
    alone = replace(measurements, labels=np.zeros(len(kinds), dtype=np.int64))
    assert _find(alone) == []
    tiny = np.zeros(len(kinds), dtype=np.int64)
    tiny[:9] = 3
    assert _find(replace(measurements, labels=tiny)) == []
    mixed = kinds.copy()
    mixed[mixed == 3] = 0
    mixed[:9] = 3
    assert not _rows(_find(replace(measurements, labels=mixed))) & set(range(9))


def test_copies_are_one_finding_and_conflicts_are_left_to_their_own_check(
    workspace: Workspace, store: Store, cells: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    images, kinds = cells
    labels = np.concatenate([kinds, kinds[[4, 4, 9]]])
    labels[[4, 600, 601]] = 2
    labels[9] = 3
    dataset = store(np.concatenate([images, images[[4, 4, 9]]]), labels, classes=4)
    findings = _find(measure(workspace, dataset, ["features"]))
    (copies,) = [finding for finding in findings if 4 in finding.rows]
    assert copies.rows == (4, 600, 601)
    assert copies.flagged
    assert set(copies.suggested.values()) == {"relabel:class 0"}
    assert "All 3 copies" in copies.evidence
    assert not any(9 in finding.rows for finding in findings)


def _turned(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Near duplicates: turned by 180 degrees and a little darker."""
    return (images[:, ::-1, ::-1] * 0.95).astype(np.uint8)


def test_near_duplicates_under_two_labels_are_told_among_the_label_errors(
    workspace: Workspace, store: Store, cells: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    images, kinds = cells
    copied = np.array([4, 9, 14])
    labels = np.concatenate([kinds, kinds[copied]])
    labels[600] = 2  # of kind 0
    labels[9] = 3  # of kind 1
    dataset = store(np.concatenate([images, _turned(images[copied])]), labels, classes=4).id
    scan(workspace, dataset, ["label_errors"])
    alone = load_findings(workspace, dataset, "label_errors")
    told = scan(workspace, dataset, ["label_errors", "near_duplicates"])["checks"]
    assert told["near_duplicates"]["groups"] == 3
    findings = {one.rows: one for one in load_findings(workspace, dataset, "label_errors")}
    assert {rows for rows, one in findings.items() if one.flagged} == {(600,), (9,)}
    assert findings[600,].suggested == {"600": "relabel:class 0"}
    assert findings[9,].suggested == {"9": "relabel:class 1"}
    assert findings[600,].score >= 100
    words = "Conflict: labelled class 2, its near duplicate, row 4, is labelled class 0."
    assert findings[600,].evidence.startswith(words)
    # The copy under the right label is not told to follow the wrong one.
    assert all(not findings[rows].suggested for rows in ((4,), (601,)) if rows in findings)
    others = {(4,), (9,), (600,), (601,)}
    assert [one for rows, one in findings.items() if rows not in others] == [
        one for one in alone if one.rows not in others
    ]
    # What another scan found is taken over; where it changed, the labels are looked at again.
    assert scan(workspace, dataset, ["label_errors"])["checks"]["label_errors"]["flagged"] == 2
    accepted = accept(workspace, dataset, ["label_errors", "near_duplicates"], who="Ada")
    assert accepted.conflicts == 0
    held = effective_decisions(workspace, dataset)
    assert {(row, one.action, one.label) for row, one in held.items() if one.action == "relabel"} == {
        (600, "relabel", 0),
        (9, "relabel", 1),
    }


def test_where_no_classifier_supports_a_label_the_conflict_is_left_to_a_person(
    measured: tuple[Measurements, NDArray[np.int64]],
) -> None:
    measurements, _ = measured
    labels = np.random.default_rng(0).integers(0, 4, len(measurements))
    labels[[3, 5]] = [0, 1]
    measurements = replace(measurements, labels=labels)
    pair = Finding(
        check="near_duplicates",
        rows=(3, 5),
        image_ids=tuple(measurements.image_ids[row] for row in (3, 5)),
        score=99.0,
        flagged=True,
        suggested={"3": "keep", "5": "drop"},
        evidence="Row 5 is row 3.",
    )
    told = {one.rows: one for one in tell_conflicts(measurements, [], [pair], LABEL_ERRORS.threshold)}
    assert set(told) == {(3,), (5,)}
    assert all(one.flagged and not one.suggested for one in told.values())
    assert "row 5, is labelled class 1" in told[3,].evidence
    assert "you decide" in told[3,].evidence
    assert tell_conflicts(measurements, [], [replace(pair, flagged=False)], LABEL_ERRORS.threshold) == []


def test_foreign_pictures_do_not_ruin_the_classifier(
    workspace: Workspace, store: Store, cells: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    images, kinds = cells
    generator = np.random.default_rng(3)
    changed, labels = images.copy(), kinds.copy()
    foreign = np.arange(3, 600, 6)
    for row in foreign:
        changed[row] = landscape(generator)
    wrong = np.setdiff1d(np.arange(0, 600, 20), foreign)
    labels[wrong] = (labels[wrong] + 1) % 4
    flagged = _rows(_find(measure(workspace, store(changed, labels, classes=4), ["features"])))
    assert len(flagged & set(wrong.tolist())) >= 0.4 * len(wrong)
    # A foreign picture under a wrong label is no good cell.
    assert not flagged - set(wrong.tolist()) - set(foreign.tolist())


def test_images_unlike_their_class_come_first(
    workspace: Workspace, store: Store, cells: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    images, kinds = cells
    changed, labels = images.copy(), kinds.copy()
    changed[100:103] = [landscape(np.random.default_rng(row)) for row in range(3)]
    labels[200:220:4] = (labels[200:220:4] + 2) % 4
    odd = {100, 101, 102, *range(200, 220, 4)}
    measurements = measure(workspace, store(changed, labels, classes=4), ["features", "appearance"])
    findings = CLASS_OUTLIERS.find(measurements, NO_IMAGES, CLASS_OUTLIERS.threshold)
    assert {finding.rows[0] for finding in findings[:8]} == odd
    assert all(finding.suggested == {} for finding in findings)
    assert not _rows(findings) - odd
    assert "times as far from those of class" in findings[0].evidence


def test_a_class_that_is_mostly_foreign_does_not_call_its_own_cells_foreign(
    workspace: Workspace, store: Store, cells: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    images, kinds = cells
    generator = np.random.default_rng(5)
    foreign = np.stack([landscape(generator) for _ in range(160)])
    kept = np.flatnonzero((kinds != 3) | (np.arange(600) < 480))
    labels = np.concatenate([kinds[kept], np.full(160, 3)])
    dataset = store(np.concatenate([images[kept], foreign]), labels, classes=4)
    measurements = measure(workspace, dataset, ["appearance"])
    flagged = _rows(FOREIGN.find(measurements, NO_IMAGES, FOREIGN.threshold))
    assert len({row for row in flagged if row < len(kept)}) <= 1


def test_only_suspects_that_can_be_told_are_looked_into_and_these_stay_the_same(
    measured: tuple[Measurements, NDArray[np.int64]], monkeypatch: pytest.MonkeyPatch
) -> None:
    measurements, _ = measured
    generator = np.random.default_rng(0)
    shuffled = measurements.labels.copy()
    some = generator.choice(600, 250, replace=False)
    shuffled[some] = generator.permutation(shuffled[some])
    measurements = replace(measurements, labels=shuffled)
    every = _find(measurements)
    looked_at: list[int] = []
    find_nearest = label_errors._relatives

    def count(points: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.int64]:
        looked_at.append(len(positions))
        return find_nearest(points, positions)

    monkeypatch.setattr(label_errors, "_relatives", count)
    monkeypatch.setattr(label_errors, "_BATCH", 5)
    few = LABEL_ERRORS.find(measurements, NO_IMAGES, LABEL_ERRORS.threshold, LABEL_ERRORS.threshold)
    flagged = sum(finding.flagged for finding in every)
    assert flagged > 5
    assert few == every[:flagged]
    assert flagged <= sum(looked_at) < len(every)
