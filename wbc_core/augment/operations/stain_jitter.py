"""Stain jitter: more or less of each dye, in optical density."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter

# Optical densities of methylene blue and eosin (Giemsa) in red, green, blue: G. Landini's vectors for the
# colour deconvolution of Ruifrok and Johnston 2001. The third direction is what neither dye explains.
_DYES = np.array([[0.834750233, 0.513556283, 0.196330403], [0.092789, 0.954111, 0.283111]])
_DIRECTIONS = np.vstack([_DYES, np.cross(_DYES[0], _DYES[1])])
_DIRECTIONS /= np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)
_UNMIX = np.linalg.inv(_DIRECTIONS)
# Macenko et al. 2009, equation 1, on 1..256 so that black has a density too.
_LIGHT = np.log((np.arange(256) + 1) / 256).astype(np.float32)
_ONE = np.array([1.0, 1.0, 1.0, 0.0])


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    around = 2 * uniform - 1
    return {
        "blue_gain": 1 + settings["gain"] * around[:, 0],
        "eosin_gain": 1 + settings["gain"] * around[:, 1],
        "blue_shift": settings["shift"] * around[:, 2],
        "eosin_shift": settings["shift"] * around[:, 3],
    }


def _apply(images: Images, drawn: Drawn) -> Images:
    count = len(images)
    gains = np.stack([drawn["blue_gain"], drawn["eosin_gain"], np.ones(count)], axis=1)
    shifts = np.stack([drawn["blue_shift"], drawn["eosin_shift"], np.zeros(count)], axis=1)
    # density' = (density unmixed * gain + shift) mixed again, which is one matrix; here on -density.
    mixes = _UNMIX @ (gains[:, :, None] * _DIRECTIONS)
    offsets = np.log(256) - shifts @ _DIRECTIONS
    affine = np.concatenate([mixes.transpose(0, 2, 1), offsets[:, :, None]], axis=2).astype(np.float32)
    result = np.empty_like(images)
    for position, image in enumerate(images):
        light = cv2.exp(cv2.transform(cv2.LUT(image, _LIGHT), affine[position]))
        cv2.subtract(light, _ONE, dst=result[position], dtype=cv2.CV_8U)
    return result


OPERATION = OperationType(
    name="stain_jitter",
    title="Stain jitter",
    effect="Takes more or less of methylene blue and eosin, as another batch of Giemsa would.",
    source="Tellez et al. 2018, IEEE TMI 37:2126; optical density of Macenko et al. 2009",
    parameters=(
        Parameter(
            "gain", "Strength", 0.2, 0.0, 0.9, 0.05, "share of each dye, at most", "paler and deeper stains"
        ),
        Parameter(
            "shift", "Veil", 0.05, 0.0, 0.5, 0.01, "optical density, at most", "stains the background too"
        ),
    ),
    draws=4,
    words="blue x {blue_gain:.2f} {blue_shift:+.2f}, eosin x {eosin_gain:.2f} {eosin_shift:+.2f}",
    scale=_scale,
    apply=_apply,
)
