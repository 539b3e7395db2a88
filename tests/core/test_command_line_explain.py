"""`wbc explain` on a run with a model: pictures and a document, or one line that says what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.core.test_command_line import answer, called
from tests.results_lab import NAMES, RUN, add_report, add_run, build_dataset, build_split
from wbc_core.evaluation.reports import load_predictions
from wbc_core.workspace import Workspace


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("lab"))
    run = add_run(workspace, build_split(workspace, build_dataset(workspace))[1], RUN, model=True)
    add_report(workspace, run, right=0.6)
    return workspace.home


def test_rows_become_pictures_and_a_document(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "why"
    told = answer(home, "explain", RUN, "--row", 3, "58-59", "--out", out)
    assert told == {**json.loads((out / "explanations.json").read_text()), "out": str(out)}
    assert [image["row"] for image in told["images"]] == [3, 58, 59]
    assert told["mix_ups"] == []
    for image in told["images"]:
        assert sum(image["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert image["predicted"] == max(image["probabilities"], key=image["probabilities"].get)
        wrong = image["label"] != image["predicted"]
        kinds = ["original", "grad_cam_predicted", "occlusion_predicted"]
        assert list(image["files"]) == kinds + ["grad_cam_true", "occlusion_true"] * wrong
        for file in image["files"].values():
            with Image.open(out / file) as picture:
                assert picture.size == (288, 288)
        assert len(image["neighbours"]) == 8
        distances = [neighbour["distance"] for neighbour in image["neighbours"]]
        assert distances == sorted(distances)
        assert {neighbour["label"] for neighbour in image["neighbours"]} <= set(NAMES)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [file for image in told["images"] for file in image["files"].values()] + ["explanations.json"]
    )


def test_a_mix_up_is_averaged_and_its_worst_images_explained(home: Path, tmp_path: Path) -> None:
    predictions = load_predictions(Workspace(home), RUN)
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    pair = [NAMES[int(wrong[name].iloc[0])] for name in ("label", "predicted")]
    cell = wrong[(wrong[["label", "predicted"]] == wrong[["label", "predicted"]].iloc[0]).all(axis=1)]
    told = answer(home, "explain", RUN, "--confused", ",".join(pair), "--at-most", 1, "--out", tmp_path / "w")
    (mix_up,), (image,) = told["mix_ups"], told["images"]
    assert (mix_up["true"], mix_up["predicted"], mix_up["images"]) == (*pair, len(cell))
    assert image["row"] in cell["row"].tolist()
    assert image["label"] == pair[0]
    with Image.open(tmp_path / "w" / mix_up["files"]["mean"]) as picture:
        mean = np.asarray(picture)
    assert mean.std() > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which images to explain"),
        (["--row", 1, "--confused", "a,b"], "which images to explain"),
        (["--row", 60], "no row 60"),
        (["--row", "x"], "row number is wrong"),
        (["--confused", "basophil"], "does not name two classes"),
        (["--confused", "basophil,platelet"], "No basophil of the validation part was taken for platelet"),
        (["--row", 1, "--patch", 40], "does not fit"),
        (["--row", 1, "--patch", 4, "--stride", 5], "leave gaps"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(
    home: Path, tmp_path: Path, arguments: list[object], said: str
) -> None:
    done = called(home, "explain", RUN, *arguments, "--out", tmp_path / "why")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
