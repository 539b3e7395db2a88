"""CutMix: a rectangle of another image, and as much of its label."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.mixes.beta import ALPHA, beta_quantiles
from wbc_core.augment.operations.kinds import Drawn, Images, MixType


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    height, width = shape[:2]
    side = np.sqrt(beta_quantiles(uniform[:, 0], settings["alpha"]))
    return {
        "centre_x": np.floor(uniform[:, 1] * width),
        "centre_y": np.floor(uniform[:, 2] * height),
        "height": np.rint(side * height),
        "width": np.rint(side * width),
    }


def _mix(images: Images, partners: Images, drawn: Drawn) -> tuple[Images, NDArray[np.float64]]:
    height, width = images.shape[1:3]
    top = np.clip(drawn["centre_y"] - drawn["height"] // 2, 0, height).astype(int)
    bottom = np.clip(drawn["centre_y"] - drawn["height"] // 2 + drawn["height"], 0, height).astype(int)
    left = np.clip(drawn["centre_x"] - drawn["width"] // 2, 0, width).astype(int)
    right = np.clip(drawn["centre_x"] - drawn["width"] // 2 + drawn["width"], 0, width).astype(int)
    result = images.copy()
    for position in range(len(images)):
        box = slice(top[position], bottom[position]), slice(left[position], right[position])
        result[position][box] = partners[position][box]
    return result, (bottom - top) * (right - left) / (height * width)


MIX = MixType(
    name="cut_mix",
    title="CutMix",
    effect="Pastes a rectangle of another image, and mixes the labels by its area.",
    source="keras_cv.layers.CutMix; Yun et al. 2019, arXiv:1905.04899, section 3.2",
    parameters=(ALPHA,),
    draws=3,
    words="{width:.0f} x {height:.0f} px of another image at {centre_x:.0f}, {centre_y:.0f}",
    scale=_scale,
    mix=_mix,
)
