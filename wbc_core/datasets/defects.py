"""Defects to plant into good images: what the curation checks of the lab are there to find."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.datasets.painting import SIZE, blur, fill, texture

Pixels = NDArray[np.uint8]
Generator = np.random.Generator
Defect = Callable[[Generator, Pixels], Pixels]

_ROWS = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None]


def _bytes(values: NDArray[np.floating]) -> Pixels:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def landscape(generator: Generator) -> Pixels:
    """Photograph-like picture that has nothing to do with blood: sky, sun, mountain ridges, a house.

    Args:
        generator: Source of everything random.

    Returns:
        uint8 of shape (96, 96, 3), 0..255.
    """
    top, horizon = generator.uniform(20, 120, 3), generator.uniform(150, 250, 3)
    picture = (top + (horizon - top) * _ROWS).astype(np.float32) * np.ones((SIZE, SIZE, 1), np.float32)
    canvas = np.ascontiguousarray(_bytes(picture + texture(generator, 9)[..., None] * 12))
    sun = (int(generator.integers(12, 84)), int(generator.integers(8, 34)))
    cv2.circle(canvas, sun, int(generator.integers(6, 12)), (255, 236, 170), -1, cv2.LINE_AA)
    for ridge in range(3):
        heights = SIZE * (0.42 + 0.17 * ridge) + generator.normal(0, 7 - ridge, 9)
        corners = np.stack([np.linspace(-4, SIZE + 4, 9), heights], axis=1)
        shape = fill(np.vstack([corners, [[SIZE + 4, SIZE + 4], [-4, SIZE + 4]]]))
        colour = generator.uniform(20, 130, 3) * (0.6 + 0.25 * ridge)
        grain = texture(generator, 1.5)[..., None] * 9
        canvas = _bytes(canvas + shape[..., None] * (colour + grain - canvas))
    x, y, width = (int(value) for value in generator.integers([8, 60, 16], [58, 74, 30]))
    wall, roof = generator.integers(120, 255, 3).tolist(), generator.integers(40, 160, 3).tolist()
    cv2.rectangle(canvas, (x, y), (x + width, y + 18), wall, -1)
    gable = np.array([[x - 3, y], [x + width // 2, y - 12], [x + width + 3, y]], np.int32)
    cv2.fillPoly(canvas, [gable], roof, cv2.LINE_AA)
    cv2.rectangle(canvas, (x + width // 2 - 2, y + 8), (x + width // 2 + 3, y + 18), (40, 30, 30), -1)
    return canvas


def foreign_blend(generator: Generator, image: Pixels) -> Pixels:
    """A foreign picture laid over a cell, 55 % to 45 %, as in the contaminated set of the source report."""
    return _bytes(0.45 * image.astype(np.float32) + 0.55 * landscape(generator))


def recompress(generator: Generator, image: Pixels) -> Pixels:
    """Through JPEG at a quality of 70 to 89."""
    quality = int(generator.integers(70, 90))
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def flip(generator: Generator, image: Pixels) -> Pixels:
    """Mirrored, left to right or upside down."""
    return np.ascontiguousarray(np.flip(image, axis=int(generator.integers(0, 2))))


def quarter_turn(generator: Generator, image: Pixels) -> Pixels:
    """Turned by 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(image, int(generator.integers(1, 4))))


def crop(generator: Generator, image: Pixels) -> Pixels:
    """Cut by two to four pixels at each side and brought back to size."""
    top, bottom, left, right = (int(value) for value in generator.integers(2, 5, 4))
    cut = image[top : SIZE - bottom, left : SIZE - right]
    return np.asarray(cv2.resize(cut, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), np.uint8)


def brighten(generator: Generator, image: Pixels) -> Pixels:
    """A little darker or brighter: by 5 to 10 %."""
    change = generator.uniform(0.05, 0.1) * generator.choice([-1, 1])
    return _bytes(image.astype(np.float32) * (1 + change))


def defocus(generator: Generator, image: Pixels) -> Pixels:
    """Out of focus, by a standard deviation of 3 to 4.5 pixels."""
    return _bytes(blur(image.astype(np.float32), generator.uniform(3, 4.5)))


def underexpose(generator: Generator, image: Pixels) -> Pixels:
    """With 12 to 22 % of the light."""
    return _bytes(image.astype(np.float32) * generator.uniform(0.12, 0.22))


def overexpose(generator: Generator, image: Pixels) -> Pixels:
    """With so much light that most of the picture is white."""
    return _bytes(image.astype(np.float32) * generator.uniform(1.35, 1.6) + generator.uniform(60, 95))


NEAR_DUPLICATES: tuple[Defect, ...] = (recompress, flip, quarter_turn, crop, brighten)
EXPOSURES: tuple[Defect, ...] = (underexpose, overexpose)
