"""Weights out of a `.keras` file: our own models' and plain Keras's, and nothing of a hostile one."""

import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from wbc_core.backbones.keras_archive import check_archive
from wbc_core.backbones.layers import extractor_of
from wbc_core.backbones.model import build_model
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace

SHAPE = (32, 32, 3)
MEMBER = "model.weights.h5"
KERNEL = "layers/functional/layers/conv2d/vars/0"
CNN = BACKBONES.get("cnn")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """A classifier of the cnn and the file that it was saved to."""
    keras.utils.set_random_seed(1)
    model = build_model("cnn", SHAPE, 3, dropout=0.1)
    path = tmp_path_factory.mktemp("saved") / "best.keras"
    model.save(path)
    return model, path


def same_weights(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


def rewritten(source: Path, target: Path, change: Callable[[h5py.File], None]) -> Path:
    """The archive with another file of weights, written as Keras writes it."""
    inner = target.with_suffix(".h5")
    with zipfile.ZipFile(source) as archive:
        inner.write_bytes(archive.read(MEMBER))
        others = {name: archive.read(name) for name in archive.namelist() if name != MEMBER}
    with h5py.File(inner, "r+") as file:
        change(file)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in others.items():
            archive.writestr(name, content)
        archive.write(inner, MEMBER)
    return target


def test_a_classifier_of_the_lab_gives_its_backbone(classifier: tuple[keras.Model, Path]) -> None:
    model, path = classifier
    keras.utils.set_random_seed(2)
    assert same_weights(CNN.build(SHAPE, f"file:{path}"), extractor_of(model))


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "efficientnet_b0"])
def test_a_classifier_compiled_and_trained_gives_its_backbone(name: str, tmp_path: Path) -> None:
    model = build_model(name, SHAPE, 3, dropout=0.1)
    model.compile("adamw", "sparse_categorical_crossentropy", run_eagerly=True)
    images = np.random.default_rng(0).integers(0, 256, (4, *SHAPE), dtype=np.uint8)
    model.train_on_batch(images, np.arange(4) % 3)
    model.save(tmp_path / "own.keras")  # with what the optimiser remembers
    started = BACKBONES.get(name).build(SHAPE, f"file:{tmp_path / 'own.keras'}")
    assert same_weights(started, extractor_of(model))
    np.testing.assert_array_equal(started(images), extractor_of(model)(images))


def test_plain_models_of_keras_give_their_backbone(tmp_path: Path) -> None:
    small = keras.applications.MobileNetV3Small(input_shape=SHAPE, include_top=False, weights=None)
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5)]
    inputs = keras.Input(SHAPE)
    around = keras.Model(inputs, head[1](head[0](small(keras.layers.RandomFlip()(inputs)))))
    for number, model in enumerate((small, keras.Sequential([keras.Input(SHAPE), small, *head]), around)):
        path = tmp_path / f"{number}.keras"
        model.save(path)
        started = BACKBONES.get("mobilenet_v3_small").build(SHAPE, f"file:{path}")
        assert same_weights(started, small)
    for refused in ("mobilenet_v3_large", "wbcnet"):
        with pytest.raises(WbcError, match="do not fit"):
            BACKBONES.get(refused).build(SHAPE, f"file:{path}")


def test_another_size_or_values_that_are_no_numbers_are_refused(
    classifier: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    with pytest.raises(WbcError, match=r"do not fit Plain CNN.*dense/vars/0 is float32 \(512, 128\)"):
        CNN.build((48, 48, 3), f"file:{classifier[1]}")

    def spoil(file: h5py.File) -> None:
        file[KERNEL][0, 0, 0, 0] = np.nan

    with pytest.raises(WbcError, match="values that are no numbers"):
        CNN.build(SHAPE, f"file:{rewritten(classifier[1], tmp_path / 'nan.keras', spoil)}")


def test_what_the_description_says_is_never_looked_at(
    classifier: tuple[keras.Model, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = keras.Input(SHAPE)
    evil = keras.layers.Lambda(lambda images: exec("import sys; sys.owned = 1") or images)  # noqa: S102
    keras.Model(inputs, classifier[0](evil(inputs))).save(tmp_path / "evil.keras")
    started = CNN.build(SHAPE, f"file:{tmp_path / 'evil.keras'}")
    assert same_weights(started, extractor_of(classifier[0]))
    del sys.owned  # the lambda ran while the model was built here
    monkeypatch.setattr(keras.saving, "load_model", None)
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", None)
    with zipfile.ZipFile(tmp_path / "no.keras", "w") as archive:
        archive.writestr("config.json", '{"module": "os", "class_name": "system", "config": "true"}')
        archive.writestr(MEMBER, zipfile.ZipFile(tmp_path / "evil.keras").read(MEMBER))
    assert same_weights(CNN.build(SHAPE, f"file:{tmp_path / 'no.keras'}"), extractor_of(classifier[0]))
    assert not hasattr(sys, "owned")


def name_of(function: Callable[..., None]) -> str:
    return function.__name__


def link_elsewhere(file: h5py.File) -> None:
    with h5py.File(file.filename.replace("hostile.h5", "other.h5"), "w") as other:
        other["x"] = np.zeros((3, 3, 3, 24), np.float32)
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("other.h5", "x")


def bomb(file: h5py.File) -> None:
    del file[KERNEL]
    piece = (64, 64, 64, 256)
    file.create_dataset(
        KERNEL, (3, 3, 3, 24), np.float32, maxshape=(None,) * 4, chunks=piece, compression="gzip"
    )


def huge(file: h5py.File) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (2**20, 2**20), np.float32)  # 4 TB that are not there


def outside(file: h5py.File) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (3, 3, 3, 24), np.float32, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def virtual(file: h5py.File) -> None:
    del file[KERNEL]
    layout = h5py.VirtualLayout((3, 3, 3, 24), np.float32)
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 3, 3, 24))
    file.create_virtual_dataset(KERNEL, layout)


def texts(file: h5py.File) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (3, 3, 3, 24), h5py.string_dtype())


def round_and_round(file: h5py.File) -> None:
    del file[KERNEL]
    file["layers/functional/layers/functional"] = file["/"]


def quantised(file: h5py.File) -> None:
    del file[KERNEL]
    file[KERNEL] = np.ones((3, 3, 3, 24), np.int8)  # its scale would lie beside it


def layers_of_numbers(file: h5py.File) -> None:
    del file["layers"]
    file["layers"] = np.zeros(3)


@pytest.mark.parametrize(
    "change",
    [link_elsewhere, bomb, huge, outside, virtual, texts, round_and_round, quantised, layers_of_numbers],
    ids=name_of,
)
def test_a_hostile_file_of_weights_is_refused_by_its_arrays(
    classifier: tuple[keras.Model, Path], tmp_path: Path, change: Callable[[h5py.File], None]
) -> None:
    path = rewritten(classifier[1], tmp_path / "hostile.keras", change)
    with pytest.raises(WbcError, match=r"in hostile\.keras do not fit Plain CNN"):
        CNN.build(SHAPE, f"file:{path}")


def compressed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, bytes(10_000_000))


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(MEMBER, b"2")


def nothing_inside(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../model.weights.h5", b"")


def larger_than_its_file(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, b"0123456789")
    content = bytearray(path.read_bytes())
    table = content.rindex(b"PK\x01\x02")
    content[table + 20 : table + 28] = (2**31).to_bytes(4, "little") * 2
    path.write_bytes(content)


@pytest.mark.parametrize(
    "write",
    [compressed, twice, nothing_inside, larger_than_its_file, Path.touch],
    ids=name_of,
)
def test_a_hostile_zip_is_refused_before_the_launch(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "hostile.keras"
    write(path)
    with pytest.raises(WbcError, match=r"hostile\.keras is no file that Keras saved"):
        check_archive(path)
    with pytest.raises(WbcError, match="no file that Keras saved"):
        CNN.build(SHAPE, f"file:{path}")


def test_a_file_torn_in_the_middle_is_refused(classifier: tuple[keras.Model, Path], tmp_path: Path) -> None:
    path = tmp_path / "torn.keras"
    shutil.copy(classifier[1], path)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(range(256)) * 16)
    with pytest.raises(WbcError, match="do not fit Plain CNN"):
        CNN.build(SHAPE, f"file:{path}")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(WbcError, match="no file that Keras saved"):
        CNN.build(SHAPE, f"file:{path}")


def test_it_is_found_where_it_was_brought_to(classifier: tuple[keras.Model, Path], tmp_path: Path) -> None:
    from wbc_core.backbones.weights import carried_file

    workspace, there = Workspace(tmp_path), "/elsewhere/own.keras"
    carried_file(workspace, there).parent.mkdir()
    shutil.copy(classifier[1], carried_file(workspace, there))
    assert same_weights(CNN.build(SHAPE, f"file:{there}", workspace), extractor_of(classifier[0]))
