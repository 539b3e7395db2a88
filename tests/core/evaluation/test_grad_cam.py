"""Grad-CAM against the gradients of the backend, for every kind of head that the lab builds."""

from dataclasses import replace

import numpy as np
import pytest

from tests.results_lab import SIDE, pictures
from wbc_core.backbones import model as model_module
from wbc_core.backbones.model import build_model
from wbc_core.backbones.pooling import POOLINGS
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.wbcnet import WBCNET
from wbc_core.errors import WbcError
from wbc_core.evaluation.grad_cam import BATCH, GradCam
from wbc_core.registry import Registry

CLASSES = 4


def _tiny(input_shape, weights):  # type: ignore[no-untyped-def]
    """A backbone that ends in a map of both signs."""
    import keras

    inputs = keras.Input(input_shape)
    features = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    features = keras.layers.Conv2D(6, 5, strides=4, padding="same", activation="relu")(features)
    features = keras.layers.Conv2D(10, 3, padding="same", activation="gelu")(features)
    return keras.Model(inputs, features, name="tiny")


def _tiny_vgg(input_shape, weights):  # type: ignore[no-untyped-def]
    """A backbone that ends in max pooling, as VGG16."""
    import keras

    tiny = _tiny(input_shape, weights)
    return keras.Model(tiny.input, keras.layers.MaxPooling2D()(tiny.output), name="tiny_vgg")


@pytest.fixture
def tiny_backbones(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry("backbone")
    for name, architecture in (("tiny", _tiny), ("tiny_vgg", _tiny_vgg)):
        registry.add(name, replace(WBCNET, name=name, architecture=architecture, imagenet=None))
    registry.add("cnn", BACKBONES.get("cnn"))
    monkeypatch.setattr(model_module, "BACKBONES", registry)


def _by_gradient_tape(model, images: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Equations 1 and 2 as they stand, with the gradients of TensorFlow."""
    import keras
    import tensorflow as tf

    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    finest = next(
        place
        for place in reversed(range(len(backbone.layers)))
        if isinstance(backbone.layers[place], keras.layers.Conv2D)
    )
    activations = keras.Model(backbone.input, backbone.layers[finest].output)(images)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(activations)
        values = activations
        for layer in backbone.layers[finest + 1 :]:
            values = layer(values)
        following = model.operations[model.operations.index(backbone) + 1]
        last = model.layers[-1]
        values = keras.Model(following.input, last.input)(values)
        logits = tf.unstack(tf.matmul(values, last.kernel) + last.bias, axis=1)
    maps = []
    for logit in logits:
        weights = tf.reduce_mean(tape.gradient(logit, activations), axis=(1, 2), keepdims=True)
        maps.append(tf.nn.relu(tf.reduce_sum(weights * activations, axis=-1)).numpy())
    return np.stack(maps, axis=1)


@pytest.mark.parametrize(
    ("backbone", "pooling", "hidden"),
    [
        ("tiny", "average", ()),
        *(("tiny", pooling, (7, 5)) for pooling in POOLINGS.names()),
        ("tiny", "gem", ()),
        ("tiny_vgg", "both", ()),
        ("cnn", "average", (6,)),
    ],
)
def test_the_maps_are_those_of_the_gradients(
    tiny_backbones: None, backbone: str, pooling: str, hidden: tuple[int, ...]
) -> None:
    import keras

    keras.utils.set_random_seed(3)
    model = build_model(
        backbone, (SIDE, SIDE, 3), CLASSES, dropout=0.3, pooling=pooling, hidden_layers=hidden
    )
    images = pictures([0, 1, 2])
    explained = GradCam(model)(images)
    expected = _by_gradient_tape(model, images)
    assert explained.maps.shape == expected.shape
    assert expected.max() > 0
    np.testing.assert_allclose(explained.maps, expected, rtol=2e-3, atol=2e-4 * expected.max())
    np.testing.assert_allclose(explained.probabilities, model.predict_on_batch(images), atol=1e-5)


def test_with_average_pooling_the_map_adds_up_to_the_logit(tiny_backbones: None) -> None:
    """The map before the ReLU adds up to the logit less its bias (Zhou et al., equation 2)."""
    model = build_model("tiny", (SIDE, SIDE, 3), CLASSES, dropout=0.3)
    kernel, bias = model.layers[-1].get_weights()
    # Weights of one sign on features of one sign leave nothing for the ReLU to cut off.
    model.layers[-1].set_weights([np.abs(kernel), bias + 1])
    network = next(layer for layer in model.layers if layer.name == "tiny")
    network.layers[-1].activation = network.layers[-2].activation
    images = pictures([0, 1])
    explained = GradCam(model)(images)
    logits = explained.embedding @ np.abs(kernel)
    np.testing.assert_allclose(explained.maps.sum(axis=(2, 3)), logits, rtol=1e-4)


def test_the_batch_does_not_matter_and_the_input_may_be_enlarged(tiny_backbones: None) -> None:
    import keras

    model = build_model("tiny", (SIDE, SIDE, 3), CLASSES, dropout=0.3, input_size=48)
    # As checkpoints are written: their models take a list of one input.
    grad_cam = GradCam(keras.Model(model.inputs, model.outputs, name=model.name))
    images = pictures(list(range(3)) * 5)
    together, alone = grad_cam(images[:BATCH]), grad_cam(images[4:5])
    assert together.maps.shape == (15, CLASSES, 12, 12)
    np.testing.assert_allclose(alone.maps[0], together.maps[4], rtol=1e-5, atol=1e-7)


def test_a_model_from_elsewhere_is_refused(tiny_backbones: None) -> None:
    import keras

    inputs = keras.Input((SIDE, SIDE, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    features = keras.layers.Dropout(0.1, name="dropout")(features)
    with pytest.raises(WbcError, match="one nested model"):
        GradCam(keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(features)))
    model = build_model("tiny", (SIDE, SIDE, 3), CLASSES, dropout=0.3, hidden_layers=(4,))
    model.get_layer("hidden1").activation = keras.activations.tanh
    with pytest.raises(WbcError, match="dense layers with ReLU"):
        GradCam(model)
