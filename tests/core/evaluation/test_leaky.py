"""What is said of a run whose held-out images helped make its training set."""

import numpy as np
import pytest

from wbc_core.augment.prepare import prepare
from wbc_core.datasets.store import DatasetWriter
from wbc_core.evaluation.compare import compare
from wbc_core.evaluation.report import evaluate_run
from wbc_core.export.card import model_card
from wbc_core.export.card_markdown import as_markdown
from wbc_core.records import PreparedSet, Recipe
from wbc_core.splitting import make_split
from wbc_core.training import predict
from wbc_core.training.runs import Run, load_run, write_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace, now

SIDE = 32


class Brightest:
    """Names the class whose channel is brightest, as the images below are drawn."""

    input_shape = (None, SIDE, SIDE, 3)
    output_shape = (None, 3)

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        means = images.mean(axis=(1, 2))
        return means / means.sum(axis=1, keepdims=True)


@pytest.fixture
def split(workspace: Workspace) -> str:
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(3), (40, 30, 20)))
    images = generator.integers(60, 160, (90, SIDE, SIDE, 3))
    images[np.arange(90), :, :, labels] += 50
    with DatasetWriter(workspace, "colours", ("a", "b", "c"), (SIDE, SIDE, 3)) as writer:
        writer.append(
            images.astype(np.uint8), labels, [str(row) for row in range(90)], np.full((90, 2), SIDE)
        )
        return make_split(workspace, writer.finish("drawn").id).id


def run_on(workspace: Workspace, prepared: PreparedSet, name: str) -> str:
    spec = RunSpec(prepared=prepared.id, backbone="cnn")
    folder = workspace.run_dir(name)
    folder.mkdir(parents=True)
    (folder / "best.keras").write_bytes(b"weights")
    workspace.write_json(folder / "spec.json", spec.to_json())
    run = Run(
        id=name,
        spec=spec,
        dataset=prepared.dataset,
        split=prepared.split,
        class_names=("a", "b", "c"),
        image_shape=(SIDE, SIDE, 3),
        train_images=prepared.images,
        validation_images=27,
        parameters=1,
        epochs=1,
        best_epoch=1,
        val_accuracy=1.0,
        seconds=1.0,
        device="cpu",
        device_name="none",
        created=now(),
        finished=True,
        ended="",
        leaky=prepared.leaky,
    )
    write_run(workspace, run)
    return name


def test_every_figure_of_the_leaky_order_is_marked(
    workspace: Workspace, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "load_model", lambda workspace, run_id: Brightest())
    leaky = prepare(workspace, split, Recipe("an2dl_leaky", "smote", leaky=True))
    fair = prepare(workspace, split, Recipe("an2dl", "smote"))
    assert leaky.id != fair.id
    runs = [run_on(workspace, leaky, "job-aaaaaaaaaa"), run_on(workspace, fair, "job-bbbbbbbbbb")]
    marked, plain = (evaluate_run(workspace, run) for run in runs)
    assert load_run(workspace, runs[0]).leaky
    assert (marked["leaky"], plain["leaky"]) == (True, False)
    # 40 a class, of which 12 are held out: 36, of which 27 are real.
    assert marked["images"] == plain["images"] == 27
    assert marked["leaky_held_out"]["images"] == 36
    assert marked["leaky_held_out"]["synthetic"] == 9
    assert marked["leaky_held_out"]["accuracy"] == 1.0
    assert "leaky_held_out" not in plain
    comparison = compare(workspace, runs)
    assert comparison["leaky"]
    assert [run["leaky"] for run in comparison["runs"]] == [True, False]
    assert "(leaky order)" in comparison["pairs"][0]["words"]
    cards = [as_markdown(model_card(workspace, load_run(workspace, run))) for run in runs]
    assert "held-out images helped" in cards[0]
    assert "helped" not in cards[1]


def test_a_file_of_its_own_is_not_leaky_twice(
    workspace: Workspace, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "load_model", lambda workspace, run_id: Brightest())
    prepared = prepare(workspace, split, Recipe("an2dl_leaky", "smote", leaky=True))
    report = evaluate_run(workspace, run_on(workspace, prepared, "job-aaaaaaaaaa"), tta=True)
    assert report["leaky_held_out"]["synthetic"] == 9
    path = workspace.home / "more.npz"
    np.savez(path, images=np.full((3, SIDE, SIDE, 3), 9, np.uint8), labels=np.arange(3))
    report = evaluate_run(workspace, "job-aaaaaaaaaa", data=path)
    assert report["leaky"]
    assert "leaky_held_out" not in report
