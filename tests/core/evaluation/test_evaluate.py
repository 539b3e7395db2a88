"""Evaluating, predicting and exporting with a real model (untrained, so that it takes seconds)."""

import csv
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.results_lab import NAMES, add_run, build_dataset, build_split, pictures, write_pictures
from wbc_core.errors import WbcError
from wbc_core.evaluation.confidence import report_confidence, run_temperature
from wbc_core.evaluation.marks import FOR_A_PERSON, FOREIGN_PICTURE, FOREIGN_SCORE, class_columns, marked
from wbc_core.evaluation.pictures import read_named
from wbc_core.evaluation.prediction_csv import read_predictions
from wbc_core.evaluation.predictions import (
    differential_count,
    least_certain,
    predict_source,
)
from wbc_core.evaluation.report import evaluate_run
from wbc_core.evaluation.reports import (
    is_outdated,
    list_reports,
    load_predictions,
    load_report,
    probabilities_of,
    reports_dir,
)
from wbc_core.evaluation.temperature import with_temperature
from wbc_core.splitting import split_table
from wbc_core.training.predict import load_model, predict_probabilities
from wbc_core.workspace import Workspace

RUN = "job-0123456789ab"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("lab"))
    _, prepared = build_split(workspace, build_dataset(workspace), fractions=(0.5, 0.3, 0.2))
    add_run(workspace, prepared, RUN, model=True)
    return workspace


def test_a_report_is_traceable_and_of_the_test_part(lab: Workspace) -> None:
    seen: list[float] = []
    report = evaluate_run(lab, RUN, progress=lambda fraction, message: seen.append(fraction))
    table = split_table(lab, report["split"])
    held = table[table["part"] == "test"].sort_values("row")
    predictions = load_predictions(lab, RUN)
    assert report == load_report(lab, RUN)
    assert report["part"] == "test"
    assert predictions["image_id"].tolist() == held["image_id"].tolist()
    assert report["confusion"] == np.array(report["confusion"]).tolist()
    assert sum(map(sum, report["confusion"])) == report["images"] == len(held)
    assert probabilities_of(predictions).sum(axis=1) == pytest.approx(1, abs=1e-5)
    model = lab.run_dir(RUN) / "best.keras"
    assert report["model_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert report["file_size_bytes"] == model.stat().st_size
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert not is_outdated(lab, RUN, "test")


def test_the_validation_images_are_predicted_too_and_only_once(lab: Workspace) -> None:
    assert list_reports(lab, RUN) == ["test", "validation"]
    kept = reports_dir(lab, RUN) / "validation.json"
    before = kept.stat().st_mtime_ns
    report = evaluate_run(lab, RUN)
    assert kept.stat().st_mtime_ns == before
    assert report["confidence"] == report_confidence(lab, RUN, "test")
    assert report["confidence"]["threshold_chosen_on"] == "validation"
    assert report["confidence"]["temperature_images"] == load_report(lab, RUN, "validation")["images"]


def test_averaged_views_make_a_report_of_their_own(lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    # A prepared set is large: whoever deletes it to make room can still evaluate what learnt from it.
    monkeypatch.setattr(Workspace, "prepared_dir", lambda *_: Path("/nowhere"))
    report = evaluate_run(lab, RUN, tta=True)
    assert report["tta"] is True
    assert "test-tta" in list_reports(lab, RUN)


def test_a_shift_makes_a_report_of_its_own(lab: Workspace) -> None:
    report = evaluate_run(lab, RUN, shift="photometric", strength=5)
    assert (report["part"], report["shift"], report["strength"]) == ("test", "photometric", 5)
    assert "test-photometric-5" in list_reports(lab, RUN)
    assert list_reports(lab, RUN)[0] == "test"
    clean, shifted = (load_predictions(lab, RUN, name) for name in ("test", "test-photometric-5"))
    assert clean["image_id"].tolist() == shifted["image_id"].tolist()
    assert (probabilities_of(clean) != probabilities_of(shifted)).any()
    with pytest.raises(WbcError, match="strength"):
        evaluate_run(lab, RUN, shift="photometric", strength=6)


def test_a_file_is_evaluated_by_its_own_class_names(lab: Workspace, tmp_path: Path) -> None:
    labels = np.array([0, 1, 2, 2, 1])
    plain, turned = tmp_path / "plain.npz", tmp_path / "turned.npz"
    np.savez(plain, images=pictures(labels), labels=labels)
    np.savez(turned, images=pictures(labels), labels=2 - labels, class_names=np.array(NAMES[::-1]))
    one, two = (evaluate_run(lab, RUN, data=file) for file in (plain, turned))
    assert (one["part"], one["file"], one["images"]) == ("file", "plain.npz", 5)
    assert one["confusion"] == two["confusion"]
    assert not list(lab.scratch_dir.iterdir())


def test_a_file_that_does_not_fit_is_refused(lab: Workspace, tmp_path: Path) -> None:
    more = tmp_path / "more.npz"
    np.savez(more, images=pictures([0, 1, 2, 0]), labels=np.array([0, 1, 2, 3]))
    with pytest.raises(WbcError, match="3 classes"):
        evaluate_run(lab, RUN, data=more)
    np.savez(more, images=pictures([0, 2]), labels=np.array([0, 3]), class_names=np.array(NAMES))
    with pytest.raises(WbcError, match="fewer class names"):
        evaluate_run(lab, RUN, data=more)
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, images=np.array([{"a": 1}], dtype=object), labels=np.array([0]))
    with pytest.raises(WbcError, match="pickled"):
        evaluate_run(lab, RUN, data=pickled)
    with pytest.raises(WbcError, match="npz"):
        evaluate_run(lab, RUN, data=tmp_path / "absent.npz")


def test_a_folder_is_predicted_and_broken_files_are_listed(lab: Workspace, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in" / "deep", [0, 1, 2])
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "in" / "=cmd.png").write_bytes((tmp_path / "in" / "deep" / "cell-0.png").read_bytes())
    out = tmp_path / "out.csv"
    table = predict_source(lab, RUN, tmp_path / "in", out)
    assert list(table.columns) == ["file", "predicted", *NAMES]
    assert sorted(table["file"]) == ["=cmd.png", "deep/cell-0.png", "deep/cell-1.png", "deep/cell-2.png"]
    assert table[list(NAMES)].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    assert [item["source"] for item in table.attrs["rejected"]] == ["broken.png"]
    with out.open(newline="") as stream:
        lines = list(csv.reader(stream))
    assert lines[0] == ["file", "predicted", *NAMES]
    assert len(lines) == 5
    assert "'=cmd.png" in [line[0] for line in lines]
    again = read_predictions(out)
    assert again["file"].tolist() == table["file"].tolist()
    assert differential_count(again)["images"].sum() == 4
    assert least_certain(again)["confidence"].is_monotonic_increasing
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_zip_picture_and_npz_give_the_same_answers(lab: Workspace, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "in", [0, 1, 2])
    packed, arrays = tmp_path / "in.zip", tmp_path / "in.npz"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in paths:
            archive.write(path, f"some/{path.name}")
    np.savez(arrays, images=pictures([0, 1, 2]))
    by_folder = predict_source(lab, RUN, tmp_path / "in")
    for source in (packed, arrays):
        other = predict_source(lab, RUN, source)
        assert other[list(NAMES)].to_numpy() == pytest.approx(by_folder[list(NAMES)].to_numpy(), abs=1e-5)
    single = predict_source(lab, RUN, paths[1])
    assert single["file"].tolist() == ["cell-1.png"]
    assert single[list(NAMES)].to_numpy() == pytest.approx(by_folder[list(NAMES)].to_numpy()[1:2], abs=1e-5)


def test_predictions_are_calibrated_and_marked(lab: Workspace, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", [0, 1, 2, 0, 1, 2])
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[::2] = (255, 255, 0)
    Image.fromarray(stripes).save(tmp_path / "in" / "stripes.png")
    out = tmp_path / "out.csv"
    evaluate_run(lab, RUN)
    plain = predict_source(lab, RUN, tmp_path / "in")
    marks = predict_source(lab, RUN, tmp_path / "in", out, share=0.5, check_foreign=True)
    temperature = run_temperature(lab, RUN).value
    assert marks.attrs["temperature"] == temperature is not None
    model = load_model(lab, RUN)
    image = read_named(tmp_path / "in", {"cell-1.png"}, (32, 32, 3))["cell-1.png"]
    raw = predict_probabilities(model, image[None])
    calibrated = with_temperature(raw, temperature)[0]
    assert plain.iloc[1][list(NAMES)].tolist() == pytest.approx(calibrated.tolist(), abs=1e-5)
    # As float32 a picture at the threshold, which is one of the validation images here, could lie on it.
    sent = plain[list(NAMES)].to_numpy(dtype=np.float64).max(axis=1) < marks.attrs["threshold"]
    assert marks[FOR_A_PERSON].tolist() == sent.tolist()
    assert marks["file"][marks[FOREIGN_SCORE].idxmax()] == "stripes.png"
    assert marks[FOREIGN_PICTURE].tolist()[-1]
    again = read_predictions(out)
    assert again[FOREIGN_PICTURE].tolist() == marks[FOREIGN_PICTURE].tolist()
    assert again[FOR_A_PERSON].tolist() == sent.tolist()
    assert class_columns(again) == list(NAMES)
    assert differential_count(again)["class"].tolist() == list(NAMES)
    assert FOREIGN_PICTURE in least_certain(again)
    assert marked(again) == {"for_a_person": int(sent.sum()), "foreign": int(marks[FOREIGN_PICTURE].sum())}
    for wrong in ({"share": 1.5}, {"least_probability": 0}, {"share": 0.1, "least_probability": 0.5}):
        with pytest.raises(WbcError):
            predict_source(lab, RUN, tmp_path / "in", **wrong)


def test_a_failed_prediction_leaves_no_file(lab: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out.csv"
    with pytest.raises(WbcError, match="no picture that can be read"):
        predict_source(lab, RUN, tmp_path / "in", out)
    with pytest.raises(WbcError, match="There is no file or folder"):
        predict_source(lab, RUN, tmp_path / "absent", out)
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../evil.png", b"x")
    with pytest.raises(WbcError, match=r"evil\.png"):
        predict_source(lab, RUN, evil, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.zip", "in"]
