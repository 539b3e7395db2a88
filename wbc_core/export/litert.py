"""LiteRT, once TensorFlow Lite, for phones and small boards: in float32, and in integers of 8 bits."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.errors import WbcError
from wbc_core.export.check import integer_rule
from wbc_core.export.entry import ExportFormat, Opened
from wbc_core.export.original import Original
from wbc_core.progress import Progress
from wbc_core.quiet import quiet_standard_error

REPRESENTATIVE_IMAGES = 200
"""TensorFlow's guide asks for a few hundred."""
_SEED = 0
_FILE = "model.tflite"
_SAMPLE = """\
from ai_edge_litert.interpreter import Interpreter

model = Interpreter("model.tflite")
model.allocate_tensors()
model.set_tensor(model.get_input_details()[0]["index"], images)
model.invoke()
probabilities = model.get_tensor(model.get_output_details()[0]["index"])[0]
"""


def _convert(original: Original, folder: Path, operations: list[Any], **settings: Any) -> None:
    import keras

    # One image a call: with a batch of any size the runtime cannot plan its memory, and is slower.
    shape = (1, *original.model.input_shape[1:])
    with quiet_standard_error():
        original.at_inference().export(
            folder / _FILE,
            format="litert",
            verbose=False,
            input_signature=[keras.InputSpec(shape=shape, dtype="float32", name="images")],
            # Without TensorFlow's own operations, which the LiteRT runtime does not bring along.
            target_spec={"supported_ops": operations},
            **settings,
        )


def _open(file: Path) -> tuple[Any, Any, Any]:
    from ai_edge_litert.interpreter import Interpreter

    with quiet_standard_error():
        model = Interpreter(str(file), num_threads=os.cpu_count())
        model.allocate_tensors()
    return model, model.get_input_details()[0], model.get_output_details()[0]


def _opened(file: Path, facts: dict[str, Any]) -> Opened:
    model, given, answer = _open(file)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities = []
        for image in images:
            model.set_tensor(given["index"], image[np.newaxis].astype(given["dtype"]))
            model.invoke()
            probabilities.append(model.get_tensor(answer["index"])[0])
        return np.stack(probabilities)

    return Opened(predict, np.dtype(given["dtype"]).name, facts)


def _write_float(original: Original, folder: Path, progress: Progress) -> Opened:
    import tensorflow as tf

    progress(0.0, "Converting to LiteRT")
    _convert(original, folder, [tf.lite.OpsSet.TFLITE_BUILTINS])
    return _opened(folder / _FILE, {})


def _write_integers(original: Original, folder: Path, progress: Progress) -> Opened:
    """Quantise weights and activations after training (Jacob et al., CVPR 2018).

    The input is uint8, which is what pictures are: with scale 1 and zero point 0 it takes their bytes as they
    are. The output is float32, so that it is read as that of any other format; its probabilities are
    multiples of 1/256 all the same, since the softmax before it works in integers.
    """
    import tensorflow as tf

    images, record = original.train_images(REPRESENTATIVE_IMAGES, _SEED)
    # The input's scale comes of the darkest and the lightest value seen: two pixels make it exactly 1.
    images[0, 0, 0], images[0, -1, -1] = 0, 255

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for number, image in enumerate(images):
            progress(number / len(images), f"Quantising by {len(images):,} train images")
            yield [image[np.newaxis].astype(np.float32)]

    _convert(
        original,
        folder,
        [tf.lite.OpsSet.TFLITE_BUILTINS_INT8],
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=representative,
        inference_input_type=tf.uint8,
    )
    _, given, _ = _open(folder / _FILE)
    if given["dtype"] is not np.uint8 or given["quantization"] != (1.0, 0):
        raise WbcError(
            "The quantised model does not take pictures as they are.",
            expected="uint8 input with scale 1 and zero point 0",
            got=f"{np.dtype(given['dtype']).name} with {given['quantization']}",
            fix="Export to another format.",
        )
    return _opened(folder / _FILE, {"representative": record})


LITERT = ExportFormat(
    name="litert",
    title="LiteRT",
    purpose="phones and small boards",
    file=_FILE,
    write=_write_float,
    sample=_SAMPLE,
    packages=("ai_edge_litert",),
)
LITERT_INT8 = ExportFormat(
    name="litert_int8",
    title="LiteRT, 8-bit integers",
    purpose="phones and small boards, a quarter of the size",
    file=_FILE,
    write=_write_integers,
    sample=_SAMPLE,
    packages=("ai_edge_litert",),
    rule=integer_rule,
)
