"""Prediction in chunks, its symmetries, and its errors."""

import zipfile

import numpy as np
import pytest

from wbc_core.errors import WbcError
from wbc_core.training.predict import load_model, predict_probabilities, symmetries
from wbc_core.training.runs import Run, write_run
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

RUN = "job-000000000003"


class Corner:
    """Stands in for a model: the probability of class 0 is the upper left pixel."""

    input_shape, output_shape = (None, 4, 4, 3), (None, 2)

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        self.batches.append(len(images))
        corner = images[:, 0, 0, 0] / 255
        return np.stack([corner, 1 - corner], axis=1)


def test_the_symmetries_of_a_square_are_all_different() -> None:
    views = symmetries(np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3))
    assert len({view.tobytes() for view in views}) == 8


def test_chunks_and_rows_and_averaging() -> None:
    images = np.random.default_rng(0).integers(0, 256, (600, 4, 4, 3), dtype=np.uint8)
    seen: list[float] = []
    plain = predict_probabilities(Corner(), images, progress=lambda fraction, message: seen.append(fraction))
    np.testing.assert_allclose(plain[:, 0], images[:, 0, 0, 0] / 255, rtol=1e-6)
    assert seen == [stop / 600 for stop in range(60, 601, 60)]
    rows = np.array([599, 0, 7])
    np.testing.assert_array_equal(predict_probabilities(Corner(), images, rows=rows), plain[rows])
    averaged = predict_probabilities(Corner(), images[:5], tta=True)
    corners = images[:5, [0, 0, -1, -1], [0, -1, 0, -1], 0].mean(axis=1) / 255
    np.testing.assert_allclose(averaged[:, 0], corners, rtol=1e-5)


def test_all_batches_have_one_size_so_that_a_model_is_compiled_once() -> None:
    images, model = np.zeros((600, 4, 4, 3), np.uint8), Corner()
    for count, batches in ((600, [60] * 10), (65, [33, 33]), (3, [3]), (0, [])):
        model.batches.clear()
        assert len(predict_probabilities(model, images[:count])) == count
        assert model.batches == batches


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(WbcError, match="Expected 4 x 4 x 3; got 8 x 8 x 3"):
        predict_probabilities(Corner(), np.zeros((1, 8, 8, 3), np.uint8))


def test_a_run_without_a_model_or_with_a_damaged_one(workspace: Workspace) -> None:
    with pytest.raises(WbcError, match=f"no run {RUN}"):
        load_model(workspace, RUN)
    spec = RunSpec("pr-000000000000", "cnn")
    run = Run(
        RUN, spec, "ds-000000000000", "sp-000000000000", ("a", "b"), (8, 8, 3), 1, 1, 1, 0, None, None, 0.0,
        "cpu", "a processor", "2026-01-01", False, "",
    )  # fmt: skip
    write_run(workspace, run)
    workspace.write_json(workspace.run_dir(RUN) / "spec.json", spec.to_json())
    with pytest.raises(WbcError, match="has no model yet"):
        load_model(workspace, RUN)
    best = workspace.run_dir(RUN) / "best.keras"
    with zipfile.ZipFile(best, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, '{"class_name": "Functional"}')
    rotten = best.read_bytes().replace(b"Functional", b"functional")  # a bad check sum
    for content in (b"not a model", b"", best.read_bytes(), rotten):
        best.write_bytes(content)
        with pytest.raises(WbcError, match=f"The model of run {RUN} is damaged"):
            load_model(workspace, RUN)
