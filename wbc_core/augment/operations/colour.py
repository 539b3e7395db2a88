"""Hue and grayscale: what a pixel's three channels become together."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter

Uniform = NDArray[np.float64]
Shape = tuple[int, int, int]

_SHARES = (np.arange(256) / 255).astype(np.float32)
# ITU-R BT.601, with TensorFlow's digits.
_LUMA = np.array([0.2989, 0.587, 0.114])


def _hue(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    return {"degrees": 180 * settings["factor"] * (2 * uniform[:, 0] - 1)}


def _turn_hue(images: Images, drawn: Drawn) -> Images:
    result = np.empty_like(images)
    for position, image in enumerate(images):
        colours = cv2.cvtColor(cv2.LUT(image, _SHARES), cv2.COLOR_RGB2HSV)
        # OpenCV goes wrong below 0 degrees, not above 360.
        colours[..., 0] += drawn["degrees"][position] % 360
        turned = cv2.cvtColor(colours, cv2.COLOR_HSV2RGB)
        cv2.convertScaleAbs(turned, dst=result[position], alpha=255)
    return result


def _amount(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    low, high = sorted((settings["factor_low"], settings["factor_high"]))
    return {"amount": low + (high - low) * uniform[:, 0]}


def _towards_grey(images: Images, drawn: Drawn) -> Images:
    amount = drawn["amount"][:, None, None]
    mixes = (np.eye(3) * (1 - amount) + amount * _LUMA).astype(np.float32)
    result = np.empty_like(images)
    for position, image in enumerate(images):
        cv2.transform(image, mixes[position], dst=result[position])
    return result


HUE = OperationType(
    name="hue",
    title="Hue",
    effect="Turns every colour around the colour circle by the same angle.",
    source="keras.layers.RandomHue",
    parameters=(
        Parameter(
            "factor", "Turn", 0.1, 0.0, 1.0, 0.05, "share of half a circle, at most", "stranger colours"
        ),
    ),
    draws=1,
    words="hue {degrees:+.0f}°",
    scale=_hue,
    apply=_turn_hue,
)
GRAYSCALE = OperationType(
    name="grayscale",
    title="Grayscale",
    effect="Takes some or all of the colour away, so that shape has to tell the class.",
    source="keras.layers.RandomColorDegeneration; keras.layers.RandomGrayscale at 1",
    parameters=(
        Parameter("factor_low", "Least", 0.5, 0.0, 1.0, 0.05, "0 as is, 1 grey", "less colour when higher"),
        Parameter("factor_high", "Most", 1.0, 0.0, 1.0, 0.05, "0 as is, 1 grey", "less colour when higher"),
    ),
    draws=1,
    words=lambda drawn: f"{drawn['amount']:.0%} grey",
    scale=_amount,
    apply=_towards_grey,
)
