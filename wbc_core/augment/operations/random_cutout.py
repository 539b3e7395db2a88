"""RandomCutout: cover one rectangle at a random place."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    height, width = shape[:2]
    return {
        "centre_x": np.floor(uniform[:, 0] * width),
        "centre_y": np.floor(uniform[:, 1] * height),
        "height": np.ceil(uniform[:, 2] * settings["height_factor"] * height),
        "width": np.ceil(uniform[:, 3] * settings["width_factor"] * width),
        "fill": np.full(len(uniform), settings["fill_value"]),
    }


def _apply(images: Images, drawn: Drawn) -> Images:
    result = images.copy()
    # A pixel is covered when centre - size / 2 <= index < centre + size / 2.
    top = np.ceil(np.maximum(drawn["centre_y"] - drawn["height"] / 2, 0)).astype(int)
    left = np.ceil(np.maximum(drawn["centre_x"] - drawn["width"] / 2, 0)).astype(int)
    bottom = np.ceil(drawn["centre_y"] + drawn["height"] / 2).astype(int)
    right = np.ceil(drawn["centre_x"] + drawn["width"] / 2).astype(int)
    fill = np.rint(drawn["fill"]).astype(np.uint8)
    for position in range(len(result)):
        result[position, top[position] : bottom[position], left[position] : right[position]] = fill[position]
    return result


OPERATION = OperationType(
    name="random_cutout",
    title="Random cutout",
    effect="Covers a rectangle, so that no single part of the cell decides alone.",
    source="keras_cv.layers.RandomCutout; DeVries and Taylor 2017, arXiv:1708.04552",
    parameters=(
        Parameter("height_factor", "Height", 0.5, 0.0, 1.0, 0.05, "share of the height, at most", "taller"),
        Parameter("width_factor", "Width", 0.5, 0.0, 1.0, 0.05, "share of the width, at most", "wider"),
        Parameter("fill_value", "Fill", 0.0, 0.0, 255.0, 1.0, "grey level", "brighter rectangle"),
    ),
    draws=4,
    words="{width:.0f} x {height:.0f} px at {centre_x:.0f}, {centre_y:.0f}",
    scale=_scale,
    apply=_apply,
)
