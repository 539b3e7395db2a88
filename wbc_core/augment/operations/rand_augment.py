"""RandAugment: a few operations one after the other, each drawn anew for every image."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations import auto_contrast, colour, equalize, geometry, solarization, tone
from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter

Values = NDArray[np.float64]

MOST = 5
"""Largest number of operations for an image."""

RATE = 10 / 11
"""How often a drawn operation is applied: the paper's policy has "identity" as an eleventh."""

STEP_DRAWS = 5
"""Uniform numbers that one operation of an image takes."""

_ADDITION = 110
_NONE = -1


def _nothing(first: Values, second: Values) -> Drawn:
    return {}


def _named(*names: str) -> Callable[[Values, Values], Drawn]:
    return lambda first, second: dict(zip(names, (first, second), strict=False))


def _one_way(name: str, other: str) -> Callable[[Values, Values], Drawn]:
    return lambda first, second: {name: first, other: np.zeros_like(first)}


POLICY: tuple[tuple[str, OperationType, Callable[[Values, Values], Drawn]], ...] = (
    ("auto contrast", auto_contrast.OPERATION, _nothing),
    ("equalize", equalize.OPERATION, _nothing),
    ("solarize", solarization.OPERATION, _named("addition", "threshold")),
    ("colour", colour.GRAYSCALE, _named("amount")),
    ("contrast", tone.CONTRAST, _named("gain")),
    ("brightness", tone.BRIGHTNESS, _named("addition")),
    ("shear x", geometry.SHEAR, _one_way("across", "down")),
    ("shear y", geometry.SHEAR, _one_way("down", "across")),
    ("move x", geometry.TRANSLATION, _one_way("right", "down")),
    ("move y", geometry.TRANSLATION, _one_way("down", "right")),
)
"""The operations drawn from: short name, operation, and its drawn parameters from one or two values."""


def _values(
    uniform: NDArray[np.float64], shape: tuple[int, int, int], magnitude: float, spread: float
) -> tuple[Values, Values]:
    """The values that each operation of the policy would get, each float64 (operations, n)."""
    radius, angle = np.sqrt(-2 * np.log1p(-uniform[:, 2])), 2 * np.pi * uniform[:, 3]
    strength = magnitude + spread * radius * np.cos(angle)
    share = np.clip(strength, 0, 1)
    threshold = np.clip(1 - magnitude + spread * radius * np.sin(angle), 0, 1)
    around = magnitude * (2 * uniform[:, 4] - 1)
    signed = np.where(uniform[:, 4] < 0.5, -share, share)
    zero = np.zeros(len(uniform))
    height, width = shape[:2]
    first = [zero, zero, _ADDITION * share, share, 1 + around, 255 * around, signed, signed]
    first += [width * around, height * around]
    second = [255 * threshold if name == "solarize" else zero for name, _, _ in POLICY]
    return np.stack(first), np.stack(second)


def draw_step(
    uniform: NDArray[np.float64], shape: tuple[int, int, int], magnitude: float, spread: float
) -> tuple[Values, Values, Values]:
    """Draw one operation of the policy for each image.

    Args:
        uniform: Uniform numbers in [0, 1), float64 (n, STEP_DRAWS).
        shape: Height, width, channels, in pixels.
        magnitude: 0 weakest, 1 strongest.
        spread: Standard deviation of the magnitude.

    Returns:
        Index into `POLICY`, or -1 for none, and the operation's one or two values, each float64 (n,).
    """
    images = np.arange(len(uniform))
    chosen = np.floor(uniform[:, 0] * len(POLICY)).astype(int)
    first, second = _values(uniform, shape, magnitude, spread)
    index = np.where(uniform[:, 1] < RATE, chosen, _NONE).astype(np.float64)
    return index, first[chosen, images], second[chosen, images]


def apply_step(images: Images, index: Values, first: Values, second: Values) -> None:
    """Apply one drawn operation of the policy to each image, in place.

    Args:
        images: uint8 (n, H, W, 3).
        index: Index into `POLICY`, or -1 for none, float64 (n,).
        first: The operation's first value, float64 (n,).
        second: Its second value, float64 (n,).
    """
    for number, (_, operation, named) in enumerate(POLICY):
        chosen = np.flatnonzero(index == number)
        if len(chosen):
            images[chosen] = operation.apply(images[chosen], named(first[chosen], second[chosen]))


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    drawn: Drawn = {}
    for step in range(round(settings["operations"])):
        own = uniform[:, step * STEP_DRAWS : (step + 1) * STEP_DRAWS]
        values = draw_step(own, shape, settings["magnitude"], settings["spread"])
        drawn |= dict(zip((f"operation_{step}", f"first_{step}", f"second_{step}"), values, strict=True))
    return drawn


def _apply(images: Images, drawn: Drawn) -> Images:
    result = images.copy()
    for step in range(len(drawn) // 3):
        apply_step(result, drawn[f"operation_{step}"], drawn[f"first_{step}"], drawn[f"second_{step}"])
    return result


def _words(drawn: Mapping[str, float]) -> str:
    chosen = [int(drawn[f"operation_{step}"]) for step in range(len(drawn) // 3)]
    return ", ".join(POLICY[index][0] for index in chosen if index != _NONE) or "as it is"


OPERATION = OperationType(
    name="rand_augment",
    title="RandAugment",
    effect="Applies a few operations drawn from ten, one after the other, each at a strength of its own.",
    source="keras_cv.layers.RandAugment; Cubuk et al. 2020, arXiv:1909.13719",
    parameters=(
        Parameter("operations", "Operations", 3.0, 1.0, float(MOST), 1.0, "an image", "more changes"),
        Parameter(
            "magnitude", "Magnitude", 0.5, 0.0, 1.0, 0.05, "0 weakest, 1 strongest", "stronger changes"
        ),
        Parameter(
            "spread", "Spread", 0.15, 0.0, 1.0, 0.05, "deviation of the magnitude", "strengths differ more"
        ),
    ),
    draws=MOST * STEP_DRAWS,
    words=_words,
    scale=_scale,
    apply=_apply,
)
