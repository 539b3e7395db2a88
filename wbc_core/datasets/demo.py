"""The plan of the demo data set: which cell lies in which row, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from wbc_core.datasets.apportionment import largest_remainder
from wbc_core.datasets.defects import (
    EXPOSURES,
    NEAR_DUPLICATES,
    Defect,
    defocus,
    foreign_blend,
)

# Images per class of BloodMNIST's train part, whose imbalance of 2.7 : 1 the demo shares.
CLASS_SHARES = (852, 2181, 1085, 2026, 849, 993, 2330, 1643)

# How much of each is planted, as a share of all images; at 800 images: 24, 5, 10, 15, 10, 10, 14.
_REPEATED, _DISTINCT, _EXACT, _NEAR, _BLUR, _EXPOSURE, _SWAPPED = (
    0.03,
    0.00625,
    0.0125,
    0.01875,
    0.0125,
    0.0125,
    0.0175,
)
Truth = dict[str, list[int] | list[list[int]]]


@dataclass(frozen=True)
class PlannedImage:
    """How to make one image.

    Attributes:
        picture: Number of the cell; the same number is the same cell.
        drawn: Class that is painted.
        label: Class that it is stored under.
        defect: What is done to it, if anything.
        planted: Kind of defect, as in the truth file, or "" for a good image.
        group: Number of the pair of duplicates that it belongs to, or -1.
    """

    picture: int
    drawn: int
    label: int
    defect: Defect | None = None
    planted: str = ""
    group: int = -1


def _share(images: int, share: float) -> int:
    return max(2, round(images * share))


def _other(generator: np.random.Generator, label: int) -> int:
    return int((label + generator.integers(1, len(CLASS_SHARES))) % len(CLASS_SHARES))


def _copies(
    generator: np.random.Generator, cells: list[PlannedImage], exact: int, near: int
) -> Iterator[PlannedImage]:
    """Pair cells with copies; every third exact copy lies under another label, as a conflict to settle."""
    for number in range(exact + near):
        original = cells[number]
        kind = "exact_duplicates" if number < exact else "near_duplicates"
        cells[number] = replace(original, planted=kind, group=number)
        conflict = number < exact and number % 3 == 0
        yield replace(
            cells[number],
            label=_other(generator, original.label) if conflict else original.label,
            defect=None if number < exact else NEAR_DUPLICATES[number % len(NEAR_DUPLICATES)],
        )


def plan_demo(generator: np.random.Generator, images: int) -> list[PlannedImage]:
    """Plan every row of a demo set, planted ones in random places.

    Args:
        generator: Source of everything random.
        images: Number of rows.
    """
    repeated, distinct, exact, near, blurred, exposed, swapped = (
        _share(images, share) for share in (_REPEATED, _DISTINCT, _EXACT, _NEAR, _BLUR, _EXPOSURE, _SWAPPED)
    )
    good = images - repeated - distinct - exact - near
    labels = np.repeat(np.arange(len(CLASS_SHARES)), largest_remainder(good, CLASS_SHARES))
    generator.shuffle(labels)
    cells = [PlannedImage(number, int(label), int(label)) for number, label in enumerate(labels)]
    planned = list(_copies(generator, cells, exact, near))
    spoilt = iter(range(exact + near, good))
    for _ in range(blurred):
        number = next(spoilt)
        cells[number] = replace(cells[number], defect=defocus, planted="blur")
    for count in range(exposed):
        number = next(spoilt)
        cells[number] = replace(cells[number], defect=EXPOSURES[count % 2], planted="exposure")
    for _ in range(swapped):
        number = next(spoilt)
        wrong = _other(generator, cells[number].label)
        cells[number] = replace(cells[number], label=wrong, planted="label_errors")
    for copy in range(repeated + distinct):
        # The repeated blend is one picture under every label in turn; the others are one of each.
        label = copy % len(CLASS_SHARES)
        picture = good + max(0, copy - repeated + 1)
        planned.append(PlannedImage(picture, picture % len(CLASS_SHARES), label, foreign_blend, "foreign"))
    planned += cells
    return [planned[position] for position in generator.permutation(images)]


def truth_of(planned: list[PlannedImage]) -> Truth:
    """What is wrong with which rows: a list of rows, or of groups of rows for the duplicates."""
    rows: dict[str, list[int]] = {"foreign": [], "blur": [], "exposure": [], "label_errors": []}
    groups: dict[str, dict[int, list[int]]] = {"exact_duplicates": {}, "near_duplicates": {}}
    for row, image in enumerate(planned):
        if image.planted in groups:
            groups[image.planted].setdefault(image.group, []).append(row)
        elif image.planted:
            rows[image.planted].append(row)
    return {
        "foreign": rows["foreign"],
        "exact_duplicates": list(groups["exact_duplicates"].values()),
        "near_duplicates": list(groups["near_duplicates"].values()),
        "blur": rows["blur"],
        "exposure": rows["exposure"],
        "label_errors": rows["label_errors"],
    }
