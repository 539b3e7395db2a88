"""The same pixels more than once, whatever the file's format was."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, per_class
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    findings = []
    for rows in measurements.rows_of_pictures:
        if len(rows) < 2:
            continue
        labels = len(set(measurements.labels[rows].tolist()))
        counts = per_class(measurements, rows)
        evidence = f"{len(rows):,} images show the same pixels under the same label ({counts})."
        if labels > 1:
            evidence = (
                f"Conflict: {len(rows):,} images show the same pixels "
                f"under {labels} different labels ({counts})."
            )
        findings.append(
            Finding(
                check="exact_duplicates",
                rows=tuple(rows.tolist()),
                image_ids=tuple(measurements.image_ids[row] for row in rows),
                score=float(len(rows)),
                flagged=len(rows) >= threshold,
                suggested={str(row): "drop" if position else "keep" for position, row in enumerate(rows)},
                evidence=evidence,
            )
        )
    return sorted(findings, key=lambda finding: (-finding.score, finding.rows))


EXACT_DUPLICATES = Check(
    name="exact_duplicates",
    title="Exact duplicates",
    description="Images with exactly the same pixels; the first copy stays. Where labels differ, you decide.",
    threshold=2.0,
    threshold_range=(2.0, 2.0),
    unit="copies",
    search=_find,
    scope="group",
    version=2,
)
