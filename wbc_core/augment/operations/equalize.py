"""Equalize: spread each channel's grey levels evenly over the range."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    return {}


def _apply(images: Images, drawn: Drawn) -> Images:
    result = np.empty_like(images)
    for position, image in enumerate(images):
        cv2.merge([cv2.equalizeHist(channel) for channel in cv2.split(image)], dst=result[position])
    return result


OPERATION = OperationType(
    name="equalize",
    title="Equalize",
    effect="Spreads each channel's grey levels evenly over 0 to 255; a flat channel stays as it is.",
    source="keras.layers.Equalization; Cubuk et al. 2019, AutoAugment, appendix A",
    parameters=(),
    draws=0,
    words="nothing random",
    scale=_scale,
    apply=_apply,
)
