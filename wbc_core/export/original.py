"""The model that is exported, and what it answers: what every format is held against."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wbc_core.datasets.store import open_images
from wbc_core.evaluation.latency import time_calls
from wbc_core.evaluation.report import held_out, sha256_of
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Json
from wbc_core.splitting import split_table
from wbc_core.training.runs import Run, load_run
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

CHECKED_IMAGES = 2000
"""A 95 % interval of an accuracy of 97 % is then within a point; more images only take longer."""


@dataclass(frozen=True)
class Original:
    """A run's best model and what it answers.

    Attributes:
        workspace: The lab.
        run: The run.
        model: Its best model, from (n, H, W, 3), uint8 or float 0..255, to (n, K) probabilities.
        file: Its file in the lab.
        sha256: SHA-256 of the file.
        images: Validation images, uint8 (n, H, W, 3), at most `CHECKED_IMAGES`, evenly spread over the part.
        labels: Their labels, int64 (n,).
        probabilities: What the model answers, float32 (n, K).
        latency: Of `latency.time_calls`.
    """

    workspace: Workspace
    run: Run
    model: "keras.Model"
    file: Path
    sha256: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    latency: Json

    def at_inference(self) -> "keras.Model":
        """The model as it predicts, however it is called.

        In one that was saved with a `resizing` by an older version of the lab, whose default is to train, a
        plain call, as those of an export are, normalises by the batch and moves the moving statistics.
        """
        import keras

        inputs = keras.Input(self.model.input_shape[1:], name=self.model.inputs[0].name)
        return keras.Model(inputs, self.model(inputs, training=False), name=self.model.name)

    def train_images(self, count: int, seed: int) -> tuple[NDArray[np.uint8], Json]:
        """Draw images of the train part, as many of each class as there are, up to an equal share.

        Args:
            count: About how many.
            seed: Seed of the drawing.

        Returns:
            uint8 (n, H, W, 3) with n at most `count`, and a record of which they are: `images`, `part`,
            `seed`, and `image_ids_sha256` over their ids in order, one a line.
        """
        table = split_table(self.workspace, self.run.split)
        train = table[table["part"] == "train"]
        order = np.random.default_rng(seed).permutation(len(train))
        each = max(1, count // len(self.run.class_names))
        drawn = train.iloc[order].groupby("label", sort=True).head(each)
        lines = "".join(f"{image_id}\n" for image_id in drawn["image_id"])
        record = {
            "images": len(drawn),
            "part": "train",
            "seed": seed,
            "image_ids_sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }
        return np.asarray(open_images(self.workspace, self.run.dataset)[drawn["row"].to_numpy()]), record


def load_original(workspace: Workspace, run_id: str, progress: Progress = silent) -> Original:
    """Open the best model of a run and let it answer.

    Raises:
        WbcError: No such run, or no model yet.
    """
    from wbc_core.training.predict import load_model, predict_probabilities

    run = load_run(workspace, run_id)
    progress(0.0, "Loading the model")
    model = load_model(workspace, run_id)
    file = workspace.run_dir(run_id) / "best.keras"
    held = held_out(workspace, run, "validation")
    chosen = np.linspace(0, len(held.table) - 1, min(CHECKED_IMAGES, len(held.table))).astype(int)
    rows = held.table["row"].to_numpy(dtype=np.int64)[chosen]
    images = np.asarray(held.images[rows])
    return Original(
        workspace=workspace,
        run=run,
        model=model,
        file=file,
        sha256=sha256_of(file),
        images=images,
        labels=held.table["label"].to_numpy(dtype=np.int64)[chosen],
        probabilities=predict_probabilities(model, images, progress=part_of(progress, 0.1, 0.9)),
        latency=time_calls(model.predict_on_batch, images),
    )
