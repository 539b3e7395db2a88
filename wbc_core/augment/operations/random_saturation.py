"""RandomSaturation: multiply the saturation (HSV) of each image by a random gain."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter

_EPSILON = 1e-7


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    low, high = sorted((settings["factor_low"], settings["factor_high"]))
    factor = low + (high - low) * uniform[:, 0]
    # Keras' own scale: 0 is grey, 0.5 leaves the image, 1 is as colourful as can be.
    return {"gain": factor / (1 - factor + _EPSILON)}


def _apply(images: Images, drawn: Drawn) -> Images:
    # With value v = max(r, g, b) and saturation s = (v - min) / v, scaling s by a gain moves every channel c
    # to v - gain * (v - c), whatever the hue; s <= 1 caps the gain at v / (v - min).
    result = np.empty_like(images)
    gains = drawn["gain"].astype(np.float32)
    for position, image in enumerate(images):
        channels = cv2.split(image)
        value = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
        spread = cv2.subtract(value, cv2.min(cv2.min(channels[0], channels[1]), channels[2]))
        level = value.astype(np.float32)
        gain = np.minimum(gains[position], level / np.maximum(spread, 1))
        moved = [np.rint(level - gain * cv2.subtract(value, channel)) for channel in channels]
        result[position] = cv2.merge(moved)
    return result


OPERATION = OperationType(
    name="random_saturation",
    title="Random saturation",
    effect="Makes the colours paler or stronger, as stains and cameras do.",
    source="keras.layers.RandomSaturation (value range 0..1)",
    parameters=(
        Parameter("factor_low", "Palest", 0.3, 0.0, 1.0, 0.05, "0 grey, 0.5 as is", "less colour when lower"),
        Parameter(
            "factor_high", "Strongest", 0.7, 0.0, 1.0, 0.05, "0.5 as is, 1 full", "more colour when higher"
        ),
    ),
    draws=1,
    words="saturation x {gain:.2f}",
    scale=_scale,
    apply=_apply,
)
