"""What a freezing freezes, seen by which weights a training step moves."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from wbc_core.backbones.freezing import (
    apply_freezing,
    block_depths,
    check_freezing,
    check_something_frozen,
    open_blocks,
    parse_freezing,
)
from wbc_core.backbones.layers import extractor_of, leaves
from wbc_core.backbones.model import build_model
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError

SHAPE = (32, 32, 3)
CNN = ["block1", "block2", "block3", "block4", "features"]
HEAD = "probabilities"


@pytest.fixture(scope="module")
def cnn() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model("cnn", SHAPE, 3, dropout=0.0)


@pytest.fixture(scope="module")
def mobilenet() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model("mobilenet_v3_small", SHAPE, 3, dropout=0.0)


def moved(model: keras.Model) -> list[str]:
    """Paths of the weights that one training step moved."""
    before = [weight.numpy() for weight in model.weights]
    model.compile(keras.optimizers.AdamW(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    images = np.random.default_rng(0).integers(0, 256, (6, *SHAPE), dtype=np.uint8)
    model.train_on_batch(images, np.arange(6) % 3)
    return [
        weight.path
        for weight, old in zip(model.weights, before, strict=True)
        if not np.array_equal(weight.numpy(), old)
    ]


def moved_layers(model: keras.Model) -> list[str]:
    return list(dict.fromkeys(path.split("/")[-2] for path in moved(model)))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("none", 0),
        ("all", 5),
        ("count:2", 2),
        ("count:5", 5),
        ("blocks:3", 3),
        ("fraction:0.6", 3),
        ("fraction:0", 0),
        ("fraction:1", 5),
        ("type:convolution", 4),
        ("blocks:1+count:3", 3),
    ],
)
def test_the_first_layers_stay_and_the_others_learn(cnn: keras.Model, text: str, first: int) -> None:
    apply_freezing(cnn, text)
    assert moved_layers(cnn) == [*CNN[first:], HEAD]


def test_frozen_normalisation_keeps_its_statistics(mobilenet: keras.Model) -> None:
    apply_freezing(mobilenet, "type:batch_normalisation")
    paths = moved(mobilenet)
    assert not [path for path in paths if "_bn/" in path]
    kernels = [weight.path for weight in mobilenet.weights if weight.path.endswith("kernel")]
    assert set(kernels) <= set(paths)


def test_normalisation_in_open_blocks_goes_on(mobilenet: keras.Model) -> None:
    apply_freezing(mobilenet, "blocks:5")
    depths = block_depths(mobilenet, "mobilenet_v3_small")
    paths = moved(mobilenet)
    # 13 blocks: the first five lie 13 to 9 above the classes.
    assert max(depths[path] for path in paths) == 8
    statistics = {path for path, depth in depths.items() if depth <= 8 and "moving" in path}
    assert statistics
    assert statistics <= set(paths)


def test_types_add_up(mobilenet: keras.Model) -> None:
    apply_freezing(mobilenet, "type:convolution+batch_normalisation")
    assert moved_layers(mobilenet) == [HEAD]


def test_a_later_freezing_replaces_an_earlier_one(cnn: keras.Model) -> None:
    apply_freezing(cnn, "all")
    apply_freezing(cnn, "count:1")
    assert len(cnn.trainable_variables) == 2 * 5


@pytest.mark.parametrize(
    ("text", "most"), [("count:6", "5 layers"), ("blocks:6", "5 blocks"), ("type:convolution+count:9", "5 ")]
)
def test_more_than_there_is_changes_nothing(cnn: keras.Model, text: str, most: str) -> None:
    apply_freezing(cnn, "count:3")
    with pytest.raises(WbcError, match=f"at most {most}"):
        apply_freezing(cnn, text)
    assert len(cnn.trainable_variables) == 2 * 3


@pytest.mark.parametrize(
    ("text", "backbone", "most"),
    [
        ("count:6", "cnn", "5 layers of Plain CNN"),
        ("count:14", "vgg16", "13 layers of VGG16"),
        ("type:convolution+count:190", "convnext_base", "189 layers of ConvNeXtBase"),
        ("blocks:6", "cnn", "5 blocks of Plain CNN"),
    ],
)
def test_more_than_there_is_is_known_before_anything_is_built(text: str, backbone: str, most: str) -> None:
    with pytest.raises(WbcError, match=f"at most {most}"):
        check_freezing(text, backbone)


@pytest.mark.parametrize(
    ("text", "backbone", "instead"),
    [
        ("type:batch_normalisation", "cnn", "type:convolution, a larger"),
        ("type:batch_normalisation+layer_normalisation", "vgg16", "type:convolution, a larger"),
        ("type:batch_normalisation", "convnext_base", "type:convolution, type:layer_normalisation, a larger"),
        ("fraction:0.05", "cnn", "type:convolution, a larger fraction of its 5 layers, or none"),
    ],
)
def test_what_would_freeze_nothing_is_refused(text: str, backbone: str, instead: str) -> None:
    check_freezing(text, backbone)
    with pytest.raises(WbcError, match=f"{re.escape(text)} would freeze nothing.*Expected {instead}"):
        check_something_frozen(text, backbone)


@pytest.mark.parametrize(
    ("text", "backbone"),
    [
        ("none", "cnn"),
        ("all", "cnn"),
        ("fraction:0", "cnn"),
        ("fraction:0.11", "cnn"),
        ("count:5", "cnn"),
        ("type:batch_normalisation+layer_normalisation", "convnext_tiny"),
        ("blocks:1+type:layer_normalisation", "cnn"),
    ],
)
def test_what_freezes_something_or_says_that_it_does_not_is_taken(text: str, backbone: str) -> None:
    check_freezing(text, backbone)
    check_something_frozen(text, backbone)


@pytest.mark.parametrize(
    ("count", "text", "learning"),
    [
        (0, "none", []),
        (1, "none", CNN[4:]),
        (3, "none", CNN[2:]),
        (99, "none", CNN),
        (3, "type:convolution", CNN[4:]),
        (3, "blocks:3", CNN[3:]),
    ],
)
def test_blocks_open_from_the_top(cnn: keras.Model, count: int, text: str, learning: list[str]) -> None:
    open_blocks(cnn, "cnn", text, count)
    assert moved_layers(cnn) == [*learning, HEAD]


def test_depth_is_counted_from_the_classes() -> None:
    model = build_model("cnn", SHAPE, 3, dropout=0.0, hidden_layers=(4,))
    depths = block_depths(model, "cnn")
    assert {path.split("/")[0]: depth for path, depth in depths.items()} == {
        **{name: 5 - number for number, name in enumerate(CNN)},
        "hidden1": 0,
        HEAD: 0,
    }


def test_layers_inside_layers_are_frozen_too() -> None:
    model = build_model("convnext_tiny", SHAPE, 3, dropout=0.0)
    apply_freezing(model, "type:layer_normalisation+blocks:2")
    learning = {weight.path for weight in model.trainable_variables}
    blocks = BACKBONES.get("convnext_tiny").blocks(extractor_of(model))
    for number, block in enumerate(blocks):
        for layer in block:
            frozen = number < 2 or isinstance(layer, keras.layers.LayerNormalization)
            assert all((weight.path in learning) is not frozen for weight in layer.weights)


def test_a_saved_model_stays_frozen(cnn: keras.Model, tmp_path: Path) -> None:
    apply_freezing(cnn, "blocks:2")
    cnn.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    assert [layer.name for layer in leaves(opened) if layer.weights and not layer.trainable] == CNN[:2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "some",
        "count",
        "count:",
        "count:0",
        "count:-1",
        "count:two",
        "count:²",
        "blocks:1.5",
        "fraction:1.1",
        "fraction:nan",
        "type:",
        "type:dense",
        "all:3",
        "blocks:1+",
        "batch_normalisation",
        "count:1+batch_normalisation",
        f"count:{'9' * 5000}",
    ],
)
def test_what_is_no_freezing_is_refused(text: str) -> None:
    with pytest.raises(WbcError, match=r"Expected none, all, count:N.*fraction:F.*batch_normalisation"):
        parse_freezing(text)


def test_reading_a_freezing_does_not_load_keras() -> None:
    code = "from wbc_core.backbones.freezing import parse_freezing; import sys\n"
    code += "parse_freezing('count:2+type:convolution'); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
