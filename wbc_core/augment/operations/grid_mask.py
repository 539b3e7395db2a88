"""GridMask: cover the squares of a turned grid."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    # KerasCV's own range for the distance between squares.
    sides = (0.5 * shape[0], 0.3 * shape[1])
    unit = min(sides) + (max(sides) + 1 - min(sides)) * uniform[:, 0]
    return {
        "unit": unit,
        "square": settings["ratio"] * uniform[:, 1] * unit,
        "x": unit * uniform[:, 2],
        "y": unit * uniform[:, 3],
        "degrees": settings["degrees"] * (2 * uniform[:, 4] - 1),
        "fill": np.full(len(uniform), settings["fill_value"]),
    }


def _apply(images: Images, drawn: Drawn) -> Images:
    height, width = images.shape[1:3]
    # The grid hangs in a square as wide as the image's diagonal, and turns about its centre.
    side = int(np.ceil(np.hypot(height, width)))
    middle = (side - 1) / 2
    rows = (np.arange(height) + (side - height) // 2 - middle)[:, None]
    columns = (np.arange(width) + (side - width) // 2 - middle)[None]
    result = images.copy()
    angle = np.deg2rad(drawn["degrees"])
    fill = np.rint(drawn["fill"]).astype(np.uint8)
    for position in range(len(images)):
        unit, gap = drawn["unit"][position], 1 - drawn["square"][position] / drawn["unit"][position]
        cosine, sine = np.cos(angle[position]) / unit, np.sin(angle[position]) / unit
        across = columns * cosine - (rows * sine - (middle + drawn["x"][position]) / unit)
        down = columns * sine + (rows * cosine + (middle + drawn["y"][position]) / unit)
        # The place within a step of the grid, 0..1; floor is many times faster than a modulus.
        across -= np.floor(across)
        down -= np.floor(down)
        result[position, (across >= gap) & (down >= gap)] = fill[position]
    return result


OPERATION = OperationType(
    name="grid_mask",
    title="Grid mask",
    effect="Covers the squares of a grid, so that no part of the cell is always seen.",
    source="keras_cv.layers.GridMask; Chen et al. 2020, arXiv:2001.04086",
    parameters=(
        Parameter("ratio", "Square", 0.5, 0.0, 1.0, 0.05, "share of the grid's step, at most", "covers more"),
        Parameter(
            "degrees", "Angle", 54.0, 0.0, 180.0, 2.0, "degrees to either side, at most", "turns further"
        ),
        Parameter("fill_value", "Fill", 0.0, 0.0, 255.0, 1.0, "grey level", "brighter squares"),
    ),
    draws=5,
    words="{square:.0f} px squares every {unit:.0f} px",
    scale=_scale,
    apply=_apply,
)
