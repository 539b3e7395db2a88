"""Sharpness and Gaussian blur: a microscope in and out of focus."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter

Uniform = NDArray[np.float64]
Shape = tuple[int, int, int]

# PIL's SMOOTH filter, which Keras takes as the blurred end of the scale.
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
_AS_IS = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])


def _sharpness(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    low, high = sorted((settings["factor_low"], settings["factor_high"]))
    return {"factor": low + (high - low) * uniform[:, 0]}


def _sharpen(images: Images, drawn: Drawn) -> Images:
    result = np.empty_like(images)
    for position, image in enumerate(images):
        weight = 2 * drawn["factor"][position]
        # The mix of two images is one filter: rounded once, and one pass.
        cv2.filter2D(image, -1, weight * _AS_IS + (1 - weight) * _SMOOTH, dst=result[position])
    return result


def _sigma(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    low, high = sorted((settings["sigma_low"], settings["sigma_high"]))
    return {"sigma": low + (high - low) * uniform[:, 0]}


def _blur(images: Images, drawn: Drawn) -> Images:
    result = np.empty_like(images)
    for position, image in enumerate(images):
        sigma = float(drawn["sigma"][position])
        # Three deviations to either side hold 99.7 % of the kernel.
        size = 2 * int(np.ceil(3 * sigma)) + 1
        cv2.GaussianBlur(image, (size, size), sigma, dst=result[position])
    return result


SHARPNESS = OperationType(
    name="sharpness",
    title="Sharpness",
    effect="Softens or sharpens the edges a little.",
    source="keras.layers.RandomSharpness; Cubuk et al. 2019, AutoAugment, appendix A",
    parameters=(
        Parameter("factor_low", "Softest", 0.0, 0.0, 1.0, 0.05, "0 soft, 0.5 as is", "sharper when higher"),
        Parameter(
            "factor_high", "Sharpest", 1.0, 0.0, 1.0, 0.05, "0.5 as is, 1 sharp", "sharper when higher"
        ),
    ),
    draws=1,
    words="sharpness {factor:.2f}",
    scale=_sharpness,
    apply=_sharpen,
)
GAUSSIAN_BLUR = OperationType(
    name="gaussian_blur",
    title="Gaussian blur",
    effect="Blurs the image as a lens out of focus does.",
    source="keras.layers.RandomGaussianBlur, the kernel three deviations wide to either side",
    parameters=(
        Parameter("sigma_low", "Least", 0.3, 0.0, 5.0, 0.1, "px, standard deviation", "stronger blur"),
        Parameter("sigma_high", "Most", 1.5, 0.0, 5.0, 0.1, "px, standard deviation", "stronger blur"),
    ),
    draws=1,
    words="blur {sigma:.2f} px",
    scale=_sigma,
    apply=_blur,
)
