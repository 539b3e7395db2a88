"""Images unlike the other images of their own class: worth a look, whatever the reason.

Two things count: how far the colours and the texture are from those of the class, in steps of how far they
usually are, and how little the other images support the label (see `label_errors`), which multiplies that by
up to e^3 = 20. The first finds foreign pictures and damage, the second cells of another class. Settled in
docs/decisions/007-features-for-labels.md.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures
from wbc_core.curation.measure import Measurements
from wbc_core.curation.support import label_support
from wbc_core.curation.within_class import class_distances
from wbc_core.records import Finding

_THRESHOLD = 150.0
_SUPPORT_WEIGHT = 3.0
_ORDINARY = 3.0
"""Up to here nothing is told: any class has some images that far out."""


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    unique = measurements.unique_rows
    support = label_support(measurements)
    distances = class_distances(measurements["appearance"][unique], support.labels)
    missing = np.where(support.judged, np.clip(1.0 - support.own, 0.0, 1.0), 0.0)
    scores = distances * np.exp(_SUPPORT_WEIGHT * missing)
    names = measurements.class_names

    def explain(position: int) -> str:
        label = names[support.labels[position]]
        look = (
            f"Its colours and texture are {distances[position]:,.1f} times as far from those of {label} "
            "as is usual in that class"
        )
        if not support.judged[position]:
            return f"{look}."
        return f"{look}, and {100 * (1 - missing[position]):.0f} % of the usual support for {label} is there."

    return findings_of_pictures(
        "class_outliers",
        measurements,
        np.where(scores > _ORDINARY, scores, 0.0),
        threshold,
        lowest,
        suggest=lambda position: None,
        explain=explain,
    )


CLASS_OUTLIERS = Check(
    name="class_outliers",
    title="Class outliers",
    description="Images unlike the others of their own class, whatever the reason, for a person to judge.",
    threshold=_THRESHOLD,
    threshold_range=(5.0, 500.0),
    unit="times as unlike its class as a usual image of it",
    search=_find,
    measures=("appearance", "features"),
    version=2,
)
