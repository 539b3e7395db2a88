"""How uneven the classes are: the largest over the smallest that has any image."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, per_class
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    counts = np.bincount(measurements.labels, minlength=len(measurements.class_names))
    filled = np.flatnonzero(counts)
    if len(filled) < 2:
        return []
    largest = filled[np.argmax(counts[filled])]
    smallest = filled[np.argmin(counts[filled])]
    ratio = round(float(counts[largest] / counts[smallest]), 2)
    if ratio <= 1.0:
        return []
    evidence = (
        f"{measurements.class_names[largest]} has {ratio:,.1f} times as many images as "
        f"{measurements.class_names[smallest]}. As imported, whatever was decided since: "
        f"{per_class(measurements, np.arange(len(measurements)))}. Look at macro-F1 beside accuracy, and "
        "balance the training part if the small classes suffer."
    )
    return [Finding("imbalance", (), (), ratio, ratio >= threshold, {}, evidence)]


IMBALANCE = Check(
    name="imbalance",
    title="Imbalance",
    description="How many times as many images the largest class has as the smallest; nothing is suggested.",
    threshold=3.0,
    threshold_range=(1.0, 50.0),
    unit="times as many images in the largest class as in the smallest",
    search=_find,
    scope="set",
    version=2,
)
