"""AutoContrast: stretch each channel of each image to the whole range."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType
from wbc_core.augment.operations.pixels import look_up


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    return {}


def _apply(images: Images, drawn: Drawn) -> Images:
    count, height, width, channels = images.shape
    # Whole rows first: NumPy reduces long rows many times faster than triples.
    by_row = images.reshape(count, height, width * channels)
    low = by_row.min(axis=1).reshape(count, width, channels).min(axis=1).astype(np.float64)
    high = by_row.max(axis=1).reshape(count, width, channels).max(axis=1).astype(np.float64)
    # A flat channel stays as it is.
    flat = high == low
    low, span = np.where(flat, 0.0, low)[:, None], np.where(flat, 255.0, high - low)[:, None]
    levels = np.arange(256)[None, :, None]
    return look_up(images, (levels - low) * 255 / span)


OPERATION = OperationType(
    name="auto_contrast",
    title="Auto contrast",
    effect="Stretches each colour channel until its darkest pixel is 0 and its brightest 255.",
    source="keras.layers.AutoContrast; Cubuk et al. 2019, AutoAugment, appendix A",
    parameters=(),
    draws=0,
    words="nothing random",
    scale=_scale,
    apply=_apply,
)
