"""How many augmented images the scan would flag as foreign or empty, measured on a sample.

The sample stands among images of the train part and is judged by the scan's own checks at their defaults:
what they call usual is the train part's, not the sample's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from wbc_core.augment.operations import Images
from wbc_core.balance.neighbours import Rows
from wbc_core.curation.checks import CHECKS
from wbc_core.curation.measure import Measurements, measure_chunk
from wbc_core.curation.measures import MEASURES

ASKED = ("foreign", "low_information", "exposure", "contrast")
"""The checks that tell a picture of a cell from one of something else, or of nothing."""

WARN_ABOVE = 0.05
"""Share of the sample from which the page warns, 0..1."""

SAMPLE = 200
"""Augmented images that are judged."""

_REFERENCE_PER_CLASS = 200
# The checks bear a fifth of foreign pictures; each judges a smaller sample at a time.
_LARGEST_SHARE = 0.125

_MEASURES = tuple(
    MEASURES.get(name) for name in dict.fromkeys(m for c in ASKED for m in CHECKS.get(c).measures)
)


@dataclass(frozen=True, eq=False)
class Reference:
    """Measured train images, among which augmented ones are judged.

    Attributes:
        labels: Their labels, int64 (n,).
        class_names: Class names, in label order.
        side: Width and height of an image, in pixels.
        arrays: Their measurements by name.
    """

    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    side: tuple[int, int]
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Verdict:
    """What the scan would say of a sample.

    Attributes:
        images: Images in the sample.
        flagged: How many of them at least one check flags.
        by_check: How many each check flags, by its name, worst first; only those that flag any.
        examples: Places in the sample of those flagged, rising.
    """

    images: int
    flagged: int
    by_check: dict[str, int]
    examples: tuple[int, ...]

    @property
    def share(self) -> float:
        """Share that is flagged, 0..1."""
        return self.flagged / max(self.images, 1)

    @property
    def warns(self) -> bool:
        """Whether so many are flagged that the recipe should be looked at."""
        return self.share > WARN_ABOVE


def measure_reference(images: Images, rows: Sequence[Rows], class_names: Sequence[str]) -> Reference:
    """Measure some train images of every class, evenly over its rows.

    Args:
        images: The data set, uint8 (n, H, W, 3), memory-mapped.
        rows: Train rows of every class, in class order.
        class_names: Class names, in label order.
    """
    chosen = [_evenly(own, _REFERENCE_PER_CLASS) for own in rows]
    labels = np.repeat(np.arange(len(rows)), [len(own) for own in chosen]).astype(np.int64)
    every = np.concatenate(chosen).astype(np.int64)
    arrays = measure_chunk(_MEASURES, np.ascontiguousarray(images[every]))
    return Reference(labels, tuple(class_names), (images.shape[2], images.shape[1]), arrays)


def judge(reference: Reference, images: Images, labels: NDArray[np.integer]) -> Verdict:
    """Ask the scan's checks about augmented images.

    Args:
        reference: Measured train images.
        images: Augmented ones, uint8 (n, H, W, 3).
        labels: Their labels, int (n,).
    """
    arrays = measure_chunk(_MEASURES, np.ascontiguousarray(images)) if len(images) else {}
    batch = max(1, int(_LARGEST_SHARE * len(reference.labels)))
    by_check: dict[str, set[int]] = {name: set() for name in ASKED}
    # As in the scan: threads of BLAS wait for each other longer than such small products take.
    with threadpool_limits(1, user_api="blas"):
        for start in range(0, len(images), batch):
            part = slice(start, min(start + batch, len(images)))
            own = {name: values[part] for name, values in arrays.items()}
            for name, places in _flagged(reference, own, labels[part]).items():
                by_check[name] |= {start + place for place in places}
    flagged = sorted(set().union(*by_check.values()))
    counts = {name: len(places) for name, places in by_check.items() if places}
    ordered = dict(sorted(counts.items(), key=lambda entry: -entry[1]))
    return Verdict(len(images), len(flagged), ordered, tuple(flagged))


def _flagged(
    reference: Reference, arrays: Mapping[str, NDArray[Any]], labels: NDArray[np.integer]
) -> dict[str, set[int]]:
    known = len(reference.labels)
    count = known + len(labels)
    together = Measurements(
        # Every picture counts for itself: a copy that an operation left as it is is no duplicate.
        image_ids=tuple(f"image{place}" for place in range(count)),
        labels=np.concatenate([reference.labels, labels]).astype(np.int64),
        class_names=reference.class_names,
        original_sizes=np.full((count, 2), reference.side, dtype=np.int64),
        arrays={name: np.concatenate([reference.arrays[name], own]) for name, own in arrays.items()},
    )
    nothing = np.empty((0, *reversed(reference.side), 3), dtype=np.uint8)
    found = {}
    for name in ASKED:
        check = CHECKS.get(name)
        findings = check.find(together, nothing, check.threshold, check.threshold)
        rows = {row for finding in findings if finding.flagged for row in finding.rows}
        found[name] = {row - known for row in rows if row >= known}
    return found


def _evenly(values: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    places = np.linspace(0, len(values), min(count, len(values)), endpoint=False).astype(int)
    chosen: NDArray[np.int64] = values[places]
    return chosen
