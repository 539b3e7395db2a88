"""Gaussian noise: a value of its own added to every pixel of every channel."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter
from wbc_core.augment.operations.pixels import SEEDS, standard_normal


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    low, high = sorted((settings["deviation_low"], settings["deviation_high"]))
    return {"deviation": low + (high - low) * uniform[:, 0], "seed": np.floor(uniform[:, 1] * SEEDS)}


def _apply(images: Images, drawn: Drawn) -> Images:
    result = np.empty_like(images)
    for position, image in enumerate(images):
        noise = standard_normal(drawn["seed"][position], image.shape)
        noise *= drawn["deviation"][position]
        cv2.add(image, noise, dst=result[position], dtype=cv2.CV_8U)
    return result


OPERATION = OperationType(
    name="gaussian_noise",
    title="Gaussian noise",
    effect="Adds camera noise, different in every pixel.",
    source="keras.layers.GaussianNoise, a deviation an image",
    parameters=(
        Parameter(
            "deviation_low", "Least", 2.0, 0.0, 64.0, 1.0, "grey levels, standard deviation", "more noise"
        ),
        Parameter(
            "deviation_high", "Most", 12.0, 0.0, 64.0, 1.0, "grey levels, standard deviation", "more noise"
        ),
    ),
    draws=2,
    words="noise {deviation:.1f} levels",
    scale=_scale,
    apply=_apply,
)
