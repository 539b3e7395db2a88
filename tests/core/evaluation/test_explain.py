"""Explanations of a real run: what they hold, the leak they warn of, and that they are made once."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from tests.results_lab import NAMES, RUN, add_report, add_run, build_dataset, build_split, write_pictures
from wbc_core.datasets.store import open_images
from wbc_core.errors import Cancelled, WbcError
from wbc_core.evaluation import explain as explain_module
from wbc_core.evaluation.embedding import embed
from wbc_core.evaluation.explain import Explainer, confused_images
from wbc_core.evaluation.explanations import MixUp, load_explanation
from wbc_core.evaluation.reports import load_predictions
from wbc_core.jobs.tasks import TASKS
from wbc_core.progress import silent
from wbc_core.splitting import split_table
from wbc_core.training.predict import load_model, predict_probabilities
from wbc_core.training.runs import Run, load_run
from wbc_core.workspace import Workspace


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run with a model and a report, and a train image that is a held-out one mirrored: a leak."""
    workspace = Workspace(tmp_path_factory.mktemp("lab"))
    _, prepared = build_split(workspace, build_dataset(workspace))
    run = add_run(workspace, prepared, RUN, model=True)
    leak, held_out = _leak(workspace, run)
    images = np.load(workspace.dataset_dir(run.dataset) / "images.npy", mmap_mode="r+")
    images[leak] = images[held_out][:, ::-1]
    images.flush()
    add_report(workspace, run, right=0.6)
    return workspace


def _leak(workspace: Workspace, run: Run) -> tuple[int, int]:
    table = split_table(workspace, run.split)
    first = table.drop_duplicates("part").set_index("part")["row"]
    return int(first["train"]), int(first["validation"])


@pytest.fixture(scope="module")
def run(lab: Workspace) -> Run:
    return load_run(lab, RUN)


def test_an_explanation_holds_what_the_model_says(lab: Workspace, run: Run) -> None:
    held_out = _leak(lab, run)[1]
    (made,) = Explainer(lab, RUN).rows([held_out])
    image = open_images(lab, run.dataset)[held_out]
    model = load_model(lab, RUN)
    np.testing.assert_array_equal(made.image, image)
    np.testing.assert_allclose(made.probabilities, predict_probabilities(model, image[None])[0], atol=1e-5)
    table = split_table(lab, run.split).set_index("row")
    assert (made.row, made.label, made.part) == (held_out, table["label"].loc[held_out], "validation")
    assert (made.patch, made.stride) == (5, 2)
    for label in range(len(NAMES)):
        heat, drop = made.grad_cam_map(label), made.occlusion_map(label)
        assert heat.shape == drop.shape == (32, 32)
        assert heat.dtype == drop.dtype == np.float32
        assert heat.min() >= 0
    # Probabilities add up to 1, so what one class loses the others win.
    np.testing.assert_allclose(made.drops.sum(axis=0), 0, atol=1e-5)

    train = table.index[table["part"] == "train"].to_numpy()
    vectors = embed(lab, run.dataset, RUN).vectors
    search = NearestNeighbors(n_neighbors=8, metric="cosine").fit(vectors[train])
    distances, places = search.kneighbors(vectors[[held_out]])
    assert [one.row for one in made.neighbours] == train[places[0]].tolist()
    np.testing.assert_allclose([one.distance for one in made.neighbours], distances[0], atol=1e-5)
    assert [one.label for one in made.neighbours] == table["label"].loc[train[places[0]]].tolist()


def test_a_copy_in_the_train_part_is_a_leak_that_is_told(lab: Workspace, run: Run) -> None:
    leak, held_out = _leak(lab, run)
    explainer = Explainer(lab, RUN)
    (made,) = explainer.rows([held_out])
    told = {one.row: one.duplicate for one in made.neighbours}
    if leak in told:  # near in pixels need not be near to an untrained network
        assert told.pop(leak) == "the same picture mirrored left to right, 100 % alike"
    assert set(told.values()) == {None}
    train = explainer._train(lambda *_: None)
    embedding = embed(lab, run.dataset, RUN).vectors[leak]
    nearest = train.nearest(open_images(lab, run.dataset)[held_out], embedding, held_out)
    assert nearest[0].row == leak
    assert nearest[0].duplicate == "the same picture mirrored left to right, 100 % alike"
    # A train image is no neighbour of its own.
    (own,) = explainer.rows([leak])
    assert own.part == "train"
    assert leak not in [one.row for one in own.neighbours]


def test_what_is_known_is_not_made_again(lab: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    explainer = Explainer(lab, RUN)
    rows = [1, 0]
    made = explainer.rows(rows)
    assert [one.row for one in made] == rows

    def refuse(*_: object) -> None:
        raise AssertionError("loaded again")

    monkeypatch.setattr(explain_module, "load_model", refuse)
    again = Explainer(lab, RUN).rows(rows)
    for before, after in zip(made, again, strict=True):
        np.testing.assert_array_equal(before.grad_cam, after.grad_cam)
        np.testing.assert_array_equal(before.drops, after.drops)
        assert before.neighbours == after.neighbours
    with pytest.raises(AssertionError, match="loaded again"):
        Explainer(lab, RUN, patch=8).rows(rows)
    kept = next(lab.run_dir(RUN).glob(f"explanations/*/{made[0].image_id}-*"))
    kept.write_bytes(kept.read_bytes()[:-99])
    assert load_explanation(lab, RUN, explainer.checksum, made[0].image_id, 5, 2) is None
    with pytest.raises(AssertionError, match="loaded again"):
        Explainer(lab, RUN).rows(rows)


def test_the_maps_of_a_mix_up_are_averaged(lab: Workspace, run: Run) -> None:
    predictions = load_predictions(lab, RUN)
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    true, predicted = (int(wrong[name].iloc[0]) for name in ("label", "predicted"))
    images = confused_images(lab, RUN, true, predicted)
    cell = (predictions["label"] == true) & (predictions["predicted"] == predicted)
    assert sorted(images["row"]) == sorted(predictions["row"][cell])
    explainer = Explainer(lab, RUN)
    mix_up = explainer.mix_up(true, predicted, images)
    single = explainer.rows(images["row"].tolist())
    assert isinstance(mix_up, MixUp)
    assert mix_up.count == len(images) == len(single)
    np.testing.assert_allclose(mix_up.grad_cam, np.mean([one.grad_cam for one in single], axis=0), atol=1e-6)
    mean = np.mean([one.image for one in single], axis=0)
    assert np.abs(mix_up.image - mean).max() <= 0.5
    assert mix_up.grad_cam_map(true).shape == (32, 32)
    explainer._model = None  # what is known needs none
    again = explainer.mix_up(true, predicted, images.iloc[::-1])
    np.testing.assert_array_equal(again.grad_cam, mix_up.grad_cam)


def test_pictures_of_no_data_set(lab: Workspace, tmp_path: Path) -> None:
    write_pictures(tmp_path, [0, 1, 2])
    second, first = Explainer(lab, RUN).pictures(tmp_path, ["cell-1.png", "cell-0.png"])
    assert first.image_id != second.image_id
    assert first.image_id.startswith("picture-")
    assert (first.row, first.label, first.part, len(first.neighbours)) == (None, None, None, 8)
    spec = {"run": RUN, "source": str(tmp_path), "names": ["cell-0.png"]}
    done = TASKS.get("explain")(lab, "", spec, silent)
    assert (done["pictures"], done["rows"], done["mix_ups"]) == (1, 0, 0)
    with pytest.raises(WbcError, match=r"cell-9\.png is no longer in"):
        Explainer(lab, RUN).pictures(tmp_path, ["cell-9.png"])


def test_what_cannot_be_explained_is_refused(lab: Workspace) -> None:
    with pytest.raises(WbcError, match="no row 60"):
        Explainer(lab, RUN).rows([0, 60])
    with pytest.raises(WbcError, match="does not fit"):
        Explainer(lab, RUN, patch=33)
    with pytest.raises(WbcError, match="No basophil of the validation part was taken for platelet"):
        confused_images(lab, RUN, 0, 2)


def test_a_cancelled_explanation_leaves_nothing(lab: Workspace) -> None:
    def cancel(fraction: float, message: str) -> None:
        if message == "covering patches":
            raise Cancelled

    explainer = Explainer(lab, RUN, patch=7)
    with pytest.raises(Cancelled):
        explainer.rows([5], cancel)
    assert not list(lab.run_dir(RUN).glob("explanations/*/*-7-3-v1.npz"))


def test_a_model_that_was_trained_further_replaces_what_older_ones_made(
    lab: Workspace, run: Run, tmp_path: Path
) -> None:
    explainer = Explainer(lab, RUN)
    explainer.rows([3])
    folder = lab.run_dir(RUN) / "explanations"
    assert [path.name for path in folder.iterdir()] == [explainer.checksum[:16]]
    model = load_model(lab, RUN)
    model.layers[-1].set_weights([weights + 1 for weights in model.layers[-1].get_weights()])
    model.save(lab.run_dir(RUN) / "best.keras")
    after = Explainer(lab, RUN)
    after.rows([3])
    assert [path.name for path in folder.iterdir()] == [after.checksum[:16]]
