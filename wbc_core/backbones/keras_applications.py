"""The networks of keras.applications, each with its own normalisation inside.

Of their speeds those of MobileNetV3-Small and, in training, of MobileNetV3-Large, DenseNet121 and
ConvNeXtTiny are measured; EfficientNet-B0 and V2-B0 were compared with MobileNetV3-Large on a busy machine.
The others are scaled by multiply-accumulates from the nearest of these; prediction is four times training
where it was never measured, and the seconds to the first step grow with the number of layers.
"""

from functools import partial
from typing import Unpack

from wbc_core.backbones.entry import Backbone, Figures, Layers, Speed
from wbc_core.backbones.keras_networks import (
    build,
    build_efficientnet_b0,
    build_inception,
    centred,
    standardised,
)
from wbc_core.backbones.weights import WeightsFile

_BUCKET = "https://storage.googleapis.com/tensorflow/keras-applications"


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
    layers=Layers(13, 13),
    block_ends=("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3"),
    speed=Speed(training=7, prediction=27, start=12),
    architecture=partial(build, application="VGG16", normalise=centred),
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
    layers=Layers(188, 94, 94),
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
    layers=Layers(106, 53, 53),
    block_ends=("conv1_bn", "conv2_block3_3_bn", "conv3_block4_3_bn", "conv4_block6_3_bn"),
    speed=Speed(training=27, prediction=110, start=22),
    architecture=partial(build, application="ResNet50", normalise=centred),
    imagenet=_file(
        f"{_BUCKET}/resnet",
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
)


def _densenet(depth: int, checksum: str, **figures: Unpack[Figures]) -> Backbone:
    return Backbone(
        name=f"densenet{depth}",
        title=f"DenseNet{depth}",
        paper="Huang et al., Densely connected convolutional networks, CVPR 2017, arXiv:1608.06993",
        licence="Apache-2.0, weights BSD-3-Clause",
        minimum_size=32,
        default_size=224,
        block_ends=("conv1_bn", "pool2_conv", "pool3_conv", "pool4_conv"),
        architecture=partial(build, application=f"DenseNet{depth}", normalise=standardised),
        imagenet=_file(
            f"{_BUCKET}/densenet",
            f"densenet{depth}_weights_tf_dim_ordering_tf_kernels_notop.h5",
            checksum,
        ),
        **figures,
    )


def _convnext(
    size: str,
    depths: tuple[int, int, int],
    checksum: str,
    **figures: Unpack[Figures],
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
        block_ends=(f"{name}_stem_layernorm", *stages),
        architecture=partial(build, application=f"ConvNeXt{size.capitalize()}", normalise=None),
        imagenet=_file(f"{_BUCKET}/convnext", f"{name}_notop.h5", checksum),
        **figures,
    )


def _mobilenet(
    size: str,
    rows: int,
    checksum: str,
    **figures: Unpack[Figures],
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
        block_ends=("conv_bn", *(f"{block}_project_bn" for block in blocks)),
        architecture=partial(build, application=f"MobileNetV3{size.capitalize()}", normalise=None),
        imagenet=_file(
            f"{_BUCKET}/mobilenet_v3", f"weights_mobilenet_v3_{size}_224_1.0_float_no_top_v2.h5", checksum
        ),
        **figures,
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
    layers=Layers(131, 81, 49),
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
    checksum: str,
    **figures: Unpack[Figures],
) -> Backbone:
    return Backbone(
        name=f"efficientnet_v2_{size}",
        title=f"EfficientNetV2-{size.upper()}",
        paper="Tan & Le, EfficientNetV2, ICML 2021, arXiv:2104.00298",
        licence="Apache-2.0",
        minimum_size=32,
        default_size=default_size,
        block_ends=_stages(stages),
        architecture=partial(build, application=f"EfficientNetV2{size.upper()}", normalise=None),
        imagenet=_file(f"{_BUCKET}/efficientnet_v2", f"efficientnetv2-{size}_notop.h5", checksum),
        **figures,
    )


KERAS_APPLICATIONS = (
    _VGG,
    _INCEPTION,
    _RESNET,
    _densenet(
        121,
        "30ee3e1110167f948a6b9946edeeb738",
        parameters=7_037_504,
        macs=520_372_224,
        activations=9_206_764,
        layers=Layers(241, 120, 121),
        speed=Speed(37, 150, start=35),
    ),
    _densenet(
        201,
        "c13680b51ded0fb44dff2d8f86ac8bb1",
        parameters=18_321_984,
        macs=787_857_408,
        activations=14_232_940,
        layers=Layers(401, 200, 201),
        speed=Speed(24, 100, start=60),
    ),
    _convnext(
        "tiny",
        (3, 3, 9),
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        parameters=27_820_128,
        macs=818_221_824,
        activations=5_439_744,
        layers=Layers(99, 22, layer_normalisation=23),
        speed=Speed(4.7, 19, start=25),
    ),
    _convnext(
        "base",
        (3, 3, 27),
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
        parameters=87_566_464,
        macs=2_820_068_352,
        activations=11_547_648,
        layers=Layers(189, 40, layer_normalisation=41),
        speed=Speed(1.4, 5.5, start=45),
    ),
    _mobilenet(
        "small",
        11,
        "d3e8ec802a04aa4fc771ee12a9a9b836",
        parameters=939_120,
        macs=10_457_536,
        activations=1_005_888,
        layers=Layers(86, 52, 34),
        speed=Speed(215, 1150, start=18),
    ),
    _mobilenet(
        "large",
        15,
        "07fb09a5933dd0c8eaafa16978110389",
        parameters=2_996_352,
        macs=40_551_360,
        activations=2_876_832,
        layers=Layers(108, 62, 46),
        speed=Speed(146, 660, start=21),
    ),
    _EFFICIENTNET_B0,
    _efficientnet_v2(
        "b0",
        224,
        "1a 2b 3b 4c 5e 6h",
        "893217f2bb855e2983157299931e43ff",
        parameters=5_919_312,
        macs=132_500_256,
        activations=3_001_232,
        layers=Layers(150, 91, 59),
        speed=Speed(85, 410, start=30),
    ),
    _efficientnet_v2(
        "s",
        384,
        "1b 2d 3d 4f 5i 6o",
        "af0682fb74e8c54910f2d4393339c070",
        parameters=20_331_360,
        macs=526_206_912,
        activations=7_793_400,
        layers=Layers(280, 170, 110),
        speed=Speed(21, 103, start=50),
    ),
)
"""Every network of keras.applications that the lab trains."""
