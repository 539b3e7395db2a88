"""Classes that are empty, or too small to hold out enough of them for a split of 70 % to 30 %.

Copies count once: duplicates go to the same part. With 10 held-out images of a class its recall is known to
within about 30 points (Wilson's interval at 95 %), with fewer hardly at all.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding
from wbc_core.wording import counted

_HELD_OUT_SHARE = 0.3
_LEAST_HELD_OUT = 10


def _in_words(name: str, images: int, pictures: int) -> str:
    if not pictures and images:
        copies = "its one image is a copy" if images == 1 else f"all its {images:,} images are copies"
        return f"{name} has no picture of its own: {copies} of images that are counted under other classes."
    if not pictures:
        return f"{name} has no image: a classifier cannot learn it. Add images or take the class away."
    held_out = round(_HELD_OUT_SHARE * pictures)
    return (
        f"{name} was imported with {counted(pictures, 'different image')} (what was "
        f"decided since is not counted): a split of 70 % to 30 %, say, holds out {held_out:,}, and "
        f"{_LEAST_HELD_OUT} are needed to say how well it is recognised."
    )


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    classes = len(measurements.class_names)
    images_of = np.bincount(measurements.labels, minlength=classes)
    counts = np.bincount(measurements.labels[measurements.unique_rows], minlength=classes)
    needed = _LEAST_HELD_OUT / _HELD_OUT_SHARE
    # An empty class counts as half an image, so that it is worse than a single one.
    scores = np.round(needed / np.maximum(counts, 0.5), 2)
    return [
        Finding(
            check="class_coverage",
            rows=(),
            image_ids=(),
            score=float(scores[label]),
            flagged=bool(scores[label] >= threshold),
            suggested={},
            evidence=_in_words(measurements.class_names[label], int(images_of[label]), int(counts[label])),
        )
        for label in np.argsort(-scores, kind="stable").tolist()
        if scores[label] > 0
    ]


CLASS_COVERAGE = Check(
    name="class_coverage",
    title="Class coverage",
    description="Classes that are empty or too small for a split of 70 % to 30 %; nothing is suggested.",
    threshold=1.0,
    threshold_range=(0.1, 50.0),
    unit="times too few images to hold out 10",
    search=_find,
    scope="set",
    version=3,
)
