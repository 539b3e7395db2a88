"""MobileNetV3 from keras.applications."""

from typing import TYPE_CHECKING

from wbc_core.backbones.entry import Backbone, ImageShape, Speed
from wbc_core.backbones.weights import WeightsFile

if TYPE_CHECKING:
    import keras

# Keras's .999 needs thousands of steps before evaluation follows training, and a small set has 18 an epoch.
# Validation accuracy after epochs 1, 2, 3 on 559 real images: .19 .08 .20 with .9, .14 .59 .61 with .8.
_BATCH_NORMALISATION_MOMENTUM = 0.8


def build_small(input_shape: ImageShape, weights: str | None) -> "keras.Model":
    """MobileNetV3-Small without its classifier, input scaled to -1..1 inside.

    Args:
        input_shape: Height, width and 3 channels.
        weights: `imagenet`, or None for random ones.

    Returns:
        A model from (n, H, W, 3) values 0..255 to a map (n, H/32, W/32, 576).
    """
    import keras

    model = keras.applications.MobileNetV3Small(
        input_shape=input_shape, include_top=False, weights=weights, include_preprocessing=True
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _BATCH_NORMALISATION_MOMENTUM
    return model


_SMALL_FILE = "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"

MOBILENET_V3_SMALL = Backbone(
    name="mobilenet_v3_small",
    title="MobileNetV3-Small",
    paper="Howard et al., Searching for MobileNetV3, ICCV 2019, arXiv:1905.02244",
    licence="Apache-2.0",
    minimum_size=32,
    speed=Speed(training=215, prediction=1150, start=18),
    architecture=build_small,
    imagenet=WeightsFile(
        name=_SMALL_FILE,
        md5="d3e8ec802a04aa4fc771ee12a9a9b836",
        origin=f"https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v3/{_SMALL_FILE}",
    ),
)
