"""The plain convolutional network with which the source report began."""

from typing import TYPE_CHECKING

from wbc_core.backbones.entry import Backbone, ImageShape, Layers, Speed

if TYPE_CHECKING:
    import keras

_FILTERS = (24, 48, 96, 128)
_UNITS = 128


def build(input_shape: ImageShape, weights: str | None) -> "keras.Model":
    """Blocks of 3x3 convolution, ReLU and 2x2 max pooling, then one dense layer.

    Args:
        input_shape: Height, width and 3 channels.
        weights: None; there are no published weights.

    Returns:
        A model from (n, H, W, 3) values 0..255 to (n, 128) features.
    """
    import keras

    inputs = keras.Input(input_shape)
    features = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalisation")(inputs)
    for number, filters in enumerate(_FILTERS, start=1):
        features = keras.layers.Conv2D(
            filters,
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"block{number}",
        )(features)
        features = keras.layers.MaxPooling2D(name=f"block{number}_pool")(features)
    features = keras.layers.Flatten(name="flatten")(features)
    features = keras.layers.Dense(_UNITS, activation="relu", kernel_initializer="he_normal", name="features")(
        features
    )
    return keras.Model(inputs, features, name="cnn")


CNN = Backbone(
    name="cnn",
    title="Plain CNN",
    paper="LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86 (1998)",
    licence="The lab's own code; no published weights",
    minimum_size=2 ** len(_FILTERS),
    default_size=96,
    parameters=753_328,
    macs=70_262_784,
    activations=566_912,
    layers=Layers(5, 4),
    block_ends=tuple(f"block{number + 1}" for number in range(len(_FILTERS))),
    speed=Speed(training=450, prediction=1800, start=5),
    architecture=build,
    ends_in_map=False,
    size_step=2 ** len(_FILTERS),
)
