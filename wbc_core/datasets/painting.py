"""The brushes that the procedural blood cells are painted with: masks, textures and blends of one picture.

Every mask is float32 of shape (SIZE, SIZE), 0..1; every picture float32 of shape (SIZE, SIZE, 3), 0..255.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 96
Mask = NDArray[np.float32]
Picture = NDArray[np.float32]
Colour = tuple[float, float, float]

_SUBPIXEL_BITS = 4
_ANGLES = np.linspace(0, 2 * np.pi, 72, endpoint=False)
_Y, _X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)


def blur(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Gaussian blur with a standard deviation in pixels."""
    blurred = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return blurred.astype(np.float32, copy=False)


def texture(generator: np.random.Generator, sigma: float) -> Mask:
    """Smooth random field of zero mean and unit deviation whose bumps are about `sigma` pixels wide."""
    reduction = max(1, int(sigma / 2))
    side = SIZE // reduction + 2
    field = blur(generator.standard_normal((side, side), dtype=np.float32), sigma / reduction)
    bumps = cv2.resize(field, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).astype(np.float32, copy=False)
    standard: Mask = (bumps - bumps.mean()) / (bumps.std() + np.float32(1e-6))
    return standard


def outline(
    generator: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    *,
    roughness: float = 0.03,
    elongation: float = 1.0,
    harmonics: int = 6,
) -> NDArray[np.float64]:
    """Closed random outline around a centre.

    Args:
        generator: Source of the shape.
        centre: x and y, in pixels.
        radius: Mean radius, in pixels.
        roughness: Deviation of the radius, as a share of it; falls off with the harmonic.
        elongation: Longer over shorter axis.
        harmonics: Number of waves that shape the outline; more make it more jagged.

    Returns:
        Points of shape (72, 2), x and y in pixels.
    """
    orders = np.arange(2, harmonics + 2)
    amplitudes = generator.normal(0, roughness, harmonics) / np.sqrt(orders - 1)
    phases = generator.uniform(0, 2 * np.pi, harmonics)
    radii = radius * (1 + (amplitudes[:, None] * np.cos(orders[:, None] * _ANGLES + phases[:, None])).sum(0))
    stretch, turn = np.sqrt(elongation), generator.uniform(0, np.pi)
    x, y = radii * np.cos(_ANGLES) * stretch, radii * np.sin(_ANGLES) / stretch
    return np.stack(
        [
            centre[0] + x * np.cos(turn) - y * np.sin(turn),
            centre[1] + x * np.sin(turn) + y * np.cos(turn),
        ],
        axis=1,
    )


def fill(points: NDArray[np.float64]) -> Mask:
    """Mask of a closed outline, its edge smoothed over one pixel."""
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    fixed = np.round(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return canvas.astype(np.float32) / np.float32(255)


def discs(centres: Sequence[tuple[float, float]], radii: Sequence[float], thread: float = 0) -> Mask:
    """Mask of discs, consecutive ones joined by a thread of the given width in pixels (0: not joined)."""
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    scale = 1 << _SUBPIXEL_BITS
    fixed = [(round(x * scale), round(y * scale)) for x, y in centres]
    if thread:
        path = np.array(fixed, np.int32)
        cv2.polylines(canvas, [path], False, 255, max(1, round(thread)), cv2.LINE_AA, _SUBPIXEL_BITS)
    for centre, radius in zip(fixed, radii, strict=True):
        cv2.circle(canvas, centre, max(1, round(radius * scale)), 255, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas.astype(np.float32) / np.float32(255)


def organic(generator: np.random.Generator, mask: Mask, amount: float = 0.12, softness: float = 1.4) -> Mask:
    """Give a drawn mask the slightly wavy edge of something grown."""
    soft = blur(mask, softness)
    # The noise counts only where the mask has its edge, so that no speck grows elsewhere.
    edge = soft - 0.5 + amount * texture(generator, 3) * soft * (1 - soft) * 4
    grown: Mask = np.clip(edge * 5 + 0.5, 0, 1).astype(np.float32)
    return grown


def speckles(generator: np.random.Generator, where: Mask, density: float, sigma: float) -> Mask:
    """Small round grains at random places of a mask.

    Args:
        generator: Source of the places and strengths.
        where: Grains appear in proportion to this mask.
        density: Grains per pixel.
        sigma: Radius of a grain, in pixels.
    """
    chance = generator.random((SIZE, SIZE), dtype=np.float32)
    strength = generator.random((SIZE, SIZE), dtype=np.float32) * 0.6 + 0.4
    grains = np.where(chance < density * where, strength, np.float32(0))
    spread: Mask = np.clip(blur(grains, sigma) * (2 * np.pi * sigma**2) * 1.1, 0, 1).astype(np.float32)
    return spread


def rim(mask: Mask, width: float) -> Mask:
    """The inner border of a mask, strongest at its edge, about `width` pixels wide."""
    border: Mask = np.clip(mask * (1 - blur(mask, width)) * 2, 0, 1).astype(np.float32)
    return border


def blend(picture: Picture, colour: Colour, alpha: Mask) -> None:
    """Paint a colour over a picture, in place, as strongly as the mask says."""
    picture += alpha[..., None] * (np.asarray(colour, np.float32) - picture)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Colour between two, `share` of the way to the second."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def light(generator: np.random.Generator) -> Mask:
    """Uneven illumination around 1: a tilted plane and a little fall-off towards the corners."""
    angle, tilt = generator.uniform(0, 2 * np.pi), generator.uniform(0, 0.05)
    across = (_X * np.cos(angle) + _Y * np.sin(angle)) / SIZE
    off_centre = ((_X / SIZE - 0.5) ** 2 + (_Y / SIZE - 0.5) ** 2) * generator.uniform(0, 0.12)
    shade: Mask = (1 + tilt * (across - across.mean()) * 2 - off_centre).astype(np.float32)
    return shade
