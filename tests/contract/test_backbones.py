"""Every backbone in the registry keeps the same promises."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import astuple
from itertools import chain, takewhile
from pathlib import Path

import keras
import numpy as np
import pytest

from wbc_core.backbones.cost import activations, macs
from wbc_core.backbones.freezing import apply_freezing, block_depths, open_blocks
from wbc_core.backbones.layers import extractor_of, leaves
from wbc_core.backbones.model import build_model
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError

SHAPE = (96, 96, 3)
LIGHT = ["cnn", "efficientnet_lite0", "mobilenet_v3_small"]
"""The others cost seconds or hundreds of megabytes: they are built once, looked through and run once."""
OPENED = [*LIGHT, "vgg16", "convnext_tiny", "efficientnet_b0"]
"""Between them these have every kind of layer and of normalisation that is written to a file."""

Named = tuple[str, keras.Model]


@pytest.fixture(scope="module", params=BACKBONES.names())
def named_model(request: pytest.FixtureRequest) -> Iterator[Named]:
    """A backbone's name and a classifier built on it."""
    keras.utils.set_random_seed(0)
    yield request.param, build_model(request.param, SHAPE, 5, dropout=0.5)
    keras.backend.clear_session()
    gc.collect()


def only(names: list[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on the models of these backbones alone."""
    return pytest.mark.parametrize("named_model", names, indirect=True, scope="module")


def images(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def predict(model: keras.Model, batch: np.ndarray) -> np.ndarray:
    """Eagerly: tracing a deep network costs more than the one batch."""
    return np.asarray(model(batch, training=False))


@pytest.mark.parametrize("name", BACKBONES.names())
def test_it_says_what_it_is(name: str) -> None:
    backbone = BACKBONES.get(name)
    assert backbone.name == name
    assert all((backbone.title, backbone.paper, backbone.licence, backbone.minimum_size))
    assert backbone.default_size >= backbone.minimum_size
    assert min(backbone.speed.training, backbone.speed.prediction, backbone.speed.start) > 0
    too_small = backbone.minimum_size - 1
    with pytest.raises(WbcError, match=f"at least {backbone.minimum_size} x {backbone.minimum_size} pixels"):
        backbone.build((too_small, 96, 3))


def test_it_costs_what_it_says(named_model: Named) -> None:
    backbone, extractor = BACKBONES.get(named_model[0]), extractor_of(named_model[1])
    assert (extractor.count_params(), macs(extractor)) == (backbone.parameters, backbone.macs)
    assert activations(extractor) == backbone.activations
    assert (len(extractor.output_shape) == 4) == backbone.ends_in_map


def test_it_has_the_layers_that_it_says(named_model: Named) -> None:
    name, model = named_model
    extractor, counted = extractor_of(model), BACKBONES.get(name).layers
    frozen = {}
    for text in ("all", "type:convolution", "type:batch_normalisation", "type:layer_normalisation"):
        apply_freezing(model, text)
        frozen[text] = sum(not layer.trainable for layer in leaves(extractor) if layer.weights)
    apply_freezing(model, "none")
    assert list(frozen.values()) == list(astuple(counted))


def shapes(name: str, size: int) -> list[tuple[int, ...]]:
    return [weight.shape for weight in BACKBONES.get(name).build((size, size, 3)).weights]


@pytest.mark.parametrize("name", LIGHT)
def test_its_weights_fit_the_sizes_that_it_says(name: str) -> None:
    backbone, seen = BACKBONES.get(name), shapes(name, 96)
    for size in (97, 111, 112):
        assert (shapes(name, size) == seen) == backbone.same_weights((96, 96, 3), (size, size, 3))


def test_weights_of_a_map_fit_every_size(named_model: Named) -> None:
    backbone, extractor = BACKBONES.get(named_model[0]), extractor_of(named_model[1])
    # What the map is flattened to, or a position each has a weight of, is what binds weights to a size.
    flat = any(isinstance(layer, keras.layers.Flatten) for layer in leaves(extractor))
    assert flat == (backbone.size_step is not None)


def test_every_layer_with_weights_lies_in_one_block(named_model: Named) -> None:
    name, model = named_model
    backbone, extractor = BACKBONES.get(name), extractor_of(model)
    blocks = backbone.blocks(extractor)
    assert len(blocks) == len(backbone.block_ends) + 1 >= 4
    assert all(blocks)
    assert list(chain(*blocks)) == [layer for layer in leaves(extractor) if layer.weights]
    depths = block_depths(model, name)
    assert len(depths) == len(model.weights)
    assert [depths[block[0].weights[0].path] for block in blocks] == list(range(len(blocks), 0, -1))
    assert [path for path, depth in depths.items() if depth == 0] == [
        "probabilities/kernel",
        "probabilities/bias",
    ]


def test_nothing_in_it_keeps_xla_from_a_gpu(named_model: Named) -> None:
    assert all(layer.supports_jit for layer in leaves(named_model[1]))


def standardised(values: np.ndarray) -> np.ndarray:
    return keras.applications.densenet.preprocess_input(values)


def to_one(values: np.ndarray) -> np.ndarray:
    return keras.applications.inception_v3.preprocess_input(values)


NORMALISED = {
    "cnn": to_one,
    "wbcnet": to_one,
    "efficientnet_lite0": lambda values: (values - 127) / 128,
    "efficientnet_lite2": lambda values: (values - 127) / 128,
    "vgg16": keras.applications.vgg16.preprocess_input,
    "inception_v3": to_one,
    "resnet50": keras.applications.resnet.preprocess_input,
    "mobilenet_v3_small": to_one,
    "mobilenet_v3_large": to_one,
    "efficientnet_v2_s": lambda values: values / 128 - 1,
}
"""What published weights expect; where nothing is said, ImageNet's mean and deviation."""


def test_it_normalises_as_its_published_weights_expect(named_model: Named) -> None:
    name, model = named_model
    extractor = extractor_of(model)
    kinds = ("InputLayer", "Rescaling", "Normalization", "Flip")
    *_, last = takewhile(lambda operation: type(operation).__name__ in kinds, extractor.operations)
    values = keras.Model(extractor.input, last.output)(images())
    expected = NORMALISED.get(name, standardised)(images().astype(np.float32))
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-4)


def test_probabilities_are_float32_and_sum_to_one(named_model: Named) -> None:
    probabilities = predict(named_model[1], images())
    assert (probabilities.shape, probabilities.dtype) == ((2, 5), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@only(LIGHT)
def test_bytes_and_floats_of_the_same_value_give_the_same(named_model: Named) -> None:
    model = named_model[1]
    np.testing.assert_array_equal(predict(model, images()), predict(model, images().astype(np.float32)))


@only(["efficientnet_b0"])
def test_what_is_frozen_drops_nothing(named_model: Named) -> None:
    name, model = named_model
    extractor, backbone = extractor_of(model), BACKBONES.get(name)
    closed = backbone.block_count // 2
    last = extractor.get_layer(backbone.block_ends[closed - 1])
    maps = keras.Model(extractor.input, [last.output, extractor.output])
    at_inference = maps(images(), training=False)

    def training_changes() -> list[bool]:
        seen = maps(images(), training=True)
        return [not np.array_equal(one, other) for one, other in zip(seen, at_inference, strict=True)]

    # With the statistics of batches at rest only drops can change anything.
    apply_freezing(model, f"blocks:{closed}+type:batch_normalisation")
    assert training_changes() == [False, True]
    open_blocks(model, name, "none", 0)
    assert training_changes() == [False, False]
    apply_freezing(model, "type:batch_normalisation")
    assert training_changes() == [True, True]


@only(OPENED)
def test_the_saved_model_opens_without_the_lab(named_model: Named, tmp_path: Path) -> None:
    name, model = named_model
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    np.testing.assert_allclose(predict(opened, images()), predict(model, images()), rtol=0, atol=1e-6)
    backbone = BACKBONES.get(name)
    ours, theirs = (
        [[layer.name for layer in block] for block in backbone.blocks(extractor_of(one))]
        for one in (model, opened)
    )
    assert ours == theirs
    # Whatever else it is made of would be missing where the lab is not installed.
    modules = {type(layer).__module__.split(".")[0] for layer in leaves(model)}
    assert modules == {"keras"}


@pytest.mark.parametrize("name", [*LIGHT, "inception_v3"])
def test_the_smallest_size_works(name: str) -> None:
    backbone = BACKBONES.get(name)
    size = backbone.minimum_size
    features = backbone.build((size, size, 3)).output
    assert all(length is None or length > 0 for length in features.shape)


@only(LIGHT)
def test_weights_from_a_file_fit_or_are_refused(named_model: Named, tmp_path: Path) -> None:
    backbone = BACKBONES.get(named_model[0])
    source = extractor_of(named_model[1])
    path = tmp_path / "backbone.weights.h5"
    source.save_weights(path)
    copy = backbone.build(SHAPE, f"file:{path}")
    for left, right in zip(source.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    other = next(BACKBONES.get(name) for name in BACKBONES if name != backbone.name)
    with pytest.raises(WbcError, match="do not fit"):
        other.build(SHAPE, f"file:{path}")


@pytest.mark.parametrize("name", LIGHT)
def test_it_learns_a_batch_by_heart(name: str) -> None:
    keras.utils.set_random_seed(0)
    size = max(32, BACKBONES.get(name).minimum_size)
    model = build_model(name, (size, size, 3), 2, dropout=0.0)
    # Eager: tracing a deep network costs more than these few steps.
    model.compile(keras.optimizers.AdamW(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    labels = np.arange(8) % 2
    batch = np.random.default_rng(0).integers(0, 256, (8, size, size, 3), dtype=np.uint8)
    first = float(model.train_on_batch(batch, labels))
    assert any(float(model.train_on_batch(batch, labels)) < 0.7 * first for _ in range(7))
