"""Solarization: invert the pixels at or above a random threshold."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter
from wbc_core.augment.operations.pixels import look_up


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    return {
        "addition": 255 * settings["addition_factor"] * uniform[:, 0],
        "threshold": 255 * settings["threshold_factor"] * uniform[:, 1],
    }


def _apply(images: Images, drawn: Drawn) -> Images:
    raised = np.clip(np.arange(256) + drawn["addition"][:, None], 0, 255)
    return look_up(images, np.where(raised < drawn["threshold"][:, None], raised, 255 - raised))


OPERATION = OperationType(
    name="solarization",
    title="Solarization",
    effect="Turns bright pixels into their negative, from a threshold drawn for each image.",
    source="keras.layers.Solarization; Cubuk et al. 2019, AutoAugment, appendix A",
    parameters=(
        Parameter(
            "addition_factor",
            "Brightening before",
            0.0,
            0.0,
            1.0,
            0.05,
            "share of 255, at most",
            "brightens before inverting",
        ),
        Parameter(
            "threshold_factor",
            "Threshold",
            1.0,
            0.0,
            1.0,
            0.05,
            "share of 255, at most",
            "leaves more dark pixels; 0 inverts all",
        ),
    ),
    draws=2,
    words="from {threshold:.0f}, +{addition:.0f}",
    scale=_scale,
    apply=_apply,
)
