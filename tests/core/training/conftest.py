"""One small prepared set, built once, and the shortest run on it."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wbc_core.datasets.store import DatasetWriter
from wbc_core.records import PreparedSet, Recipe, Split
from wbc_core.workspace import Workspace

SIZE = 32
CLASS_NAMES = ("blue", "green", "red")


def draw(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Noise with one brighter channel a class, so that three epochs learn it."""
    images = generator.integers(60, 160, (len(labels), SIZE, SIZE, 3))
    images[np.arange(len(labels)), :, :, labels] += 50
    return images.astype(np.uint8)


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace folder with 96 train and 36 validation images, and the prepared set's id."""
    workspace = Workspace(tmp_path_factory.mktemp("training") / "workspace")
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [66, 40, 26])
    generator.shuffle(labels)
    images = draw(labels, generator)
    with DatasetWriter(workspace, "colours", CLASS_NAMES, (SIZE, SIZE, 3)) as writer:
        writer.append(images, labels, [f"row {row}" for row in range(132)], np.full((132, 2), SIZE))
        dataset = writer.finish("drawn")
    prepared = write_split_and_prepared(workspace, dataset.id, images, labels)
    return workspace.home, prepared


@pytest.fixture
def training_workspace(prepared_home: tuple[Path, str], tmp_path: Path) -> tuple[Workspace, str]:
    """A workspace of the test's own with the prepared set, and its id."""
    home, prepared = prepared_home
    shutil.copytree(home, tmp_path / "workspace", ignore=shutil.ignore_patterns("runs"))
    return Workspace(tmp_path / "workspace"), prepared


def write_split_and_prepared(
    workspace: Workspace, dataset_id: str, images: np.ndarray, labels: np.ndarray
) -> str:
    parts = np.where(np.arange(132) < 96, "train", "validation")
    rows = np.arange(132)
    counts = {
        part: np.bincount(labels[parts == part], minlength=3).tolist() for part in ("train", "validation")
    }
    split = Split("sp-000000000000", dataset_id, "cl-000000000000", 0, (96 / 132, 36 / 132), 0, counts, 0, "")
    workspace.write_json(workspace.split_path(split.id), split.to_json())
    table = pd.DataFrame({"row": rows, "image_id": "x", "label": labels, "part": parts, "group": rows})
    table.to_parquet(workspace.split_path(split.id, ".parquet"))
    prepared = PreparedSet(
        "pr-000000000000", split.id, dataset_id, Recipe("plain"), 96, tuple(counts["train"]), 0.1, 1.0, ""
    )
    folder = workspace.prepared_dir(prepared.id)
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", images[:96])
    np.save(folder / "labels.npy", labels[:96])
    workspace.write_json(folder / "prepared.json", prepared.to_json())
    return prepared.id
