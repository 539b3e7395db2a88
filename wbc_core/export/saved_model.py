"""TensorFlow's SavedModel, for TensorFlow Serving."""

from pathlib import Path

import numpy as np

from wbc_core.export.entry import ExportFormat, Opened
from wbc_core.export.original import Original
from wbc_core.export.output import standard_output_quiet
from wbc_core.progress import Progress

_SAMPLE = """\
import tensorflow as tf

model = tf.saved_model.load("savedmodel").signatures["serving_default"]
(name,) = model.structured_input_signature[1]
probabilities = next(iter(model(**{name: tf.constant(images)}).values())).numpy()[0]
"""


def _write(original: Original, folder: Path, progress: Progress) -> Opened:
    with standard_output_quiet():
        original.at_inference().export(folder / "savedmodel", format="tf_saved_model", verbose=False)
    # Opened as a user would, without Keras: only TensorFlow itself can serve this format.
    import tensorflow as tf

    # By its signature, since `serve` wants an array or a list depending on how the model was built.
    again = tf.saved_model.load(str(folder / "savedmodel")).signatures["serving_default"]
    (name,) = again.structured_input_signature[1]

    def predict(images: np.ndarray) -> np.ndarray:
        given = tf.constant(images.astype(np.float32))
        return np.asarray(next(iter(again(**{name: given}).values())))

    return Opened(predict)


SAVED_MODEL = ExportFormat(
    name="savedmodel",
    title="SavedModel",
    purpose="TensorFlow Serving",
    file="savedmodel",
    write=_write,
    sample=_SAMPLE,
)
