"""Elastic: bend the image by a smooth random field of displacements."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter
from wbc_core.augment.operations.pixels import SEEDS, standard_normal


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    return {
        "distance": settings["distance"] * uniform[:, 0],
        "smoothness": np.full(len(uniform), settings["smoothness"]),
        "seed": np.floor(uniform[:, 1] * SEEDS),
    }


def displacement(drawn: Drawn, position: int, height: int, width: int) -> NDArray[np.float32]:
    """Where an image's pixels come from, relative to themselves.

    Args:
        drawn: The drawn parameters.
        position: Which image.
        height: Height in pixels.
        width: Width in pixels.

    Returns:
        float32 (H, W, 2), right and down, in pixels.
    """
    smoothness = float(drawn["smoothness"][position])
    noise = standard_normal(drawn["seed"][position], (height, width, 2))
    # White noise under a Gaussian of deviation s keeps a deviation of 1 / (2 s sqrt(pi)).
    noise *= drawn["distance"][position] * 2 * smoothness * np.sqrt(np.pi)
    size = 2 * int(np.ceil(3 * smoothness)) + 1
    return np.asarray(cv2.GaussianBlur(noise, (size, size), smoothness), dtype=np.float32)


def _apply(images: Images, drawn: Drawn) -> Images:
    height, width = images.shape[1:3]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    result = np.empty_like(images)
    for position, image in enumerate(images):
        right, down = cv2.split(displacement(drawn, position, height, width))
        cv2.remap(
            image,
            columns + right,
            rows + down,
            cv2.INTER_LINEAR,
            dst=result[position],
            borderMode=cv2.BORDER_REFLECT,
        )
    return result


OPERATION = OperationType(
    name="elastic",
    title="Elastic",
    effect="Bends the cell as a smear does.",
    source="keras.layers.RandomElasticTransform; Simard et al. 2003, ICDAR, section 2",
    parameters=(
        Parameter("distance", "Distance", 2.0, 0.0, 10.0, 0.5, "px on average (rms), at most", "bends more"),
        Parameter(
            "smoothness", "Smoothness", 5.0, 1.0, 20.0, 0.5, "px, deviation of the blur", "wider waves"
        ),
    ),
    draws=2,
    words="bent by {distance:.1f} px",
    scale=_scale,
    apply=_apply,
)
