"""ONNX, for any language that ONNX Runtime knows."""

import logging
import warnings
from pathlib import Path

import numpy as np

from wbc_core.export.entry import ExportFormat, Opened
from wbc_core.export.original import Original
from wbc_core.export.output import standard_output_quiet
from wbc_core.progress import Progress

_SAMPLE = """\
import onnxruntime

model = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
probabilities = model.run(None, {model.get_inputs()[0].name: images})[0][0]
"""


def _write(original: Original, folder: Path, progress: Progress) -> Opened:
    import keras

    model = original.at_inference()
    model(keras.ops.zeros((1, *model.input_shape[1:])))  # keras exports only what was called once
    # tf2onnx logs a traceback where one of its optional simplifications does not apply.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    with standard_output_quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # keras asks NumPy for the name `object` it once had
        model.export(folder / "model.onnx", format="onnx", verbose=False)
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return Opened(lambda images: np.asarray(session.run(None, {name: images.astype(np.float32)})[0]))


ONNX = ExportFormat(
    name="onnx",
    title="ONNX",
    purpose="ONNX Runtime in C++, C#, Java, JavaScript, Python",
    file="model.onnx",
    write=_write,
    sample=_SAMPLE,
    packages=("tf2onnx", "onnx", "onnxruntime"),
)
