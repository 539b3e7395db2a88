"""Every backbone in the registry keeps the same promises."""

from pathlib import Path

import numpy as np
import pytest

from wbc_core.backbones.model import build_model
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError

SHAPE = (64, 64, 3)


@pytest.fixture(scope="module", params=BACKBONES.names())
def named_model(request: pytest.FixtureRequest) -> tuple[str, object]:
    """A backbone's name and a classifier built on it."""
    import keras

    keras.utils.set_random_seed(0)
    return request.param, build_model(request.param, SHAPE, 5, dropout=0.5)


def images(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


@pytest.mark.parametrize("name", BACKBONES.names())
def test_it_says_what_it_is(name: str) -> None:
    backbone = BACKBONES.get(name)
    assert backbone.name == name
    assert all((backbone.title, backbone.paper, backbone.licence, backbone.minimum_size))
    assert min(backbone.speed.training, backbone.speed.prediction, backbone.speed.start) > 0
    too_small = backbone.minimum_size - 1
    with pytest.raises(WbcError, match=f"at least {backbone.minimum_size} x {backbone.minimum_size} pixels"):
        backbone.build((too_small, 96, 3))


def test_probabilities_are_float32_and_sum_to_one(named_model: tuple[str, object]) -> None:
    probabilities = named_model[1].predict_on_batch(images())
    assert (probabilities.shape, probabilities.dtype) == ((4, 5), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_bytes_and_floats_of_the_same_value_give_the_same(named_model: tuple[str, object]) -> None:
    model = named_model[1]
    np.testing.assert_array_equal(
        model.predict_on_batch(images()), model.predict_on_batch(images().astype(np.float32))
    )


def test_the_saved_model_normalises_by_itself(named_model: tuple[str, object], tmp_path: Path) -> None:
    import keras

    _, model = named_model
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    np.testing.assert_allclose(
        opened.predict_on_batch(images()), model.predict_on_batch(images()), rtol=0, atol=1e-6
    )
    # What comes out of the normalisation, whatever the network: near -1..1, not 0..255.
    scaled = next(layer for layer in model.layers[1].layers if isinstance(layer, keras.layers.Rescaling))
    values = keras.ops.convert_to_numpy(scaled(images().astype(np.float32)))
    assert -3 < values.min() < values.max() < 3


def test_the_smallest_size_works(named_model: tuple[str, object]) -> None:
    backbone = BACKBONES.get(named_model[0])
    size = backbone.minimum_size
    features = backbone.build((size, size, 3)).output
    assert all(length is None or length > 0 for length in features.shape)


def test_weights_from_a_file_fit_or_are_refused(named_model: tuple[str, object], tmp_path: Path) -> None:
    backbone = BACKBONES.get(named_model[0])
    source = named_model[1].layers[1]
    path = tmp_path / "backbone.weights.h5"
    source.save_weights(path)
    copy = backbone.build(SHAPE, f"file:{path}")
    for left, right in zip(source.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    other = next(BACKBONES.get(name) for name in BACKBONES if name != backbone.name)
    with pytest.raises(WbcError, match="do not fit"):
        other.build(SHAPE, f"file:{path}")


@pytest.mark.parametrize("name", BACKBONES.names())
def test_it_learns_a_batch_by_heart(name: str) -> None:
    import keras

    keras.utils.set_random_seed(0)
    size = max(32, BACKBONES.get(name).minimum_size)
    model = build_model(name, (size, size, 3), 2, dropout=0.0)
    # Eager: tracing a deep network costs more than these few steps.
    model.compile(keras.optimizers.AdamW(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    labels = np.arange(8) % 2
    batch = np.random.default_rng(0).integers(0, 256, (8, size, size, 3), dtype=np.uint8)
    first = float(model.train_on_batch(batch, labels))
    assert any(float(model.train_on_batch(batch, labels)) < 0.7 * first for _ in range(7))
