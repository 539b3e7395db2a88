"""Pictures of something else: unlike all the rest, or one picture over and over.

The distance is a Mahalanobis distance to the core of the set, whose mean and covariance are re-estimated from
the nearest 60 % a few times over (the concentration step of Rousseeuw and Van Driessen, "A fast algorithm for
the minimum covariance determinant estimator", Technometrics 41, 1999), so that up to a fifth of foreign
pictures do not make themselves the norm. Settled in docs/decisions/003-finding-foreign-images.md.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.appearance import COLOUR_FEATURES
from wbc_core.curation.checks.base import Check, copies_of, per_class, worth_showing
from wbc_core.curation.measure import Measurements
from wbc_core.records import Finding

_CORE_SHARE = 0.6
_CONCENTRATION_STEPS = 5
_IMAGES_PER_AXIS = 15
_SHRINKAGE = 1e-3
_MANY_COPIES = 10
_FEWEST = 20
_LEAST_CORRELATION_SPREAD = 0.03
_CENTRE, _NEAR = 0.3, 0.05
"""Quantiles of the log distance that serve as its centre and, one unit below it, as its scale."""

_THRESHOLD = 11.6


def _standardise(features: NDArray[np.float64]) -> NDArray[np.float64]:
    centre = np.median(features, axis=0)
    spread = 1.4826 * np.median(np.abs(features - centre), axis=0)
    # A feature that is nearly constant must not turn one odd image into an infinite distance.
    spread = np.maximum(spread, 0.1 * features.std(axis=0)) + 1e-6
    # Correlations of cells crowd near 1: without a floor every other picture would lie at the clip below.
    correlations = slice(len(COLOUR_FEATURES) - 3, len(COLOUR_FEATURES))
    spread[correlations] = np.maximum(spread[correlations], _LEAST_CORRELATION_SPREAD)
    standard: NDArray[np.float64] = np.clip((features - centre) / spread, -20.0, 20.0)
    return standard


def _distances(standard: NDArray[np.float64], core: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean squared Mahalanobis distance of every image to the mean and covariance of the core."""
    centred = standard - standard[core].mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(centred[core], rowvar=False))
    # Few images support few axes: the rest share one variance (probabilistic PCA, Tipping and Bishop 1999).
    unsupported = max(0, len(values) - int(core.sum()) // _IMAGES_PER_AXIS)
    if unsupported:
        values[:unsupported] = values[:unsupported].mean()
    values = np.maximum(values, 0.0) * (1 - _SHRINKAGE) + _SHRINKAGE * max(float(values.mean()), 1e-9)
    distances: NDArray[np.float64] = ((centred @ axes) ** 2 / values).mean(axis=1)
    return distances


def _unlikeness(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How unlike the core each picture is (units of the log distance), and its standardised features."""
    standard = _standardise(features.astype(np.float64))
    if len(features) < _FEWEST:
        return np.zeros(len(features)), standard
    distances = (np.minimum(np.abs(standard), 5.0) ** 2).mean(axis=1)
    for _ in range(_CONCENTRATION_STEPS):
        distances = _distances(standard, distances <= np.quantile(distances, _CORE_SHARE))
    logarithm = np.log(distances + 1e-9)
    ordinary, near = np.quantile(logarithm, [_CENTRE, _NEAR])
    # Both quantiles lie in the part that a fifth of foreign pictures hardly moves; median and MAD do not.
    return (logarithm - ordinary) / max(float(ordinary - near), 1e-6), standard


def _find(measurements: Measurements, images: NDArray[np.uint8], threshold: float) -> list[Finding]:
    # Each picture counts once: one that is there 1,600 times cannot pass for what is normal.
    unique = measurements.unique_rows
    colours = measurements.appearance[unique, : len(COLOUR_FEATURES)]
    unlike, standard = _unlikeness(colours)
    copies = measurements.copies[unique]
    # In a set where every picture comes several times, that many is no sign of anything.
    many = _MANY_COPIES * max(1.0, float(np.median(copies)))
    scores = np.maximum(unlike, np.where(copies > 1, copies * (_THRESHOLD / many), 0.0))
    positions = worth_showing(scores, threshold)
    groups = copies_of(measurements)
    findings = []
    for position in positions:
        rows = groups[position]
        findings.append(
            Finding(
                check="foreign",
                rows=tuple(rows.tolist()),
                image_ids=tuple(measurements.image_ids[row] for row in rows),
                score=float(scores[position]),
                flagged=bool(scores[position] >= threshold),
                suggested={str(row): "drop" for row in rows},
                evidence=_evidence(measurements, rows, float(unlike[position]), standard[position]),
            )
        )
    return findings


def _evidence(
    measurements: Measurements, rows: NDArray[np.int64], unlike: float, standard: NDArray[np.float64]
) -> str:
    oddest = np.argsort(-np.abs(standard), kind="stable")[:2]
    features = " and ".join(
        f"{COLOUR_FEATURES[index]} {measurements.appearance[rows[0], index]:.1f} "
        f"({standard[index]:+.1f} deviations)"
        for index in oddest
    )
    sentence = f"Its look is {unlike:.1f} steps of log distance from the rest, most of all {features}"
    if len(rows) == 1:
        return f"{sentence}."
    labels = per_class(measurements, rows)
    return f"One picture is there {len(rows):,} times ({labels}). {sentence}."


FOREIGN = Check(
    name="foreign",
    title="Foreign pictures",
    description="Pictures of something else: unlike all the rest, or one picture repeated many times.",
    threshold=_THRESHOLD,
    threshold_range=(6.0, 30.0),
    unit="steps of log distance, one from the 5th to the 30th percentile (ten copies count as 11.6)",
    find=_find,
)
