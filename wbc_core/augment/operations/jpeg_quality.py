"""JPEG quality: compress and decompress, as a file on its way from another laboratory."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    low, high = sorted((np.rint(settings["quality_low"]), np.rint(settings["quality_high"])))
    return {"quality": low + np.floor(uniform[:, 0] * (high - low + 1))}


def _apply(images: Images, drawn: Drawn) -> Images:
    result = np.empty_like(images)
    for position, image in enumerate(images):
        # OpenCV takes blue first.
        turned = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        _, file = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, int(drawn["quality"][position])])
        result[position] = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB))
    return result


OPERATION = OperationType(
    name="jpeg_quality",
    title="JPEG quality",
    effect="Stores the image as JPEG and reads it again, with the blocks and halos that this leaves.",
    source="keras_cv.layers.RandomJpegQuality; tf.image.adjust_jpeg_quality",
    parameters=(
        Parameter("quality_low", "Lowest", 30.0, 1.0, 100.0, 1.0, "JPEG quality", "fewer traces"),
        Parameter("quality_high", "Highest", 90.0, 1.0, 100.0, 1.0, "JPEG quality", "fewer traces"),
    ),
    draws=1,
    words="quality {quality:.0f}",
    scale=_scale,
    apply=_apply,
)
