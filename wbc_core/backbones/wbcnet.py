"""WBCNet: the lab's own small network for cells of 96x96 pixels, made to train from scratch on a CPU."""

from typing import TYPE_CHECKING, Any

from wbc_core.backbones.entry import Backbone, ImageShape, Layers, Speed

if TYPE_CHECKING:
    import keras

_STEM = (24, 48)
_STAGES = ((48, 1), (96, 1), (192, 2))
"""Channels and residual blocks of each stage; the map is halved between them."""
_TOP = 320
_EXCITATION = 8
"""Channels of a block to one of its squeeze-and-excitation."""


def _convolution(
    features: Any, channels: int, name: str, *, kernel: int = 3, strides: int = 1, activate: bool = True
) -> Any:
    import keras

    features = keras.layers.Conv2D(
        channels,
        kernel,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(features)
    features = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(features)
    return keras.layers.ReLU(name=f"{name}_relu")(features) if activate else features


def _excited(features: Any, name: str) -> Any:
    """Squeeze and excitation: weigh the channels by what the whole map holds."""
    import keras

    channels = features.shape[-1]
    weights = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(features)
    weights = keras.layers.Dense(channels // _EXCITATION, activation="relu", name=f"{name}_reduce")(weights)
    weights = keras.layers.Dense(channels, activation="sigmoid", name=f"{name}_expand")(weights)
    return keras.layers.Multiply(name=f"{name}_excite")([features, weights])


def _residual(features: Any, name: str) -> Any:
    import keras

    inner = _convolution(features, features.shape[-1], f"{name}_1")
    inner = _convolution(inner, features.shape[-1], f"{name}_2", activate=False)
    inner = keras.layers.Add(name=f"{name}_add")([features, _excited(inner, name)])
    return keras.layers.ReLU(name=f"{name}_relu")(inner)


def build(input_shape: ImageShape, weights: str | None) -> "keras.Model":
    """Residual blocks of 3x3 convolutions with squeeze and excitation, most of them on maps of 6x6.

    Plain convolutions, since depthwise ones take a CPU longer for fewer operations. Strides of 2 in the stem,
    where maps are large; averages after it, which keep a cell's features when it moves by a pixel.

    Args:
        input_shape: Height, width and 3 channels.
        weights: None; there are no published weights.

    Returns:
        A model from (n, H, W, 3) values 0..255 to a map (n, H/16, W/16, 320).
    """
    import keras

    inputs = keras.Input(input_shape)
    features = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalisation")(inputs)
    for number, channels in enumerate(_STEM, start=1):
        features = _convolution(features, channels, f"stem{number}", strides=2)
    for number, (channels, blocks) in enumerate(_STAGES, start=1):
        if number > 1:
            features = keras.layers.AveragePooling2D(2, name=f"stage{number}_pool")(features)
        features = _convolution(features, channels, f"stage{number}_enter")
        for block in range(1, blocks + 1):
            features = _residual(features, f"stage{number}_block{block}")
    features = _convolution(features, _TOP, "top", kernel=1)
    return keras.Model(inputs, features, name="wbcnet")


WBCNET = Backbone(
    name="wbcnet",
    title="WBCNet",
    paper="The lab's own: residual blocks (He et al., CVPR 2016, arXiv:1512.03385), squeeze and excitation "
    "(Hu et al., CVPR 2018, arXiv:1709.01507), averaged halving (Zhang, ICML 2019, arXiv:1904.11486)",
    licence="The lab's own code; no published weights",
    minimum_size=32,
    default_size=96,
    parameters=1_864_058,
    macs=129_137_472,
    activations=937_698,
    layers=Layers(36, 14, 14),
    block_ends=("stem2_relu", *(f"stage{number}_pool" for number in range(2, len(_STAGES) + 1))),
    speed=Speed(training=250, prediction=900, start=10),
    architecture=build,
)
