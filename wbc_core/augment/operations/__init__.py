"""The augmentation operations, by name; a new one is a file here and a line below."""

from wbc_core.augment.operations import (
    aug_mix,
    auto_contrast,
    colour,
    elastic,
    equalize,
    flip,
    focus,
    gaussian_noise,
    geometry,
    grid_mask,
    illumination_gradient,
    jpeg_quality,
    rand_augment,
    random_cutout,
    random_saturation,
    solarization,
    stain_jitter,
    tone,
)
from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter
from wbc_core.registry import Registry

OPERATIONS: Registry[OperationType] = Registry("operation")
for _operation in (
    # The report's own, then by what they change.
    auto_contrast.OPERATION,
    random_saturation.OPERATION,
    solarization.OPERATION,
    random_cutout.OPERATION,
    rand_augment.OPERATION,
    aug_mix.OPERATION,
    flip.FLIP,
    flip.QUARTER_TURNS,
    geometry.ROTATION,
    geometry.TRANSLATION,
    geometry.ZOOM,
    geometry.SHEAR,
    geometry.CROP_AND_RESIZE,
    elastic.OPERATION,
    tone.BRIGHTNESS,
    tone.CONTRAST,
    equalize.OPERATION,
    tone.POSTERIZE,
    colour.HUE,
    colour.GRAYSCALE,
    tone.CHANNEL_SHIFT,
    stain_jitter.OPERATION,
    illumination_gradient.OPERATION,
    focus.SHARPNESS,
    focus.GAUSSIAN_BLUR,
    gaussian_noise.OPERATION,
    jpeg_quality.OPERATION,
    grid_mask.OPERATION,
):
    OPERATIONS.add(_operation.name, _operation)

__all__ = ["OPERATIONS", "Drawn", "Images", "OperationType", "Parameter"]
