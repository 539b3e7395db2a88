"""MixUp: a weighted mean of two images and of their labels."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.mixes.beta import ALPHA, beta_quantiles
from wbc_core.augment.operations.kinds import Drawn, Images, MixType


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    return {"share": beta_quantiles(uniform[:, 0], settings["alpha"])}


def _mix(images: Images, partners: Images, drawn: Drawn) -> tuple[Images, NDArray[np.float64]]:
    result = np.empty_like(images)
    for position, share in enumerate(drawn["share"]):
        cv2.addWeighted(
            images[position], 1 - share, partners[position], share, 0, dst=result[position], dtype=cv2.CV_8U
        )
    return result, drawn["share"]


MIX = MixType(
    name="mix_up",
    title="MixUp",
    effect="Blends two images and their labels, so that the network is less sure between classes.",
    source="keras_cv.layers.MixUp; Zhang et al. 2018, arXiv:1710.09412",
    parameters=(ALPHA,),
    draws=1,
    words="{share:.0%} of another image",
    scale=_scale,
    mix=_mix,
)
