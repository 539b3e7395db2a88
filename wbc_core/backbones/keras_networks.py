"""Building the networks of keras.applications, with what each does to its images first."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wbc_core.backbones.entry import ImageShape

if TYPE_CHECKING:
    import keras

# Keras's .999 (MobileNetV3) needs thousands of steps before evaluation follows training, its .99 (others)
# hundreds, and a small set has 18 an epoch. Validation accuracy of MobileNetV3-Small after epochs 1, 2, 3 on
# 559 real images: .19 .08 .20 with .9, .14 .59 .61 with .8. The count of steps is the same for every network.
_BATCH_NORMALISATION_MOMENTUM = 0.8

# Of ImageNet's train part, red, green and blue in 0..1, as every published network has them.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

Normalise = Callable[[Any], Any]


def to_one(inputs: Any) -> Any:
    """Scale to -1..1, as Inception."""
    import keras

    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalisation")(inputs)


def standardised(inputs: Any) -> Any:
    """Subtract ImageNet's mean and divide by its deviation, as networks that were trained in PyTorch."""
    import keras

    return keras.layers.Rescaling(
        [1 / (255 * deviation) for deviation in _DEVIATION],
        offset=[-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)],
        name="normalisation",
    )(inputs)


def centred(inputs: Any) -> Any:
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
    model = build(input_shape, weights, application="InceptionV3", normalise=to_one)
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
