"""Two pictures laid over each other: how alike they are, what differs, and which is the better copy.

They are aligned by the enhanced correlation coefficient (Evangelidis and Psarakis, IEEE TPAMI 30, 2008).
The score is the correlation of their fine detail, in percent. What differs is read from slopes: where the
second is the first without some of its detail, the first regressed on the second has a slope above 1; where
it is the first with grain added, a slope below 1, and the second regressed on the first stays at 1.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.similarity import INVERSES, SYMMETRIES, apply_symmetry

_SIDE = 64
_SMOOTHING = 1.0
_SHADING = 5.0
_ECC_SMOOTHING = 3
_LEAST_OVERLAP = 0.7
_COARSE = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-3)
_FINE = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-5)
_WORTH_REFINING = 90.0
_CROPPED_FROM = 1.015
_SHIFTED_FROM = 0.02
_TONE_FROM = 0.02
_STILL = 0.5
"""Pixels of the pictures themselves up to which a copy lies where its original does."""

_BANDS = ((0.0, 1.0), (1.0, 2.5))
_SLOPE = 0.03
_COLOUR_SLOPE = 0.1
_GRAIN = 0.01
_EVEN = 0.75
_LATTICE = 0.1
_CLIPPED = 0.005
_SHADES = 2.0

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """How the pictures of two rows differ; each figure describes the second as a copy of the first.

    Attributes:
        first: Row.
        second: Row.
        score: Correlation of their fine detail, 0..100 %.
        symmetry: Index into `SYMMETRIES`: what turns the first into the second.
        zoom: Above 1 where the second is a crop, brought to full size again.
        shift: How far the second lies off the first, as a share of the side.
        gain: Brightness of the second over that of the first.
        softer: 1 where the second has lost detail (blurred or resized), -1 where the first has, else 0.
        clipped: The same for shades that ran into white.
        noisier: The same for added grain.
        saved: The same for JPEG of lower quality.
    """

    first: int
    second: int
    score: float
    symmetry: int
    zoom: float
    shift: float
    gain: float
    softer: int = 0
    clipped: int = 0
    noisier: int = 0
    saved: int = 0

    @property
    def worse(self) -> int:
        """1 where the second is the worse copy, -1 where the first is, 0 where neither is.

        A crop shows less, and nothing brings that back; then count lost shades, detail, grain and JPEG.
        """
        cropped = (self.zoom > _CROPPED_FROM) - (self.zoom < 1 / _CROPPED_FROM)
        return cropped or self.clipped or self.softer or self.noisier or self.saved

    def reversed(self) -> "Comparison":
        """The same, with the first described as a copy of the second."""
        return Comparison(
            first=self.second,
            second=self.first,
            score=self.score,
            symmetry=INVERSES[self.symmetry],
            zoom=1 / self.zoom,
            shift=self.shift,
            gain=1 / self.gain,
            softer=-self.softer,
            clipped=-self.clipped,
            noisier=-self.noisier,
            saved=-self.saved,
        )

    def words(self) -> str:
        """Say what was done to the first to get the second: `turned by 180 degrees, 9 % darker`."""
        changes = [SYMMETRIES[self.symmetry]] if self.symmetry else []
        if self.zoom > _CROPPED_FROM:
            changes.append(f"cropped to {100 / self.zoom:.0f} % of the side")
        if self.zoom < 1 / _CROPPED_FROM:
            changes.append(f"showing more ({100 / self.zoom:.0f} % of the side)")
        if self.shift > _SHIFTED_FROM:
            changes.append(f"shifted by {100 * self.shift:.0f} % of the side")
        if abs(self.gain - 1) > _TONE_FROM:
            changes.append(f"{100 * abs(self.gain - 1):.0f} % {'brighter' if self.gain > 1 else 'darker'}")
        changes += {1: ["softer (blurred or resized)"], -1: ["sharper"]}.get(self.softer, [])
        changes += {1: ["clipped"], -1: ["less clipped"]}.get(self.clipped, [])
        changes += {1: ["noisier"], -1: ["less noisy"]}.get(self.noisier, [])
        changes += {1: ["saved as JPEG"], -1: ["less compressed"]}.get(self.saved, [])
        return ", ".join(changes) or "with hardly a difference"


def _grey(image: NDArray[np.uint8]) -> FloatArray:
    """Grey picture, 64 px square, smoothed so that grain and JPEG blocks do not count."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    method = cv2.INTER_AREA if min(grey.shape) >= _SIDE else cv2.INTER_LINEAR
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=method)
    return np.asarray(cv2.GaussianBlur(small.astype(np.float32), (0, 0), _SMOOTHING), dtype=np.float32)


def _align(
    first: FloatArray, second: FloatArray, start: NDArray[np.float64], steps: tuple[int, int, float]
) -> NDArray[np.float64]:
    """Affine map (2, 3) from places in `first` to places in `second`, both (64, 64)."""
    everywhere = np.full(first.shape, 255, dtype=np.uint8)
    try:
        _, found = cv2.findTransformECC(
            first,
            second,
            start.astype(np.float32),
            cv2.MOTION_AFFINE,
            steps,
            everywhere,
            _ECC_SMOOTHING,
        )
    except cv2.error:  # It did not converge: they are compared as they lie.
        return start
    return np.asarray(found, dtype=np.float64)


def _likeness(one: FloatArray, other: FloatArray, warp: NDArray[np.float64]) -> tuple[float, float]:
    """Correlation of the fine detail in percent, 0 where they hardly overlap, and gain of the second."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = np.asarray(cv2.warpAffine(other, warp, one.shape, flags=flags), dtype=np.float32)
    inside = np.asarray(cv2.warpAffine(np.ones_like(other), warp, one.shape, flags=flags)) > 0.999
    if inside.mean() < _LEAST_OVERLAP:
        return 0.0, 1.0
    # Broad shading is alike in all pictures of one lab; the detail tells whether it is the same cell.
    weight = inside.astype(np.float32)
    shading = np.maximum(cv2.GaussianBlur(weight, (0, 0), _SHADING), 1e-3)
    first, second = (
        (picture - cv2.GaussianBlur(picture * weight, (0, 0), _SHADING) / shading)[inside]
        for picture in (one, laid)
    )
    power = float(np.sqrt((first @ first) * (second @ second)))
    likeness = float(first @ second) / power if power > 0 else 0.0
    gain = max(float(laid[inside].mean()), 1.0) / max(float(one[inside].mean()), 1.0)
    return round(100.0 * max(likeness, 0.0), 2), gain


def compare(
    images: NDArray[np.uint8], first: int, second: int, symmetry: int
) -> tuple[Comparison, NDArray[np.float64]]:
    """Lay two pictures over each other.

    Args:
        images: uint8 (n, height, width, 3).
        first: Row.
        second: Row.
        symmetry: Index into `SYMMETRIES`: what turns the second into the first, roughly.

    Returns:
        The comparison without `softer`, `noisier` and `saved`, and the affine map (2, 3) for `tell_apart`.
    """
    one = _grey(np.array(images[first]))
    other = np.ascontiguousarray(apply_symmetry(_grey(np.array(images[second])), symmetry), dtype=np.float32)
    warp = _align(one, other, np.eye(2, 3), _COARSE)
    score, gain = _likeness(one, other, warp)
    if score >= _WORTH_REFINING:
        warp = _align(one, other, warp, _FINE)
        score, gain = _likeness(one, other, warp)
    zoom = max(float(np.sqrt(abs(np.linalg.det(warp[:, :2])))), 1e-3)
    middle = np.full(2, _SIDE / 2)
    shift = float(np.hypot(*(warp @ [*middle, 1.0] - middle))) / _SIDE
    return Comparison(first, second, score, INVERSES[symmetry], zoom, shift, gain), warp


def _band(picture: FloatArray, band: tuple[float, float]) -> FloatArray:
    fine = cv2.GaussianBlur(picture, (0, 0), band[0]) if band[0] else picture
    return np.asarray(fine - cv2.GaussianBlur(picture, (0, 0), band[1]), dtype=np.float32)


def _quiet_over_busy(rest: FloatArray, busy: FloatArray) -> float:
    """How strong something is where a picture is even, over where it is busy; grain is the same in both."""
    low, high = np.quantile(busy, [0.3, 0.7])
    quiet, loud = (rest[busy <= low] ** 2).mean(), (rest[busy >= high] ** 2).mean()
    return float(np.sqrt(quiet / max(float(loud), 1e-9)))


def _zeros(image: NDArray[np.uint8]) -> float:
    """Share of the coefficients of JPEG's 8 x 8 blocks that are nothing."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    high, wide = (side // 8 for side in grey.shape)
    if not high or not wide:
        return 0.0
    wave = np.stack([np.asarray(cv2.dct(row)).ravel() for row in np.eye(8, dtype=np.float32)], axis=1)
    blocks = grey[: 8 * high, : 8 * wide].reshape(high, 8, wide, 8).transpose(0, 2, 1, 3)
    return float((np.abs(wave @ blocks @ wave.T) < 1).mean())


def _clipped(bright: NDArray[np.uint8], dark: NDArray[np.uint8]) -> bool:
    """Whether the brighter one is plain white where the darker one still has shades."""
    shades = np.asarray(cv2.GaussianBlur(dark, (0, 0), 1.0), dtype=np.float32)
    # Away from the border of what is white, where smoothing mixes in what is not.
    white = np.asarray(
        cv2.erode((bright == 255).astype(np.uint8), np.ones((5, 5), dtype=np.uint8)), dtype=bool
    )
    return any(
        white[..., channel].mean() > _CLIPPED and shades[white[..., channel], channel].std() > _SHADES
        for channel in range(3)
    )


def _slopes(one: FloatArray, other: FloatArray) -> tuple[float, float]:
    """Slope of the second regressed on the first, and of the first on the second."""
    together = float((one * other).mean())
    return together / max(float((one**2).mean()), 1e-9), together / max(float((other**2).mean()), 1e-9)


def tell_apart(images: NDArray[np.uint8], comparison: Comparison, warp: NDArray[np.float64]) -> Comparison:
    """Add to a comparison which of the two is softer, noisier or saved as JPEG.

    Only pictures that lie pixel on pixel are told apart: moving one would soften it.

    Args:
        images: uint8 (n, height, width, 3).
        comparison: What `compare` found.
        warp: What it returned beside it.
    """
    image = np.array(images[comparison.first])
    height, width, _ = image.shape
    corners = np.array([[0, 0, 1], [_SIDE, 0, 1], [0, _SIDE, 1], [_SIDE, _SIDE, 1]], dtype=np.float64)
    moved = np.abs(corners @ warp.T - corners[:, :2]) * np.array([width, height]) / _SIDE
    copy = np.array(images[comparison.second])
    turned = np.asarray(apply_symmetry(copy, INVERSES[comparison.symmetry]), dtype=np.uint8)
    if moved.max() > _STILL or turned.shape != image.shape:
        return comparison
    one, other = (
        np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), dtype=np.float32)
        for picture in (image, turned)
    )
    other /= comparison.gain
    colour = [
        np.asarray(picture[..., 0].astype(np.float32) - picture[..., 1], dtype=np.float32)
        for picture in (image, turned)
    ]
    planes: list[tuple[FloatArray, FloatArray, tuple[float, float]]] = [(one, other, band) for band in _BANDS]
    planes.append((colour[0], np.asarray(colour[1] / comparison.gain, dtype=np.float32), _BANDS[0]))
    slopes = [_slopes(_band(a, band), _band(b, band)) for a, b, band in planes]
    softer = [
        (forth < 1 - slope and back > 1 + slope) - (back < 1 - slope and forth > 1 + slope)
        for (forth, back), slope in zip(slopes, (_SLOPE, _SLOPE, _COLOUR_SLOPE), strict=True)
    ]
    forth, back = slopes[0]
    rest = _band(other, _BANDS[0]) - _band(one, _BANDS[0])
    even = _quiet_over_busy(rest, np.abs(_band(one + other, (1.0, 3.0)))) >= _EVEN
    added = (back < 1 - _GRAIN and forth > 1 - _SLOPE) - (forth < 1 - _GRAIN and back > 1 - _SLOPE)
    noisier = added if even else 0
    zeros = _zeros(copy) - _zeros(image)
    saved = 0 if noisier else int(zeros > _LATTICE) - int(zeros < -_LATTICE)
    brighter = 1 if comparison.gain > 1 else -1
    clipped = _clipped(turned, image) if brighter > 0 else _clipped(image, turned)
    worse = softer[0] or softer[1]
    return replace(
        comparison,
        softer=worse,
        clipped=brighter if clipped else 0,
        noisier=noisier,
        saved=0 if worse else saved or softer[2],
    )
