"""Illumination gradient: light that falls off to one side, as from a lamp out of the axis."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    return {"change": settings["strength"] * uniform[:, 0], "degrees": 360 * uniform[:, 1]}


def _apply(images: Images, drawn: Drawn) -> Images:
    height, width = images.shape[1:3]
    rows, columns = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    # From the centre to a corner the light changes by what was drawn.
    reach = max(float(np.hypot(rows[0], columns[0])), 1.0)
    angle = np.deg2rad(drawn["degrees"])
    across = drawn["change"] * np.cos(angle) / reach
    down = -drawn["change"] * np.sin(angle) / reach
    result = np.empty_like(images)
    for position, image in enumerate(images):
        gain = (1 + down[position] * rows[:, None] + across[position] * columns).astype(np.float32)
        cv2.multiply(image, cv2.merge([gain] * 3), dst=result[position], dtype=cv2.CV_8U)
    return result


OPERATION = OperationType(
    name="illumination_gradient",
    title="Illumination gradient",
    effect="Brightens one side of the image and darkens the other, as a lamp out of the axis does.",
    source="the multiplicative shading of Likar et al. 2000, J. Microscopy 197:285, to first order",
    parameters=(
        Parameter(
            "strength", "Change", 0.3, 0.0, 1.0, 0.05, "share of the light at a corner, at most", "steeper"
        ),
    ),
    draws=2,
    words="{change:.2f} towards {degrees:.0f}°",
    scale=_scale,
    apply=_apply,
)
