"""The same picture again, but saved, resized, cropped, turned, mirrored, brightened or grained on the way.

Candidates come from `similarity`; each is then laid over the other (enhanced correlation coefficient,
Evangelidis and Psarakis, IEEE TPAMI 30, 2008) and the
score is the correlation of their fine detail, in percent.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.checks.base import SHOWN_BELOW, Check, per_class
from wbc_core.curation.measure import Measurements
from wbc_core.curation.similarity import SYMMETRIES, apply_symmetry, candidate_pairs
from wbc_core.records import Finding

_SIDE = 64
_SMOOTHING = 1.0
_BAND = 5.0
_ECC_SMOOTHING = 3
_LEAST_OVERLAP = 0.7
_LEAST_CONTRAST = 3.0
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
_THRESHOLD = 96.0


@dataclass(frozen=True)
class _Match:
    """Two rows, how alike they are (percent), and what turns the second into the first."""

    first: int
    second: int
    score: float
    symmetry: int
    zoom: float
    gain: float


def _grey(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey picture, 64 px square, smoothed so that grain and JPEG blocks do not count."""
    grey = cv2.cvtColor(np.array(image), cv2.COLOR_RGB2GRAY)
    method = cv2.INTER_AREA if min(grey.shape) >= _SIDE else cv2.INTER_LINEAR
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=method)
    return np.asarray(cv2.GaussianBlur(small.astype(np.float32), (0, 0), _SMOOTHING), dtype=np.float32)


def _compare(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, float, float]:
    """Likeness in percent, zoom and gain from `second` to `first`, both float32 (64, 64)."""
    still, everywhere = np.eye(2, 3, dtype=np.float32), np.full(first.shape, 255, dtype=np.uint8)
    try:
        _, found = cv2.findTransformECC(
            first, second, still.copy(), cv2.MOTION_AFFINE, _STEPS, everywhere, _ECC_SMOOTHING
        )
        warp = np.asarray(found, dtype=np.float32)
    except cv2.error:  # It did not converge: they are compared as they lie.
        warp = still
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(second, warp, (_SIDE, _SIDE), flags=flags)
    inside = cv2.warpAffine(np.ones_like(second), warp, (_SIDE, _SIDE), flags=flags) > 0.999
    weight = inside.astype(np.float32)
    zoom = float(np.sqrt(abs(np.linalg.det(warp[:, :2].astype(np.float64)))))
    if inside.mean() < _LEAST_OVERLAP:
        return 0.0, zoom, 1.0
    # Broad shading is alike in all pictures of one lab; the detail tells whether it is the same cell.
    shading = np.maximum(cv2.GaussianBlur(weight, (0, 0), _BAND), 1e-3)
    one, other = (
        (picture - cv2.GaussianBlur(picture * weight, (0, 0), _BAND) / shading)[inside]
        for picture in (first, laid)
    )
    power = float(np.sqrt((one @ one) * (other @ other)))
    likeness = float(one @ other) / power if power > 0 else 0.0
    gain = float(first[inside].mean() / max(float(laid[inside].mean()), 1.0))
    return round(100.0 * max(likeness, 0.0), 2), zoom, gain


def _matches(measurements: Measurements, images: NDArray[np.uint8]) -> list[_Match]:
    """Every candidate pair, compared on its pixels, most alike first."""
    unique = measurements.unique_rows
    rows = unique[measurements["contrast"][unique] >= _LEAST_CONTRAST]
    pairs = candidate_pairs(measurements, images, rows)
    pictures = {int(row): _grey(images[row]) for row in np.union1d(pairs.first, pairs.second)}

    def match(first: int, second: int, symmetry: int) -> _Match:
        turned = np.ascontiguousarray(apply_symmetry(pictures[second], symmetry), dtype=np.float32)
        score, zoom, gain = _compare(pictures[first], turned)
        return _Match(first, second, score, symmetry, zoom, gain)

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        matches = pool.map(match, pairs.first.tolist(), pairs.second.tolist(), pairs.symmetry.tolist())
        return sorted(matches, key=lambda match: (-match.score, match.first, match.second))


def _groups(matches: list[_Match]) -> Iterator[list[_Match]]:
    """Matches that hang together through shared rows."""
    root: dict[int, int] = {}

    def find(row: int) -> int:
        while root.setdefault(row, row) != row:
            row = root[row]
        return row

    for match in matches:
        root[find(match.second)] = find(match.first)
    together: dict[int, list[_Match]] = {}
    for match in matches:
        together.setdefault(find(match.first), []).append(match)
    yield from together.values()


def _in_words(match: _Match) -> str:
    changes = [SYMMETRIES[match.symmetry]] if match.symmetry else []
    if abs(match.zoom - 1) > 0.01:
        shown = min(match.zoom, 1 / match.zoom)
        changes.append(f"one cropped to {100 * shown:.0f} % of the other's side")
    if abs(match.gain - 1) > 0.02:
        tone = "darker" if match.gain > 1 else "brighter"
        changes.append(f"{100 * abs(1 / match.gain - 1):.0f} % {tone}")
    words = "".join(f", {change}" for change in changes)
    alike = f"{match.score:.1f} % alike"
    return f"row {match.second} shows the same picture as row {match.first}{words} ({alike})"


def _finding(measurements: Measurements, matches: list[_Match], threshold: float) -> Finding:
    rows = sorted({row for match in matches for row in (match.first, match.second)})
    # The better copy is the sharper one: saving, resizing and cropping only ever lose detail.
    rows.sort(key=lambda row: -float(measurements["sharpness"][row]))
    # A group holds together as long as its weakest link does.
    score = min(match.score for match in matches)
    shown = "; ".join(_in_words(match) for match in matches[:3]).replace("row", "Row", 1)
    more = f"; and {len(matches) - 3} more pairs" if len(matches) > 3 else ""
    conflict = ""
    if len(set(measurements.labels[rows].tolist())) > 1:
        conflict = f" Conflict: their labels differ ({per_class(measurements, np.array(rows))})."
    return Finding(
        check="near_duplicates",
        rows=tuple(rows),
        image_ids=tuple(measurements.image_ids[row] for row in rows),
        score=score,
        flagged=score >= threshold,
        suggested={str(row): "drop" if position else "keep" for position, row in enumerate(rows)},
        evidence=f"{shown}{more}.{conflict}",
    )


def _find(measurements: Measurements, images: NDArray[np.uint8], threshold: float) -> list[Finding]:
    matches = _matches(measurements, images)
    alike = [match for match in matches if match.score >= threshold]
    below = [match for match in matches if 0 < match.score < threshold][:SHOWN_BELOW]
    findings = [_finding(measurements, group, threshold) for group in _groups(alike)]
    findings += [_finding(measurements, [match], threshold) for match in below]
    return sorted(findings, key=lambda finding: (-finding.score, finding.rows))


NEAR_DUPLICATES = Check(
    name="near_duplicates",
    title="Near duplicates",
    description="The same picture saved anew, resized, cropped, turned or brightened; the sharpest stays.",
    threshold=_THRESHOLD,
    threshold_range=(60.0, 100.0),
    unit="% alike, laid over each other",
    find=_find,
    measures=("tone", "appearance", "thumbnails"),
    scope="group",
    version=2,
)
