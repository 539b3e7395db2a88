"""Sources of weights, and what they say when there are none."""

from pathlib import Path

import keras
import pytest

from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import cache_folder
from wbc_core.errors import WbcError

SHAPE = (32, 32, 3)
MOBILENET = BACKBONES.get("mobilenet_v3_small")


def test_a_backbone_without_published_weights_says_so() -> None:
    with pytest.raises(WbcError, match=r"Plain CNN has no published ImageNet weights.*weights=random"):
        BACKBONES.get("cnn").build(SHAPE, "imagenet")


def test_a_download_out_of_reach_names_file_and_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreachable(*arguments: object, **options: object) -> None:
        raise Exception("URL fetch failure on https://example.org: None -- unreachable")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", unreachable)
    assert MOBILENET.imagenet is not None
    with pytest.raises(WbcError) as caught:
        MOBILENET.build(SHAPE, "imagenet")
    message = str(caught.value)
    assert MOBILENET.imagenet.name in message
    assert MOBILENET.imagenet.md5 in message
    assert str(cache_folder()) in message
    assert cache_folder() == tmp_path / "models"
    assert "URL fetch failure" in message
    assert "place it there" in message


def test_the_published_file_is_the_one_that_keras_looks_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, object] = {}

    def placed_by_hand(name: str, origin: str, **options: object) -> str:
        asked.update(options, name=name, origin=origin)
        return str(path)

    # The legacy HDF5 format, in which keras.applications publishes its weights.
    source = keras.applications.MobileNetV3Small(input_shape=SHAPE, include_top=False, weights=None)
    path = tmp_path / "published.h5"
    source.save(path)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", placed_by_hand)
    model = MOBILENET.build(SHAPE, "imagenet")
    published = MOBILENET.imagenet
    assert published is not None
    assert (asked["name"], asked["file_hash"], asked["origin"]) == (
        published.name,
        published.md5,
        published.origin,
    )
    assert asked["cache_subdir"] == "models"
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
