"""Maps drawn over the image that they are about: colour where it matters, grey where it does not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wbc_core.evaluation.explanations import Explanation, MixUp, enlarged

FloatArray = NDArray[np.float32]
Colour = tuple[int, int, int]

_OPACITY = 0.85
_PALE = 0.55
"""Opacity rises by this power of a value, so that half the largest value is still seen."""

LEAST_SIDE = 288
"""Images smaller than this are drawn by a whole factor larger, in pixels."""


@dataclass(frozen=True)
class Scale:
    """What a map's colours mean.

    Attributes:
        title: What is measured.
        unit: Its unit.
        positive: Colours from 0 up, evenly spaced; no colour at 0.
        negative: Colours from 0 down; empty where no value is below 0.
    """

    title: str
    unit: str
    positive: tuple[Colour, ...]
    negative: tuple[Colour, ...] = ()


# Of the maps inferno (van der Walt and Smith) and RdBu's ends: told apart by colour-blind eyes, and unlike
# the violets and pinks of a stained cell.
GRAD_CAM = Scale(
    title="Grad-CAM",
    unit="nats of the logit",
    positive=((120, 28, 109), (202, 71, 47), (251, 157, 7), (252, 255, 164)),
)
OCCLUSION = Scale(
    title="Probability lost when covered",
    unit="points",
    positive=((244, 165, 60), (214, 94, 0), (140, 45, 4)),
    negative=((120, 180, 225), (33, 102, 172), (5, 48, 97)),
)


def _colours(values: FloatArray, colours: tuple[Colour, ...]) -> FloatArray:
    """Colours (n, m, 3) of values 0..1."""
    places = np.linspace(0.0, 1.0, len(colours))
    channels = [np.interp(values, places, [colour[c] for colour in colours]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def overlay(image: NDArray[np.uint8], values: FloatArray, scale: Scale, largest: float) -> NDArray[np.uint8]:
    """Lay a map over the grey image.

    Args:
        image: uint8 (H, W, 3).
        values: float32 (H, W).
        scale: Its colours.
        largest: The value, above or below 0, that has the full colour; larger ones have it too.

    Returns:
        uint8 (H, W, 3).

    Example:
        >>> image = np.full((1, 2, 3), 100, np.uint8)
        >>> overlay(image, np.array([[0.0, 2.0]], np.float32), GRAD_CAM, 2.0).tolist()
        [[[100, 100, 100], [229, 232, 154]]]
    """
    grey = (image @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.float32)[..., None]
    strength = np.clip(np.abs(values) / max(largest, 1e-12), 0.0, 1.0).astype(np.float32)
    colours = _colours(strength, scale.positive)
    if scale.negative:
        colours = np.where(values[..., None] < 0, _colours(strength, scale.negative), colours)
    opacity = (_OPACITY * strength**_PALE)[..., None]
    mixed = grey * (1 - opacity) + colours * opacity
    return np.asarray(np.rint(mixed).clip(0, 255), np.uint8)


def drawn_size(shape: tuple[int, ...], least: int = LEAST_SIDE) -> tuple[int, int]:
    """Height and width of an image brought by a whole factor to at least so many pixels a side.

    Example:
        >>> drawn_size((96, 96, 3)), drawn_size((100, 200, 3)), drawn_size((360, 360, 3))
        ((288, 288), (300, 600), (360, 360))
    """
    factor = -(-least // min(shape[:2])) if min(shape[:2]) < least else 1
    return shape[0] * factor, shape[1] * factor


def drawn(image: NDArray[np.uint8], least: int = LEAST_SIDE) -> NDArray[np.uint8]:
    """An image in the size of `drawn_size`, bicubic, uint8 (H', W', 3)."""
    height, width = drawn_size(image.shape, least)
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def draw_grad_cam(about: Explanation | MixUp, label: int, largest: float) -> NDArray[np.uint8]:
    """Grad-CAM of a class over the enlarged image, uint8 (H', W', 3)."""
    image = drawn(about.image)
    return overlay(image, enlarged(about.grad_cam[label], image.shape), GRAD_CAM, largest)


def draw_occlusion(explanation: Explanation, label: int, largest: float) -> NDArray[np.uint8]:
    """Occlusion map of a class over the enlarged image, uint8 (H', W', 3)."""
    image = drawn(explanation.image)
    return overlay(image, enlarged(explanation.occlusion_map(label), image.shape), OCCLUSION, largest)


def shown_classes(about: Explanation | MixUp) -> dict[str, int]:
    """The classes whose maps are drawn: `predicted`, and `true` where that is known and another one."""
    true = about.true if isinstance(about, MixUp) else about.label
    wrong = true is not None and true != about.predicted
    return {"predicted": about.predicted, **({"true": true} if wrong and true is not None else {})}


def largest_grad_cam(about: Explanation | MixUp) -> float:
    """The largest Grad-CAM among the classes that are drawn: one scale for all, so that they compare."""
    return float(max(about.grad_cam[label].max(initial=0.0) for label in shown_classes(about).values()))


def largest_drop(explanation: Explanation) -> float:
    """The largest drop or rise, 0..1, among the occlusion maps that are drawn: one scale for all."""
    maps = [explanation.occlusion_map(label) for label in shown_classes(explanation).values()]
    return float(max(np.abs(one).max() for one in maps))


def ramp(scale: Scale, width: int = 240, height: int = 12) -> NDArray[np.uint8]:
    """The colours of a scale over even grey, the lowest value first, uint8 (height, width, 3)."""
    lowest = -1.0 if scale.negative else 0.0
    values = np.broadcast_to(np.linspace(lowest, 1.0, width, dtype=np.float32), (height, width))
    return overlay(np.full((height, width, 3), 150, np.uint8), values, scale, 1.0)
