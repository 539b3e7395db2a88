"""Every format of one small model, written once, opened by its own runtime; and what is refused."""

import dataclasses
import json
import runpy
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.results_lab import NAMES, RUN, SIDE, add_run, build_dataset, build_split, pictures
from wbc_core.augment.prepare import load_prepared
from wbc_core.errors import Cancelled, WbcError
from wbc_core.evaluation.report import evaluate_run
from wbc_core.export import entry
from wbc_core.export.check import compare, float_rule, integer_rule
from wbc_core.export.entry import NAME_CLASS, READ_PICTURE, Opened
from wbc_core.export.kept import keep_export, kept_export
from wbc_core.export.original import load_original
from wbc_core.export.registry import FORMATS
from wbc_core.export.writing import export_formats, export_run, write_each
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import silent
from wbc_core.splitting import split_table
from wbc_core.training.runs import load_run
from wbc_core.workspace import Workspace


def write_model(path: Path) -> None:
    """A network that knows the class of `pictures` without training: the channel that is brightest."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(3, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.layers[1].set_weights([np.eye(3)[None, None], np.zeros(3)])
    model.layers[3].set_weights([20 * np.eye(3), np.zeros(3)])
    model.save(path)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("lab"))
    _, prepared = build_split(workspace, build_dataset(workspace), fractions=(0.5, 0.3, 0.2))
    add_run(workspace, prepared, RUN)
    write_model(workspace.run_dir(RUN) / "best.keras")
    evaluate_run(workspace, RUN)
    return workspace


@pytest.fixture(scope="module")
def exported(lab: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("out") / "all"
    seen: list[float] = []
    entries = export_run(lab, RUN, "all", folder, lambda fraction, _: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] <= 1
    return folder, {made["format"]: made for made in entries}


def test_every_format_answers_as_the_original(exported: tuple[Path, dict[str, Any]]) -> None:
    folder, entries = exported
    assert list(entries) == export_formats()
    assert sorted(path.name for path in folder.iterdir()) == sorted(entries)
    for name in FORMATS:
        passport = json.loads((folder / name / "passport.json").read_text())
        assert entries[name] == {**entries[name], **passport}
        assert entries[name]["verdict"] == "kept"
        assert (passport["label_changes"], passport["accuracy"]) == (0, passport["original_accuracy"])
        assert passport["accuracy_ci"][0] < passport["accuracy"] <= passport["accuracy_ci"][1]
        assert passport["checked_images"] == 18
        assert passport["classes"] == list(NAMES)
        assert passport["input"]["shape"] == [SIDE, SIDE, 3]
        assert 0 < passport["latency"]["median_ms"] <= passport["latency"]["p95_ms"]
        files = {
            path.relative_to(folder / name).as_posix()
            for path in (folder / name).rglob("*")
            if path.is_file() and path.name != "passport.json"
        }
        assert files == set(passport["files"])
        assert passport["size_ratio"] == passport["bytes"] / passport["original_bytes"]
        assert passport["largest_gap"] < (0.05 if name == "litert_int8" else 1e-5)


def test_a_model_of_an_older_lab_that_resizes_is_exported_as_it_predicts(
    lab: Workspace, tmp_path: Path
) -> None:
    import keras

    layers, run_id = keras.layers, "job-0123456789ac"
    inputs = keras.Input((SIDE, SIDE, 3), name="image")
    inner = keras.Sequential([keras.Input((48, 48, 3)), layers.BatchNormalization(), layers.Conv2D(3, 1)])
    features = layers.GlobalAveragePooling2D()(inner(layers.Resizing(48, 48)(inputs)))
    run = load_run(lab, RUN)
    add_run(lab, load_prepared(lab, run.prepared), run_id)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(features))
    model.save(lab.run_dir(run_id) / "best.keras")
    for name in ("savedmodel", "onnx", "litert"):
        (made,) = export_run(lab, run_id, name, tmp_path / name)
        assert made["verdict"] == "kept", made


def test_integers_take_pictures_as_they_are_and_saw_train_images_only(
    lab: Workspace, exported: tuple[Path, dict[str, Any]]
) -> None:
    passport = exported[1]["litert_int8"]
    assert passport["input"]["type"] == "uint8"
    assert passport["representative"]["part"] == "train"
    images, record = load_original(lab, RUN).train_images(12, seed=0)
    again, same = load_original(lab, RUN).train_images(12, seed=0)
    assert record == same
    assert (images == again).all()
    assert record["images"] == len(images) == 12
    table = split_table(lab, exported[1]["keras"]["split"])
    rows = set(table[table["part"] == "train"]["row"])
    everything = pictures(np.repeat([0, 1, 2], (30, 20, 10)).tolist())
    drawn = {int(np.flatnonzero((everything == image).all(axis=(1, 2, 3)))[0]) for image in images}
    assert drawn <= rows
    assert len(drawn) == 12


@pytest.mark.parametrize("name", FORMATS.names())
def test_the_sample_code_of_the_card_runs(
    exported: tuple[Path, dict[str, Any]],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = exported[0]
    code = FORMATS.get(name).sample
    assert code.strip() in (folder / "card" / "model_card.md").read_text()
    Image.fromarray(pictures([1])[0]).save(folder / name / "cell.png")
    (tmp_path / "sample.py").write_text(READ_PICTURE + code + NAME_CLASS)
    monkeypatch.chdir(folder / name)
    runpy.run_path(str(tmp_path / "sample.py"))
    (folder / name / "cell.png").unlink()
    answer, probability = capsys.readouterr().out.split()[-2:]
    assert answer == NAMES[1]
    assert 0.5 < float(probability) <= 1


def test_a_model_that_answers_otherwise_is_refused(
    lab: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(original: object, folder: Path, progress: object) -> Opened:
        (folder / "model.bin").write_bytes(b"x")
        return Opened(lambda images: np.tile(np.float32([1, 0, 0]), (len(images), 1)))

    def broken(original: object, folder: Path, progress: object) -> Opened:
        raise ValueError("no such layer\nand more")

    for name, writer in (("keras", wrong), ("litert_int8", wrong), ("onnx", broken)):
        monkeypatch.setitem(FORMATS._entries, name, dataclasses.replace(FORMATS.get(name), write=writer))
    with pytest.raises(WbcError, match="does not answer as the original"):
        export_run(lab, RUN, "keras", tmp_path / "out")
    assert not list(tmp_path.iterdir())
    made = write_each(lab, RUN, ["litert_int8", "onnx"], tmp_path)
    assert [one["verdict"] for one in made] == ["refused", "refused"]
    assert "at most 2 % other classes" in made[0]["reason"]
    assert "cannot be converted to ONNX. Got no such layer." in made[1]["reason"]
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_says_why(
    lab: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WbcError, match="one of keras, savedmodel, onnx, litert, litert_int8, card, all"):
        export_run(lab, RUN, "pickle", tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(WbcError, match="not empty"):
        export_run(lab, RUN, "all", tmp_path / "full")
    monkeypatch.setattr(entry, "find_spec", lambda name: None)
    with pytest.raises(WbcError, match=r"needs ai-edge-litert.*pip install 'wbc-lab\[export\]'"):
        export_run(lab, RUN, "litert", tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine"]


def test_the_last_export_is_kept_with_the_run(lab: Workspace) -> None:
    spec = {"run": RUN, "to": ["keras", "card"]}
    assert kept_export(lab, RUN) is None
    done = TASKS.get("export")(lab, "", spec, silent)
    assert done == {"run": RUN, "formats": {"keras": "kept", "card": "kept"}}
    kept = kept_export(lab, RUN)
    assert kept is not None
    assert not kept.outdated
    assert [passport["format"] for passport in kept.passports] == ["keras"]
    with zipfile.ZipFile(kept.archive) as archive:
        assert f"{RUN}/keras/model.keras" in archive.namelist()
        assert "Keras | 0." in archive.read(f"{RUN}/card/model_card.md").decode()

    def cancel(fraction: float, message: str) -> None:
        if message == "Writing Keras":
            raise Cancelled

    with pytest.raises(Cancelled):
        keep_export(lab, RUN, ["keras"], cancel)
    assert kept_export(lab, RUN) == kept
    keep_export(lab, RUN, ["card"])
    again = kept_export(lab, RUN)
    assert again is not None
    assert (again.passports, [made["format"] for made in again.formats]) == ([], ["card"])
    assert not list(lab.scratch_dir.iterdir())


def test_a_cancelled_quantisation_leaves_nothing(lab: Workspace, tmp_path: Path) -> None:
    def cancel(fraction: float, message: str) -> None:
        if "Quantising" in message:
            raise Cancelled

    with pytest.raises(Cancelled):
        TASKS.get("export")(
            lab, "", {"run": RUN, "to": "litert_int8", "directory": str(tmp_path / "out")}, cancel
        )
    assert not list(tmp_path.iterdir())


def test_rules_know_what_is_not_a_number() -> None:
    before = np.float32([[0.9, 0.1]] * 200)
    labels = np.zeros(200, np.int64)
    after = before.copy()
    after[:4] = after[:4, ::-1]
    checked = compare(before, after, labels)
    assert (checked["label_changes"], checked["labels_lost"]) == (4, 4)
    assert integer_rule(checked) == (
        "at most 2 % other classes and 1 point less accuracy on 200 validation images",
        "4 other classes, 2 points less accuracy",
    )
    assert integer_rule(compare(before, after, labels + 1)) is None
    assert integer_rule(compare(before[:5], after[3:8], labels[:5])) is None
    after[:] = np.nan
    for rule in (float_rule, integer_rule):
        assert rule(compare(before, after, labels)) is not None
