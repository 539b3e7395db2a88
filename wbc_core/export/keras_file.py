"""Keras's own file, for further training and for Python."""

import shutil
from pathlib import Path

import numpy as np

from wbc_core.export.entry import ExportFormat, Opened
from wbc_core.export.original import Original
from wbc_core.progress import Progress

_SAMPLE = """\
import keras

model = keras.saving.load_model("model.keras", compile=False)
probabilities = model.predict_on_batch(images)[0]
"""


def _write(original: Original, folder: Path, progress: Progress) -> Opened:
    import keras

    shutil.copyfile(original.file, folder / "model.keras")
    again = keras.saving.load_model(folder / "model.keras", safe_mode=True, compile=False)
    return Opened(lambda images: np.asarray(again.predict_on_batch(images)))


KERAS = ExportFormat(
    name="keras",
    title="Keras",
    purpose="Python with Keras 3; can be trained further",
    file="model.keras",
    write=_write,
    sample=_SAMPLE,
)
