"""The layers of KerasCV in place of the lab's own operations, for the materialised stage of a recipe.

They draw their random numbers themselves, batch by batch, so that what one image becomes cannot be replayed
alone: the same recipe gives the same bytes on the same machine, but there is no preview of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from wbc_core.augment.operations.kinds import Drawn, Images
from wbc_core.errors import WbcError
from wbc_core.records import Operation

BATCH = 64
"""Images a call of a layer; a multiple of it is written at a time, so that batches are always the same."""

_RANGE = (0, 255)
_Build = Callable[[Any, Mapping[str, float], tuple[int, int, int]], Any]

LAYERS: dict[str, _Build] = {
    "auto_contrast": lambda layers, given, shape: layers.AutoContrast(_RANGE),
    "random_saturation": lambda layers, given, shape: layers.RandomSaturation(
        (given["factor_low"], given["factor_high"])
    ),
    "solarization": lambda layers, given, shape: layers.Solarization(
        _RANGE, (0.0, given["addition_factor"]), (0.0, given["threshold_factor"])
    ),
    "random_cutout": lambda layers, given, shape: layers.RandomCutout(
        (0.0, given["height_factor"]), (0.0, given["width_factor"]), "constant", given["fill_value"]
    ),
    "rand_augment": lambda layers, given, shape: layers.RandAugment(
        _RANGE, round(given["operations"]), given["magnitude"], given["spread"]
    ),
    "rotation": lambda layers, given, shape: layers.RandomRotation(given["degrees"] / 360),
    "translation": lambda layers, given, shape: layers.RandomTranslation(
        given["height_factor"], given["width_factor"]
    ),
    "shear": lambda layers, given, shape: layers.RandomShear(given["x_factor"], given["y_factor"]),
    "crop_and_resize": lambda layers, given, shape: layers.RandomCropAndResize(
        shape[:2], (given["area"], 1.0), (1 / given["stretch"], given["stretch"])
    ),
    "brightness": lambda layers, given, shape: layers.RandomBrightness(given["factor"]),
    "contrast": lambda layers, given, shape: layers.RandomContrast(_RANGE, given["factor"]),
    "hue": lambda layers, given, shape: layers.RandomHue(given["factor"], _RANGE),
    "equalize": lambda layers, given, shape: layers.Equalization(_RANGE),
    "grayscale": lambda layers, given, shape: layers.RandomColorDegeneration(
        (given["factor_low"], given["factor_high"])
    ),
    "channel_shift": lambda layers, given, shape: layers.RandomChannelShift(_RANGE, given["factor"]),
    "sharpness": lambda layers, given, shape: layers.RandomSharpness(
        (given["factor_low"], given["factor_high"]), _RANGE
    ),
    "grid_mask": lambda layers, given, shape: layers.GridMask(
        (0.0, given["ratio"]), given["degrees"] / 360, "constant", given["fill_value"]
    ),
}
"""From KerasCV's layers, an operation's parameters and the image shape to the layer that does the same."""


def check_layers(operations: tuple[Operation, ...]) -> None:
    """Refuse operations that KerasCV has no layer for.

    Raises:
        WbcError: There is one.
    """
    for operation in operations:
        if operation.name not in LAYERS:
            raise WbcError(
                f"KerasCV has no layer for the operation {operation.name}.",
                expected=f"one of {', '.join(LAYERS)}",
                fix="Use the engine 'lab', which has all operations.",
            )


def keras_cv_transforms(
    operations: tuple[Operation, ...], seed: int, shape: tuple[int, int, int]
) -> list[Callable[[Images, Drawn], Images]]:
    """Build one function an operation; call each on the batches of the set, in their order.

    Args:
        operations: The materialised stage of a recipe, checked.
        seed: Seed of the recipe.
        shape: Height, width, channels, in pixels.

    Returns:
        Functions from images, uint8 (n, H, W, 3), and drawn values, which they leave aside, to new images.
    """
    from wbc_core.quiet import import_keras_quietly

    import_keras_quietly()
    import keras
    import keras_cv
    import tensorflow

    # KerasCV's layers draw from TensorFlow's global generator, which a seed alone does not reset.
    keras.utils.set_random_seed(seed)
    tensorflow.random.set_global_generator(tensorflow.random.Generator.from_seed(seed))
    return [_transform(keras_cv.layers, operation, shape) for operation in operations]


def _transform(
    layers: Any, operation: Operation, shape: tuple[int, int, int]
) -> Callable[[Images, Drawn], Images]:
    import tensorflow

    layer = LAYERS[operation.name](layers, operation.parameters, shape)
    # Layers of the older kind draw in parallel loops, in whatever order: they get one image a call.
    size = BATCH if isinstance(layer, layers.VectorizedBaseImageAugmentationLayer) else 1
    call = tensorflow.function(layer)

    def transform(images: Images, drawn: Drawn) -> Images:
        batches = (images[start : start + size] for start in range(0, len(images), size))
        changed = [np.asarray(call(batch.astype(np.float32))) for batch in batches]
        rounded: Images = np.rint(np.clip(np.concatenate(changed), 0, 255)).astype(np.uint8)
        return rounded

    return transform
