"""The same picture again, but saved, resized, cropped, turned, mirrored, brightened or grained on the way.

Candidates come from `similarity`; each is then laid over the other, see `copies`. A group is one picture
that stays and those that were compared with it and are alike: what resembles it only by way of others is not
dropped.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from wbc_core.curation.checks.base import Check, per_class
from wbc_core.curation.copies import Comparison, compare, tell_apart
from wbc_core.curation.measure import Measurements
from wbc_core.curation.similarity import NEIGHBOURS, Pairs, Similarity
from wbc_core.curation.spread import over_threads
from wbc_core.datasets.store import release_pages
from wbc_core.records import Finding

_LEAST_CONTRAST = 3.0
_THRESHOLD = 96.0
_PAIRS_TOLD = 12
_SEARCHES = 3
_BATCH = 64
"""Pairs that are read before their memory is given back: each brings its neighbours in the file along."""

Key = tuple[int, int]
IntArray = NDArray[np.int64]


class _Copies:
    """The comparisons made so far, and who hangs together with whom through them."""

    def __init__(self, similarity: Similarity, images: NDArray[np.uint8], threshold: float) -> None:
        self.similarity = similarity
        self.images = images
        self.threshold = threshold
        self.compared: dict[Key, Comparison] = {}

    def compare(self, pairs: list[tuple[int, int, int]]) -> None:
        """Compare pairs of rows, the lower first, with the symmetry that turns the second into the first."""
        for start in range(0, len(pairs), _BATCH):
            some = pairs[start : start + _BATCH]
            found = over_threads(self._compare, some)
            self.compared |= dict(zip([pair[:2] for pair in some], found, strict=True))
            release_pages(self.images)

    def _compare(self, pair: tuple[int, int, int]) -> Comparison:
        comparison, warp = compare(self.images, *pair)
        if comparison.score < self.threshold:
            return comparison
        return tell_apart(self.images, comparison, warp)

    def of(self, first: int, second: int) -> Comparison | None:
        """The second described as a copy of the first; None where they are not alike."""
        comparison = self.compared.get((min(first, second), max(first, second)))
        if comparison is None or comparison.score < self.threshold:
            return None
        return comparison if first < second else comparison.reversed()

    def components(self, rows: IntArray) -> IntArray:
        """Number of the component of each of some rows (rising), through the copies among them."""
        alike = np.array([key for key, one in self.compared.items() if one.score >= self.threshold])
        alike = alike.reshape(-1, 2)
        alike = alike[np.isin(alike, rows).all(axis=1)]
        ends = np.searchsorted(rows, alike)
        graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(rows), len(rows)))
        return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)

    def connect(self, pairs: Pairs) -> None:
        """Compare candidates, nearest first, but for those that earlier ones have already brought together.

        So that a picture with 50 copies costs about 50 comparisons, not 50 times the neighbours of each.
        """
        order = np.lexsort((pairs.second, pairs.first, pairs.distance))
        first, second, symmetry = (one[order] for one in (pairs.first, pairs.second, pairs.symmetry))
        new = [key not in self.compared for key in zip(first.tolist(), second.tolist(), strict=True)]
        waiting = np.flatnonzero(new)
        rows = self.similarity.rows
        ends = np.searchsorted(rows, np.stack([first, second]))
        while True:
            component = self.components(rows)
            one, other = component[ends[0, waiting]], component[ends[1, waiting]]
            waiting, one, other = (array[one != other] for array in (waiting, one, other))
            if not len(waiting):
                return
            # Each component takes its nearest link, as in Boruvka's spanning tree.
            nearest = np.unique(
                np.concatenate([np.unique(end, return_index=True)[1] for end in (one, other)])
            )
            taken = waiting[nearest]
            self.compare([(int(first[i]), int(second[i]), int(symmetry[i])) for i in taken])
            waiting = np.delete(waiting, nearest)

    def search_again(self) -> bool:
        """Look further where a picture's copies took all its neighbours; False where nothing was found."""
        rows = self.similarity.rows
        component = self.components(rows)
        large = np.bincount(component)[component] > NEIGHBOURS
        if not large.any():
            return False
        _, first = np.unique(component, return_index=True)
        before = int(component.max())
        self.connect(self.similarity.near(rows[~large | np.isin(np.arange(len(rows)), first)]))
        return int(self.components(rows).max()) < before

    def stars(self, rows: IntArray) -> Iterator[tuple[int, list[Comparison]]]:
        """Split what hangs together into pictures that stay, each with the copies that are like it itself."""
        while len(rows) > 1:
            kept = int(rows[0])
            self._compare_with(kept, rows)
            for row in rows.tolist():
                comparison = self.of(kept, row)
                if comparison is not None and comparison.worse < 0:
                    kept = row
                    self._compare_with(kept, rows)
            copies = [one for row in rows.tolist() if (one := self.of(kept, row)) is not None]
            if copies:
                yield kept, copies
            rows = rows[~np.isin(rows, [kept, *(one.second for one in copies)])]

    def _compare_with(self, kept: int, rows: IntArray) -> None:
        others = [
            row
            for row in rows.tolist()
            if row != kept and (min(row, kept), max(row, kept)) not in self.compared
        ]
        if others:
            ends = np.sort(np.stack([np.full(len(others), kept), others], axis=1), axis=1)
            pairs = self.similarity.sieve(ends[:, 0], ends[:, 1])
            self.compare(
                list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.symmetry.tolist(), strict=True))
            )


def _finding(measurements: Measurements, kept: int, copies: list[Comparison], threshold: float) -> Finding:
    copies = sorted(copies, key=lambda one: (-one.score, one.second))
    rows = [kept, *(one.second for one in copies)]
    told = [
        f"row {one.second} is row {kept} {one.words()} ({one.score:.1f} % alike)"
        for one in copies[:_PAIRS_TOLD]
    ]
    more = f"; and {len(copies) - _PAIRS_TOLD} more" if len(copies) > _PAIRS_TOLD else ""
    conflict = ""
    if len(set(measurements.labels[rows].tolist())) > 1:
        conflict = f" Conflict: their labels differ ({per_class(measurements, np.array(rows))})."
    # A group holds together as long as its weakest link does.
    score = min(one.score for one in copies)
    return Finding(
        check="near_duplicates",
        rows=tuple(rows),
        image_ids=tuple(measurements.image_ids[row] for row in rows),
        score=score,
        flagged=score >= threshold,
        suggested={str(row): "drop" if position else "keep" for position, row in enumerate(rows)},
        evidence=f"{'; '.join(told).replace('row', 'Row', 1)}{more}.{conflict}",
    )


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    unique = measurements.unique_rows
    rows = unique[measurements["contrast"][unique] >= _LEAST_CONTRAST]
    if len(rows) < 2:
        return []
    copies = _Copies(Similarity(measurements, images, rows), images, threshold)
    copies.connect(copies.similarity.near())
    below = [one for one in copies.compared.values() if 0 < one.score < threshold and one.score >= lowest]
    for _ in range(_SEARCHES):
        if not copies.search_again():
            break
    component = copies.components(rows)
    order = np.argsort(component, kind="stable")
    groups = np.split(rows[order], np.flatnonzero(np.diff(component[order])) + 1)
    findings = [
        _finding(measurements, kept, alike, threshold)
        for group in groups
        if len(group) > 1
        for kept, alike in copies.stars(group)
    ]
    below.sort(key=lambda one: (-one.score, one.first, one.second))
    for one in below:
        better = one if one.worse >= 0 else one.reversed()
        findings.append(_finding(measurements, better.first, [better], threshold))
    return sorted(findings, key=lambda finding: (-finding.score, finding.rows))


NEAR_DUPLICATES = Check(
    name="near_duplicates",
    title="Near duplicates",
    description="The same picture saved anew, resized, cropped, turned or brightened; the best copy stays.",
    threshold=_THRESHOLD,
    threshold_range=(60.0, 100.0),
    unit="% alike, laid over each other",
    search=_find,
    measures=("tone", "appearance", "thumbnails"),
    scope="group",
    version=5,
)
