"""Sources of weights, and what they say when there are none."""

import importlib
import inspect
import re
from dataclasses import replace
from pathlib import Path

import keras
import pytest

from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import WeightsFile, cache_folder
from wbc_core.errors import WbcError

SHAPE = (32, 32, 3)
MOBILENET = BACKBONES.get("mobilenet_v3_small")


def test_a_backbone_without_published_weights_says_so() -> None:
    with pytest.raises(WbcError, match=r"Plain CNN has no published ImageNet weights.*weights=random"):
        BACKBONES.get("cnn").build(SHAPE, "imagenet")


PUBLISHED = [name for name, backbone in BACKBONES.items() if isinstance(backbone.imagenet, WeightsFile)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_download_out_of_reach_names_file_and_folder(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreachable(*arguments: object, **options: object) -> None:
        raise Exception("URL fetch failure on https://example.org: None -- unreachable")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.utils.get_file", unreachable)
    published = BACKBONES.get(name).imagenet
    assert isinstance(published, WeightsFile)
    # Nothing to call: what is not to be had is said before a network is built.
    backbone = replace(BACKBONES.get(name), architecture=None)
    with pytest.raises(WbcError) as caught:
        backbone.build((96, 96, 3), "imagenet")
    message = str(caught.value)
    assert f"{published.name} ({published.named_checksum})" in message
    assert published.origin in message
    assert str(cache_folder()) in message
    assert cache_folder() == tmp_path / "models"
    assert "URL fetch failure" in message
    assert "place it there" in message


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_file_is_the_one_that_keras_names(name: str) -> None:
    published = BACKBONES.get(name).imagenet
    assert isinstance(published, WeightsFile)
    module = published.origin.split("/")[-2]
    # The folder and the module have one name, but for the first EfficientNet's.
    source = inspect.getsource(
        importlib.import_module(
            f"keras.src.applications.{'efficientnet' if module == 'keras-applications' else module}"
        )
    )
    addresses = "".join(re.sub(r'"\s+f?"', "", source).split())
    assert published.checksum in addresses
    assert published.origin.removesuffix(published.name) in addresses
    assert published.named_checksum.split()[0] == {32: "md5", 64: "sha256"}[len(published.checksum)]


def test_the_published_file_is_the_one_that_keras_looks_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[object, ...]] = []

    def placed_by_hand(name: str, origin: str, *, cache_subdir: str, file_hash: str) -> str:
        asked.append((name, origin, cache_subdir, file_hash))
        return str(path)

    # The legacy HDF5 format, in which keras.applications publishes its weights.
    source = keras.applications.MobileNetV3Small(input_shape=SHAPE, include_top=False, weights=None)
    path = tmp_path / "published.h5"
    source.save(path)
    monkeypatch.setattr("keras.utils.get_file", placed_by_hand)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", placed_by_hand)
    model = MOBILENET.build(SHAPE, "imagenet")
    published = MOBILENET.imagenet
    assert isinstance(published, WeightsFile)
    # Once by the lab, before it builds, and once by keras.
    assert asked == [(published.name, published.origin, "models", published.checksum)] * 2
    for left, right in zip(source.get_weights(), model.get_weights(), strict=True):
        assert (left == right).all()


@pytest.mark.parametrize("weights", ["file:nowhere.weights.h5", "file:/etc/passwd"])
def test_a_missing_file_is_named(weights: str) -> None:
    with pytest.raises(WbcError, match=r"no file of weights at .*\.weights\.h5"):
        MOBILENET.build(SHAPE, weights)


def test_a_file_that_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.weights.h5"
    path.write_bytes(b"not a file of weights")
    with pytest.raises(WbcError, match=r"The weights in wrong\.weights\.h5 do not fit MobileNetV3-Small"):
        MOBILENET.build(SHAPE, f"file:{path}")
