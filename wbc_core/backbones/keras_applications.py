"""The networks of keras.applications, each with its own normalisation inside.

Of their speeds those of MobileNetV3-Small and, in training, of MobileNetV3-Large, DenseNet121 and
ConvNeXtTiny are measured; EfficientNet-B0 and V2-B0 were compared with MobileNetV3-Large on a busy machine.
The others are scaled by multiply-accumulates from the nearest of these; prediction is four times training
where it was never measured, and the seconds to the first step grow with the number of layers.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from wbc_core.backbones.entry import Backbone, ImageShape, Speed
from wbc_core.backbones.weights import WeightsFile

if TYPE_CHECKING:
    import keras

# Keras's .999 (MobileNetV3) needs thousands of steps before evaluation follows training, its .99 (others)
# hundreds, and a small set has 18 an epoch. Validation accuracy of MobileNetV3-Small after epochs 1, 2, 3 on
# 559 real images: .19 .08 .20 with .9, .14 .59 .61 with .8. The count of steps is the same for every network.
_BATCH_NORMALISATION_MOMENTUM = 0.8

# Of ImageNet's train part, red, green and blue in 0..1, as every published network has them.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

_BUCKET = "https://storage.googleapis.com/tensorflow/keras-applications"

Normalise = Callable[[Any], Any]


def _to_one(inputs: Any) -> Any:
    """Scale to -1..1, as Inception."""
    import keras

    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalisation")(inputs)


def _standardised(inputs: Any) -> Any:
    """Subtract ImageNet's mean and divide by its deviation, as networks that were trained in PyTorch."""
    import keras

    return keras.layers.Rescaling(
        [1 / (255 * deviation) for deviation in _DEVIATION],
        offset=[-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)],
        name="normalisation",
    )(inputs)


def _centred(inputs: Any) -> Any:
    """Subtract ImageNet's mean and order the channels blue, green, red, as networks trained in Caffe."""
    import keras

    centred = keras.layers.Rescaling(1.0, offset=[-123.68, -116.779, -103.939], name="normalisation")(inputs)
    return keras.ops.flip(centred, axis=-1)


def build(
    input_shape: ImageShape, weights: str | None, *, application: str, normalise: Normalise | None
) -> "keras.Model":
    """A network of keras.applications without its classifier.

    Args:
        input_shape: Height, width and 3 channels.
        weights: `imagenet`, or None for random ones.
        application: Its name in keras.applications.
        normalise: What its published weights expect to be done to the images; None where Keras does it.

    Returns:
        A model from (n, H, W, 3) values 0..255 to a map (n, h, w, C).
    """
    import keras

    network = getattr(keras.applications, application)
    if normalise is None:
        model = network(input_shape=input_shape, include_top=False, weights=weights)
    else:
        inputs = keras.Input(input_shape)
        model = network(
            input_tensor=normalise(inputs), input_shape=input_shape, include_top=False, weights=weights
        )
        # Keras takes a list of inputs from a tensor's sources; a network of the lab takes one.
        model = keras.Model(inputs, model.output, name=model.name)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _BATCH_NORMALISATION_MOMENTUM
    return model


def build_inception(input_shape: ImageShape, weights: str | None) -> "keras.Model":
    """InceptionV3, with the same names of layers whatever was built before it."""
    model = build(input_shape, weights, application="InceptionV3", normalise=_to_one)
    for number, layer in enumerate(layer for layer in model.layers if layer.weights):
        # Keras counts convolutions over the whole process: `conv2d_94` is the first of a second network.
        layer.name = f"layer{number}"
    return model


def build_efficientnet_b0(input_shape: ImageShape, weights: str | None) -> "keras.Model":
    """EfficientNet-B0, normalised as with ImageNet weights also where it starts without them.

    Keras's own has one Rescaling more with `weights="imagenet"` than without: weights that a file or a run
    brings would then meet other values than they learnt on.
    """
    import keras

    model = build(input_shape, weights, application="EfficientNetB0", normalise=None)
    if weights is not None:
        return model

    def with_rescaling(layer: Any, *arguments: Any, **options: Any) -> Any:
        values = layer(*arguments, **options)
        if not isinstance(layer, keras.layers.Normalization):
            return values
        return keras.layers.Rescaling([deviation**-0.5 for deviation in _DEVIATION])(values)

    model = keras.models.clone_model(model, call_function=with_rescaling)
    normalisation = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    normalisation.adapt_mean.assign(_MEAN)
    normalisation.adapt_variance.assign(_DEVIATION)
    normalisation.finalize_state()
    return model


def _file(folder: str, name: str, checksum: str) -> WeightsFile:
    return WeightsFile(name=name, checksum=checksum, origin=f"{folder}/{name}")


def _stages(stages: str) -> tuple[str, ...]:
    """The last layer with weights of each stage of an EfficientNet, `1a` for its first and only block."""
    return ("stem_bn", *(f"block{stage}_project_bn" for stage in stages.split()))


_VGG = Backbone(
    name="vgg16",
    title="VGG16",
    paper="Simonyan & Zisserman, Very deep convolutional networks, ICLR 2015, arXiv:1409.1556",
    licence="Apache-2.0, weights CC-BY-4.0",
    minimum_size=32,
    default_size=224,
    parameters=14_714_688,
    macs=2_818_768_896,
    activations=2_824_704,
    block_ends=("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3"),
    speed=Speed(training=7, prediction=27, start=12),
    architecture=partial(build, application="VGG16", normalise=_centred),
    imagenet=_file(
        f"{_BUCKET}/vgg16",
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
)
_INCEPTION = Backbone(
    name="inception_v3",
    title="InceptionV3",
    paper="Szegedy et al., Rethinking the Inception architecture, CVPR 2016, arXiv:1512.00567",
    licence="Apache-2.0",
    minimum_size=75,
    default_size=299,
    parameters=21_802_784,
    macs=338_849_120,
    activations=2_303_888,
    block_ends=("layer9", "mixed2", "mixed7"),
    speed=Speed(training=57, prediction=230, start=25),
    architecture=build_inception,
    imagenet=_file(
        f"{_BUCKET}/inception_v3",
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
)
_RESNET = Backbone(
    name="resnet50",
    title="ResNet50",
    paper="He et al., Deep residual learning for image recognition, CVPR 2016, arXiv:1512.03385",
    licence="Apache-2.0, weights MIT",
    minimum_size=32,
    default_size=224,
    parameters=23_587_712,
    macs=708_231_168,
    activations=6_854_380,
    block_ends=("conv1_bn", "conv2_block3_3_bn", "conv3_block4_3_bn", "conv4_block6_3_bn"),
    speed=Speed(training=27, prediction=110, start=22),
    architecture=partial(build, application="ResNet50", normalise=_centred),
    imagenet=_file(
        f"{_BUCKET}/resnet",
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
)


def _densenet(
    layers: int, parameters: int, macs: int, activations: int, checksum: str, speed: Speed
) -> Backbone:
    return Backbone(
        name=f"densenet{layers}",
        title=f"DenseNet{layers}",
        paper="Huang et al., Densely connected convolutional networks, CVPR 2017, arXiv:1608.06993",
        licence="Apache-2.0, weights BSD-3-Clause",
        minimum_size=32,
        default_size=224,
        parameters=parameters,
        macs=macs,
        activations=activations,
        block_ends=("conv1_bn", "pool2_conv", "pool3_conv", "pool4_conv"),
        speed=speed,
        architecture=partial(build, application=f"DenseNet{layers}", normalise=_standardised),
        imagenet=_file(
            f"{_BUCKET}/densenet",
            f"densenet{layers}_weights_tf_dim_ordering_tf_kernels_notop.h5",
            checksum,
        ),
    )


def _convnext(
    size: str,
    depths: tuple[int, int, int],
    parameters: int,
    macs: int,
    activations: int,
    checksum: str,
    speed: Speed,
) -> Backbone:
    name = f"convnext_{size}"
    stages = (f"{name}_stage_{stage}_block_{depth - 1}_layer_scale" for stage, depth in enumerate(depths))
    return Backbone(
        name=name,
        title=f"ConvNeXt{size.capitalize()}",
        paper="Liu et al., A ConvNet for the 2020s, CVPR 2022, arXiv:2201.03545",
        licence="Apache-2.0, weights MIT",
        minimum_size=32,
        default_size=224,
        parameters=parameters,
        macs=macs,
        activations=activations,
        block_ends=(f"{name}_stem_layernorm", *stages),
        speed=speed,
        architecture=partial(build, application=f"ConvNeXt{size.capitalize()}", normalise=None),
        imagenet=_file(f"{_BUCKET}/convnext", f"{name}_notop.h5", checksum),
    )


def _mobilenet(
    size: str, rows: int, parameters: int, macs: int, activations: int, checksum: str, speed: Speed
) -> Backbone:
    # The first block has no number.
    blocks = ("expanded_conv", *(f"expanded_conv_{row}" for row in range(1, rows)))
    return Backbone(
        name=f"mobilenet_v3_{size}",
        title=f"MobileNetV3-{size.capitalize()}",
        paper="Howard et al., Searching for MobileNetV3, ICCV 2019, arXiv:1905.02244",
        licence="Apache-2.0",
        minimum_size=32,
        default_size=224,
        parameters=parameters,
        macs=macs,
        activations=activations,
        block_ends=("conv_bn", *(f"{block}_project_bn" for block in blocks)),
        speed=speed,
        architecture=partial(build, application=f"MobileNetV3{size.capitalize()}", normalise=None),
        imagenet=_file(
            f"{_BUCKET}/mobilenet_v3", f"weights_mobilenet_v3_{size}_224_1.0_float_no_top_v2.h5", checksum
        ),
    )


_EFFICIENTNET_B0 = Backbone(
    name="efficientnet_b0",
    title="EfficientNet-B0",
    paper="Tan & Le, EfficientNet, ICML 2019, arXiv:1905.11946",
    licence="Apache-2.0",
    minimum_size=32,
    default_size=224,
    parameters=4_049_571,
    macs=71_140_832,
    activations=4_703_423,
    block_ends=_stages("1a 2b 3b 4c 5c 6d 7a"),
    speed=Speed(training=73, prediction=560, start=25),
    architecture=build_efficientnet_b0,
    imagenet=_file(
        "https://storage.googleapis.com/keras-applications",
        "efficientnetb0_notop.h5",
        "50bc09e76180e00e4465e1a485ddc09d",
    ),
)


def _efficientnet_v2(
    size: str,
    default_size: int,
    stages: str,
    parameters: int,
    macs: int,
    activations: int,
    checksum: str,
    speed: Speed,
) -> Backbone:
    return Backbone(
        name=f"efficientnet_v2_{size}",
        title=f"EfficientNetV2-{size.upper()}",
        paper="Tan & Le, EfficientNetV2, ICML 2021, arXiv:2104.00298",
        licence="Apache-2.0",
        minimum_size=32,
        default_size=default_size,
        parameters=parameters,
        macs=macs,
        activations=activations,
        block_ends=_stages(stages),
        speed=speed,
        architecture=partial(build, application=f"EfficientNetV2{size.upper()}", normalise=None),
        imagenet=_file(f"{_BUCKET}/efficientnet_v2", f"efficientnetv2-{size}_notop.h5", checksum),
    )


KERAS_APPLICATIONS = (
    _VGG,
    _INCEPTION,
    _RESNET,
    _densenet(
        121, 7_037_504, 520_372_224, 9_206_764, "30ee3e1110167f948a6b9946edeeb738", Speed(37, 150, start=35)
    ),
    _densenet(
        201, 18_321_984, 787_857_408, 14_232_940, "c13680b51ded0fb44dff2d8f86ac8bb1", Speed(24, 100, start=60)
    ),
    _convnext(
        "tiny",
        (3, 3, 9),
        27_820_128,
        818_221_824,
        5_439_744,
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        Speed(4.7, 19, start=25),
    ),
    _convnext(
        "base",
        (3, 3, 27),
        87_566_464,
        2_820_068_352,
        11_547_648,
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
        Speed(1.4, 5.5, start=45),
    ),
    _mobilenet(
        "small",
        11,
        939_120,
        10_457_536,
        1_005_888,
        "d3e8ec802a04aa4fc771ee12a9a9b836",
        Speed(215, 1150, start=18),
    ),
    _mobilenet(
        "large",
        15,
        2_996_352,
        40_551_360,
        2_876_832,
        "07fb09a5933dd0c8eaafa16978110389",
        Speed(146, 660, start=21),
    ),
    _EFFICIENTNET_B0,
    _efficientnet_v2(
        "b0",
        224,
        "1a 2b 3b 4c 5e 6h",
        5_919_312,
        132_500_256,
        3_001_232,
        "893217f2bb855e2983157299931e43ff",
        Speed(85, 410, start=30),
    ),
    _efficientnet_v2(
        "s",
        384,
        "1b 2d 3d 4f 5i 6o",
        20_331_360,
        526_206_912,
        7_793_400,
        "af0682fb74e8c54910f2d4393339c070",
        Speed(21, 103, start=50),
    ),
)
"""Every network of keras.applications that the lab trains."""
