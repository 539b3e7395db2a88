"""The classifier around a backbone: sizes, pooling, head, and the two halves that it splits into."""

from pathlib import Path

import keras
import numpy as np
import pytest

from wbc_core.backbones.cost import macs
from wbc_core.backbones.freezing import apply_freezing
from wbc_core.backbones.layers import extractor_of
from wbc_core.backbones.model import build_model, split_model
from wbc_core.backbones.pooling import LEARNT_POWER, POOLINGS
from wbc_core.errors import WbcError

SHAPE = (32, 32, 3)


def images(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def test_multiply_accumulates_are_those_counted_by_hand() -> None:
    inputs = keras.Input((8, 6, 3))
    nested = keras.Sequential([keras.Input((8, 6, 3)), keras.layers.Conv2D(4, 3, padding="same")])
    values = keras.layers.BatchNormalization()(nested(inputs))
    values = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(values)
    values = keras.layers.SeparableConv2D(5, 3, padding="valid")(values)
    values = keras.layers.Conv2D(10, 1, groups=5)(values)
    values = keras.layers.Dense(7)(values)
    outputs = keras.layers.Dense(2)(keras.layers.GlobalMaxPooling2D()(values))
    by_hand = 8 * 6 * 4 * (3 * 3 * 3)  # a convolution, inside another model
    by_hand += 4 * 3 * 4 * (3 * 3)  # depthwise, every second position
    by_hand += 2 * 1 * (4 * 3 * 3 + 4 * 5)  # separable, without a border
    by_hand += 2 * 1 * 10 * 1  # each output of a group sees one input
    by_hand += 2 * 1 * 10 * 7  # dense at every position of a map
    by_hand += 7 * 2
    assert macs(keras.Model(inputs, outputs)) == by_hand


def test_poolings_are_what_their_papers_say() -> None:
    features = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    inputs = keras.Input((3, 4, 5))
    pooled = {
        name: np.asarray(keras.Model(inputs, pool(inputs))(features)) for name, pool in POOLINGS.items()
    }
    mean, largest = features.mean(axis=(1, 2)), features.max(axis=(1, 2))
    expected = {
        "average": mean,
        "max": largest,
        "both": np.concatenate([mean, largest], axis=1),
        "gem": np.cbrt((np.maximum(features, 0) ** 3).mean(axis=(1, 2))),
    }
    expected["gem_learnt"] = expected["gem"]  # where it begins
    assert pooled.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(pooled[name], values, rtol=1e-4, atol=1e-5)


def test_the_power_of_the_mean_is_learnt_with_the_backbone(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = build_model("wbcnet", SHAPE, 3, dropout=0.0, pooling="gem_learnt")
    power = model.get_layer(LEARNT_POWER).kernel

    def learnt_after(freezing: str) -> float:
        apply_freezing(model, freezing)
        model.compile(keras.optimizers.AdamW(1e-2), "sparse_categorical_crossentropy", run_eagerly=True)
        model.train_on_batch(images(), np.arange(len(images())) % 3)
        return float(np.asarray(power)[0, 0])

    assert learnt_after("all") == 3.0
    learnt = learnt_after("blocks:2")
    assert learnt == pytest.approx(3.0, abs=0.02)
    assert learnt != 3.0
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    assert float(np.asarray(opened.get_layer(LEARNT_POWER).kernel)[0, 0]) == learnt
    power.assign([[0.2]])  # no less than the mean
    features = split_model(model)[0]
    pooled = features(images(), training=False)
    mapped = keras.Model(model.input, extractor_of(model)(model.input))(images(), training=False)
    np.testing.assert_allclose(pooled, np.asarray(mapped).mean(axis=(1, 2)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("power", [6.0, 9.0])
def test_a_channel_without_any_value_has_a_slope_whatever_the_power(power: float) -> None:
    inputs = keras.Input((3, 3, 2))
    model = keras.Model(inputs, POOLINGS.get("gem_learnt")(inputs))
    held = model.get_layer(LEARNT_POWER).kernel
    held.assign([[power]])
    features = np.random.default_rng(0).random((4, 3, 3, 2), dtype=np.float32)
    features[..., 1] = 0
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    model.train_on_batch(features, np.zeros((4, 2), np.float32))
    assert 5 < float(np.asarray(held)[0, 0]) < 10


def test_a_plain_call_of_a_model_that_resizes_is_a_prediction() -> None:
    model = build_model("wbcnet", SHAPE, 3, dropout=0.5, input_size=48)
    before = model.get_weights()
    called = np.asarray(model(images()))
    np.testing.assert_allclose(called, model.predict_on_batch(images()), atol=1e-6)
    for left, right in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("pooling", ["gem", "gem_learnt"])
def test_the_halves_of_a_classifier_are_the_classifier(tmp_path: Path, pooling: str) -> None:
    keras.utils.set_random_seed(0)
    model = build_model(
        "mobilenet_v3_small",
        SHAPE,
        3,
        dropout=0.5,
        pooling=pooling,
        hidden_layers=(16, 8),
        input_size=48,
    )
    assert [layer.name for layer in model.layers][-6:] == [
        "dropout",
        "hidden1",
        "hidden1_dropout",
        "hidden2",
        "hidden2_dropout",
        "probabilities",
    ]
    assert extractor_of(model).input_shape == (None, 48, 48, 3)
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    expected = np.asarray(model(images(), training=False))
    for whole in (model, opened):
        extractor, head = split_model(whole)
        features = np.asarray(extractor(images(), training=False))
        assert features.shape == (4, 576)
        np.testing.assert_allclose(head(features, training=False), expected, rtol=0, atol=1e-6)


def test_what_the_head_learns_the_classifier_knows() -> None:
    model = build_model("cnn", SHAPE, 3, dropout=0.5)
    extractor, head = split_model(model)
    assert extractor.output_shape == (None, 128)
    before = np.asarray(model(images(), training=False))
    head.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    features = np.asarray(extractor(images()))
    head.train_on_batch(features, np.array([0, 1, 2, 0]))
    after = np.asarray(model(images(), training=False))
    np.testing.assert_allclose(head(features, training=False), after, rtol=0, atol=1e-6)
    assert not np.allclose(before, after)


def test_the_backbone_sees_the_size_that_is_asked_for() -> None:
    keras.utils.set_random_seed(0)
    smooth = np.broadcast_to(np.linspace(0, 255, 32)[None, :, None, None], (1, *SHAPE)).astype(np.uint8)
    model = build_model("cnn", SHAPE, 3, dropout=0.0, input_size=64)
    resized = keras.ops.image.resize(smooth.astype(np.float32), (64, 64), interpolation="bilinear")
    features = keras.Model(model.input, model.get_layer("dropout").input)
    np.testing.assert_allclose(features(smooth), extractor_of(model)(resized), rtol=1e-4, atol=1e-5)
    assert "resizing" not in [
        layer.name for layer in build_model("cnn", SHAPE, 3, dropout=0.0, input_size=32).layers
    ]


def test_a_smaller_size_looks_at_every_pixel() -> None:
    stripes = np.zeros((1, *SHAPE), np.uint8)
    stripes[:, ::2] = 255
    model = build_model("cnn", SHAPE, 3, dropout=0.0, input_size=16)
    resized = np.asarray(keras.Model(model.input, model.get_layer("resizing").output)(stripes))
    np.testing.assert_allclose(resized[:, 1:-1], 127.5, atol=1)


@pytest.mark.parametrize(
    ("backbone", "shape", "options", "message"),
    [
        ("inception_v3", (64, 64, 3), {}, "at least 75 x 75 pixels; got 64 x 64"),
        ("inception_v3", (96, 96, 3), {"input_size": 48}, "at least 75 x 75 pixels; got 48 x 48"),
        (
            "cnn",
            SHAPE,
            {"pooling": "sum"},
            "no pooling named 'sum'. Expected one of average, max, both, gem,",
        ),
        ("resnet", SHAPE, {}, "no backbone named 'resnet'"),
    ],
)
def test_what_cannot_be_built_is_refused(
    backbone: str, shape: tuple[int, int, int], options: dict[str, object], message: str
) -> None:
    with pytest.raises(WbcError, match=message):
        build_model(backbone, shape, 3, dropout=0.0, **options)
