"""One small prepared set, built once, and the shortest run on it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from wbc_core.augment.prepare import prepare
from wbc_core.augment.recipe import load_recipe
from wbc_core.datasets.store import DatasetWriter
from wbc_core.splitting import make_split
from wbc_core.training.loop import train
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

SIZE = 32
CLASS_NAMES = ("blue", "green", "red")
RUN = "job-000000000001"
MEASURED = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]


def short_spec(prepared: str, **settings: object) -> RunSpec:
    return RunSpec(prepared, "cnn", **{"epochs": 4, "batch_size": 16, "plateau_patience": 1, **settings})


def draw(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Noise with one brighter channel a class, so that three epochs learn it."""
    images = generator.integers(60, 160, (len(labels), SIZE, SIZE, 3))
    images[np.arange(len(labels)), :, :, labels] += 50
    return images.astype(np.uint8)


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace folder with 132 images split 70/30, and the id of the plain prepared set."""
    workspace = Workspace(tmp_path_factory.mktemp("training") / "workspace")
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [66, 40, 26])
    generator.shuffle(labels)
    images = draw(labels, generator)
    with DatasetWriter(workspace, "colours", CLASS_NAMES, (SIZE, SIZE, 3)) as writer:
        writer.append(images, labels, [f"row {row}" for row in range(132)], np.full((132, 2), SIZE))
        dataset = writer.finish("drawn")
    split = make_split(workspace, dataset.id)
    return workspace.home, prepare(workspace, split.id, load_recipe(workspace, "plain")).id


@pytest.fixture
def training_workspace(prepared_home: tuple[Path, str], tmp_path: Path) -> tuple[Workspace, str]:
    """A workspace of the test's own with the prepared set, and its id."""
    home, prepared = prepared_home
    shutil.copytree(home, tmp_path / "workspace", ignore=shutil.ignore_patterns("runs"))
    return Workspace(tmp_path / "workspace"), prepared


@pytest.fixture(scope="session")
def whole_run(prepared_home: tuple[Path, str]) -> tuple[Workspace, str, list[tuple[float, str]]]:
    """A run never killed, with everything it reported."""
    workspace, seen = Workspace(prepared_home[0]), []
    train(workspace, RUN, short_spec(prepared_home[1]), lambda *report: seen.append(report))
    return workspace, prepared_home[1], seen
