"""Sources of weights, and what they say when there are none."""

import importlib
import inspect
import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from wbc_core.backbones.layers import extractor_of
from wbc_core.backbones.model import build_model
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import WeightsFile, cache_folder, carried_file, weights_source
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace

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


def test_a_file_that_was_brought_to_this_machine_is_read(tmp_path: Path) -> None:
    workspace, there, cnn = Workspace(tmp_path), "/elsewhere/own.weights.h5", BACKBONES.get("cnn")
    own = cnn.build(SHAPE, "random")
    path = carried_file(workspace, there)
    path.parent.mkdir()
    own.save_weights(path)
    for left, right in zip(
        cnn.build(SHAPE, f"file:{there}", workspace).get_weights(), own.get_weights(), strict=True
    ):
        assert (left == right).all()


def test_a_file_that_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.weights.h5"
    path.write_bytes(b"not a file of weights")
    with pytest.raises(WbcError, match=r"The weights in wrong\.weights\.h5 do not fit MobileNetV3-Small"):
        MOBILENET.build(SHAPE, f"file:{path}")


RUN = "rn-0123456789ab"


@pytest.fixture(scope="module")
def run_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a run of the cnn for three classes at 32 pixels."""
    workspace = Workspace(tmp_path_factory.mktemp("runs"))
    model = build_model("cnn", SHAPE, 3, dropout=0.0)
    _write_run(workspace, RUN, "cnn", model)
    return workspace.home


def _write_run(workspace: Workspace, run: str, backbone: str, model: keras.Model | None) -> None:
    folder = workspace.run_dir(run)
    folder.mkdir(parents=True)
    workspace.write_json(folder / "spec.json", {"backbone": backbone})
    if model:
        model.save(folder / "best.keras")


def test_a_run_gives_its_backbone_to_other_classes(run_home: Path) -> None:
    workspace = Workspace(run_home)
    trained = keras.saving.load_model(workspace.run_dir(RUN) / "best.keras", compile=False)
    model = build_model("cnn", SHAPE, 5, dropout=0.0, weights=f"run:{RUN}", workspace=workspace)
    assert model.output_shape == (None, 5)
    for theirs, ours in zip(
        extractor_of(trained).get_weights(), extractor_of(model).get_weights(), strict=True
    ):
        assert (theirs == ours).all()


def test_a_run_at_a_size_that_its_weights_depend_on_is_refused(run_home: Path) -> None:
    with pytest.raises(WbcError, match=r"do not fit Plain CNN at this size.*32 x 32 pixels.*got 48 x 48"):
        BACKBONES.get("cnn").build((48, 48, 3), f"run:{RUN}", Workspace(run_home))


def test_a_normalisation_computes_with_what_the_run_brings(tmp_path: Path) -> None:
    def normalising(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
        inputs = keras.Input(shape)
        return keras.Model(inputs, keras.layers.Normalization()(inputs))

    backbone = replace(BACKBONES.get("cnn"), architecture=normalising)
    extractor = normalising(SHAPE, None)
    extractor.layers[-1].adapt(np.stack([np.full(SHAPE, 10.0), np.full(SHAPE, 30.0)]))
    inputs = keras.Input(SHAPE)
    workspace = Workspace(tmp_path)
    _write_run(workspace, RUN, "cnn", keras.Model(inputs, extractor(inputs)))
    started = backbone.build(SHAPE, f"run:{RUN}", workspace)
    np.testing.assert_allclose(started(np.full((1, *SHAPE), 30.0)), 1.0, rtol=1e-6)


def test_a_run_of_another_backbone_is_refused(run_home: Path) -> None:
    with pytest.raises(WbcError, match=r"another backbone. Expected mobilenet_v3_small; got cnn"):
        MOBILENET.build(SHAPE, f"run:{RUN}", Workspace(run_home))


def test_a_run_without_a_model_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    cnn = BACKBONES.get("cnn")
    with pytest.raises(WbcError, match=f"no run {RUN} in the workspace"):
        cnn.build(SHAPE, f"run:{RUN}", workspace)
    with pytest.raises(WbcError, match="is not an id of this lab"):
        cnn.build(SHAPE, "run:../../etc", workspace)
    with pytest.raises(WbcError, match=f"Without a workspace there is no run {RUN}"):
        cnn.build(SHAPE, f"run:{RUN}")
    _write_run(workspace, RUN, "cnn", None)
    with pytest.raises(WbcError, match="has no model yet"):
        cnn.build(SHAPE, f"run:{RUN}", workspace)
    (workspace.run_dir(RUN) / "best.keras").write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(WbcError, match=f"The model of run {RUN} is damaged"):
        cnn.build(SHAPE, f"run:{RUN}", workspace)


@pytest.mark.parametrize("weights", ["run", "run:", "random:3", "imagenet:x", "file:"])
def test_a_source_has_its_argument_or_none(weights: str) -> None:
    with pytest.raises(WbcError, match="Expected random, imagenet, file:PATH or run:ID"):
        weights_source(weights)
