"""Pictures of something else: unlike all the rest, or one picture over and over.

A picture's distance is the Mahalanobis distance to the core of the set, whose mean and covariance are
re-estimated from the nearest 60 % a few times over (the concentration step of Rousseeuw and Van Driessen,
"A fast algorithm for the minimum covariance determinant estimator", Technometrics 41, 1999), so that up to
a fifth of foreign pictures do not make themselves the norm. Each fifth of the pictures is measured against
a core found in the other four (cross-validation), because a core fits the pictures that made it too well,
the more so the fewer there are. The score is that distance over an ordinary one, the 30th percentile of the
set: it needs no further scale, whose own error would decide about small sets. A second distance, to the core
of the picture's own class, sees what the variety of the classes hides: where it is the larger, the geometric
mean of the two counts. Ten copies (times the usual number of copies) score as much as the threshold. Settled
in docs/decisions/003-finding-foreign-images.md.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import Check, findings_of_pictures, per_class
from wbc_core.curation.measure import Measurements
from wbc_core.curation.measures.appearance import COLOUR_FEATURES
from wbc_core.curation.within_class import class_distances
from wbc_core.records import Finding

_CORE_SHARE = 0.6
_CONCENTRATION_STEPS = 5
_FOLDS = 5
_IMAGES_PER_AXIS = 5
_SHRINKAGE = 1e-3
_MANY_COPIES = 10
_FEWEST = 20
_LEAST_CORRELATION_SPREAD = 0.03
_CLIP = 20.0
_ORDINARY = 0.3
"""Quantile of the distances that counts as ordinary; a fifth of foreign pictures hardly moves it."""

_THRESHOLD = 16.5
_CLASS_THRESHOLD = 14.0
"""Distance within a class that counts as much as the threshold."""

_KEPT = 0.99
"""Share of known pictures that are familiar whatever they look like."""

_MOST_SECONDED = 1.35
"""How many times the first distance the second can make of it."""

_FEWEST_OF_CLASS = 100
"""A smaller class does not tell what is foreign to it."""


def _scale(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The median and the spread of every feature, float64 (d,) each."""
    centre = np.median(features, axis=0)
    spread = 1.4826 * np.median(np.abs(features - centre), axis=0)
    # A feature that is nearly constant must not turn one odd image into an infinite distance.
    spread = np.maximum(spread, 0.1 * features.std(axis=0)) + 1e-6
    # Correlations of cells crowd near 1: without a floor every other picture would lie at the clip below.
    correlations = slice(len(COLOUR_FEATURES) - 3, len(COLOUR_FEATURES))
    spread[correlations] = np.maximum(spread[correlations], _LEAST_CORRELATION_SPREAD)
    return centre, spread


def _standardise(
    features: NDArray[np.float64], centre: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    standard: NDArray[np.float64] = np.clip((features - centre) / spread, -_CLIP, _CLIP)
    return standard


def _distances(points: NDArray[np.float64], core: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mahalanobis distances (n,) of pictures to the mean and covariance of a core, from 0."""
    centre = core.mean(axis=0)
    centred = core - centre
    values, axes = np.linalg.eigh(centred.T @ centred / (len(core) - 1))
    # Few images support few axes: the rest share one variance (probabilistic PCA, Tipping and Bishop 1999).
    unsupported = max(0, len(values) - len(core) // _IMAGES_PER_AXIS)
    if unsupported:
        values[:unsupported] = values[:unsupported].mean()
    values = np.maximum(values, 0.0) * (1 - _SHRINKAGE) + _SHRINKAGE * max(float(values.mean()), 1e-9)
    return np.asarray(np.sqrt((((points - centre) @ axes) ** 2 / values).mean(axis=1)))


def _core_of(standard: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest 60 % of some pictures, after the concentration steps."""
    distances = (np.minimum(np.abs(standard), 5.0) ** 2).mean(axis=1)
    for _ in range(_CONCENTRATION_STEPS - 1):
        distances = _distances(standard, standard[distances <= np.quantile(distances, _CORE_SHARE)])
    return np.asarray(standard[distances <= np.quantile(distances, _CORE_SHARE)])


def _held_out_distances(standard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each picture to a core found without it, float64 (n,), from 0."""
    # Shuffled, so that no class or slide that comes every fifth row makes up a fold.
    fold = np.random.default_rng(0).permutation(len(standard)) % _FOLDS
    held_out = np.empty(len(standard))
    for number in range(_FOLDS):
        held_out[fold == number] = _distances(standard[fold == number], _core_of(standard[fold != number]))
    return held_out


def _unlikeness(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many times as far from the core as an ordinary picture each is, and its standardised features.

    All zeros where there are too few pictures to tell what is ordinary.
    """
    plain = features.astype(np.float64)
    standard = _standardise(plain, *_scale(plain))
    if len(features) < _FEWEST:
        return np.zeros(len(features)), standard
    distances = _held_out_distances(standard)
    return distances / _ordinary(distances), standard


def _ordinary(distances: NDArray[np.float64]) -> float:
    return max(float(np.quantile(distances, _ORDINARY)), 1e-3)


class Familiar:
    """What is ordinary among some pictures, by which others are judged as the check judges a set.

    Without the check's second distance, to the core of a picture's class: others have no labels.

    Args:
        features: Measure `appearance` of the pictures that are known, (n, d), each picture once.
    """

    def __init__(self, features: NDArray[np.floating]) -> None:
        known = features[:, : len(COLOUR_FEATURES)].astype(np.float64)
        self.enough = len(known) >= _FEWEST
        """Whether there are enough pictures to tell what is ordinary."""
        self.threshold = _THRESHOLD
        """Unlikeness from which a picture is foreign: the check's, or what 1 % of the known ones exceed."""
        if self.enough:
            self._scale = _scale(known)
            standard = _standardise(known, *self._scale)
            self._core = _core_of(standard)
            distances = _held_out_distances(standard)
            self._usual = _ordinary(distances)
            # What the lab kept is familiar, however odd: a set of two very different halves has such.
            self.threshold = max(_THRESHOLD, float(np.quantile(distances, _KEPT)) / self._usual)

    def unlikeness(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """How many times as far from the core as an ordinary picture each is.

        Args:
            features: Measure `appearance` of the pictures to judge, (m, d).

        Returns:
            float64 (m,); foreign from `threshold` on. All zeros where there are not `enough` known pictures.
        """
        if not self.enough or not len(features):
            return np.zeros(len(features))
        judged = features[:, : len(COLOUR_FEATURES)].astype(np.float64)
        return _distances(_standardise(judged, *self._scale), self._core) / self._usual


def _find(
    measurements: Measurements, images: NDArray[np.uint8], threshold: float, lowest: float
) -> list[Finding]:
    # Each picture counts once: one that is there 1,600 times cannot pass for what is normal.
    unique = measurements.unique_rows
    colours = measurements["appearance"][unique, : len(COLOUR_FEATURES)]
    unlike, standard = _unlikeness(colours)
    within = class_distances(colours, measurements.labels[unique], _FEWEST_OF_CLASS)
    copies = measurements.copies[unique]
    # In a set where every picture comes several times, that many is no sign of anything.
    many = _MANY_COPIES * max(1.0, float(np.median(copies)))
    repeated = np.where(copies > 1, copies * (_THRESHOLD / many), 0.0)
    # Both must see it: alone, a class that is mostly foreign would call its own cells foreign.
    seconded = np.sqrt(unlike * within * (_THRESHOLD / _CLASS_THRESHOLD))
    seconded = np.minimum(seconded, _MOST_SECONDED * unlike)
    scores = np.maximum(np.maximum(unlike, seconded), repeated)
    groups = measurements.rows_of_pictures
    return findings_of_pictures(
        "foreign",
        measurements,
        np.where(scores > 1.0, scores, 0.0),
        threshold,
        lowest,
        suggest=lambda position: "drop",
        explain=lambda position: _evidence(
            measurements,
            groups[position],
            float(unlike[position]),
            float(within[position]),
            standard[position],
        ),
    )


def _evidence(
    measurements: Measurements,
    rows: NDArray[np.int64],
    unlike: float,
    within: float,
    standard: NDArray[np.float64],
) -> str:
    sentences = []
    if len(rows) > 1:
        sentences.append(
            f"The same picture is there {len(rows):,} times ({per_class(measurements, rows)}); "
            f"{_MANY_COPIES} copies are flagged whatever they show."
        )
    if unlike > 0:
        oddest = np.argsort(-np.abs(standard), kind="stable")[:2]
        features = " and ".join(
            _in_words(COLOUR_FEATURES[index], measurements["appearance"][rows[0], index], standard[index])
            for index in oddest
        )
        sentences.append(
            f"It is {unlike:,.1f} times as unlike the rest as an ordinary picture, "
            f"and {_THRESHOLD:g} is flagged; oddest: {features}."
        )
    seconded = within * (_THRESHOLD / _CLASS_THRESHOLD)
    if seconded > unlike > 0:
        label = measurements.class_names[measurements.labels[rows[0]]]
        sentences.append(
            f"Its colours are {within:,.1f} times as far from those of {label} as is usual in that class "
            f"({_CLASS_THRESHOLD:g} counts like {_THRESHOLD:g} above; the geometric mean of both decides)."
        )
    return " ".join(sentences)


def _in_words(feature: str, value: float, deviations: float) -> str:
    least = "at least " if abs(deviations) >= _CLIP else ""
    side = "below" if deviations < 0 else "above"
    return f"its {feature} is {value:.3g}, {least}{abs(deviations):.0f} deviations {side} the usual"


FOREIGN = Check(
    name="foreign",
    title="Foreign pictures",
    description="Pictures of something else: unlike all the rest, or one picture repeated many times.",
    threshold=_THRESHOLD,
    threshold_range=(8.0, 60.0),
    unit="times as unlike the rest as an ordinary picture",
    search=_find,
    measures=("appearance",),
    version=4,
)
