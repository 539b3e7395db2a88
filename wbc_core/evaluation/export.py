"""Models that leave the lab: each is opened again in its own runtime and must answer as the original does."""

import logging
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wbc_core.errors import WbcError
from wbc_core.evaluation.card import model_card
from wbc_core.evaluation.report import held_out, sha256_of
from wbc_core.records import Json
from wbc_core.registry import Registry
from wbc_core.training.runs import Run, load_run
from wbc_core.workspace import Workspace, now, whole_folder

if TYPE_CHECKING:
    import keras

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From images float32 (n, H, W, 3), 0..255, to probabilities float32 (n, K)."""
Writer = Callable[["keras.Model", Path, Path], Predict]
"""Called with the model, its file in the lab and the folder to write to; returns the model opened again."""

WRITERS = Registry[Writer]("export format")
CARD = "card"
TOLERANCE = 1e-3
"""Largest gap of a probability that a changed order of float32 sums may make."""
_CHECKED_IMAGES = 256
_PACKAGES = ("keras", "tensorflow", "onnx", "tf2onnx", "onnxruntime", "numpy")


def export_formats() -> list[str]:
    """What a run can be exported to."""
    return [*WRITERS.names(), CARD]


@WRITERS.register("keras")
def _keras(model: "keras.Model", file: Path, folder: Path) -> Predict:
    import keras

    shutil.copyfile(file, folder / "model.keras")
    again = keras.saving.load_model(folder / "model.keras", safe_mode=True, compile=False)
    return lambda images: np.asarray(again.predict_on_batch(images))


@WRITERS.register("onnx")
def _onnx(model: "keras.Model", file: Path, folder: Path) -> Predict:
    missing = [name for name in ("tf2onnx", "onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise WbcError(
            f"Export to ONNX needs {', '.join(missing)}.", fix="Install it: `pip install 'wbc-lab[export]'`."
        )
    import keras

    model(keras.ops.zeros((1, *model.input_shape[1:])))  # keras exports only what was called once
    # tf2onnx logs a traceback where one of its optional simplifications does not apply.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    with _standard_output_quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # keras asks NumPy for the name `object` it once had
        model.export(folder / "model.onnx", format="onnx", verbose=False)
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: np.asarray(session.run(None, {name: images})[0])


@WRITERS.register("savedmodel")
def _saved_model(model: "keras.Model", file: Path, folder: Path) -> Predict:
    with _standard_output_quiet():
        model.export(folder / "savedmodel", format="tf_saved_model", verbose=False)
    # Opened as a user would, without Keras: only TensorFlow itself can serve this format.
    import tensorflow as tf

    # By its signature, since `serve` wants an array or a list depending on how the model was built.
    again = tf.saved_model.load(str(folder / "savedmodel")).signatures["serving_default"]
    (name,) = again.structured_input_signature[1]
    return lambda images: np.asarray(next(iter(again(**{name: tf.constant(images)}).values())))


@contextmanager
def _standard_output_quiet() -> Iterator[None]:
    """Exporters print; standard output belongs to the command's JSON."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _checked(workspace: Workspace, run: Run, model: "keras.Model", again: Predict, to: str) -> Json:
    """Compare the exported model with the original on validation images.

    Raises:
        WbcError: A probability differs by more than `TOLERANCE`.
    """
    from wbc_core.training.predict import predict_probabilities

    held = held_out(workspace, run, "validation")
    everything = held.table["row"].to_numpy(dtype=np.int64)
    rows = everything[np.linspace(0, len(everything) - 1, min(_CHECKED_IMAGES, len(everything))).astype(int)]
    original = predict_probabilities(model, held.images, rows=rows)
    exported = np.concatenate(
        [again(held.images[rows[start : start + 64]].astype(np.float32)) for start in range(0, len(rows), 64)]
    )
    gap = float(np.abs(original - exported).max())
    if not gap <= TOLERANCE:
        raise WbcError(
            f"The model exported to {to} does not answer as the original does and is not kept.",
            expected=f"probabilities within {TOLERANCE:g} on {len(rows):,} validation images",
            got=f"a gap of {gap:.3g}",
            fix="Export to another format.",
        )
    return {
        "checked_images": len(rows),
        "largest_gap": gap,
        "tolerance": TOLERANCE,
        "label_changes": int((original.argmax(axis=1) != exported.argmax(axis=1)).sum()),
    }


def _passport(run: Run, to: str, checked: Json, model_sha256: str, folder: Path) -> Json:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "run": run.id,
        "format": to,
        "dataset": run.dataset,
        "split": run.split,
        "prepared": run.prepared,
        "backbone": run.backbone,
        "classes": list(run.class_names),
        "input": {"shape": list(run.image_shape), "type": "float32", "range": [0, 255], "colour": "RGB"},
        "model_sha256": model_sha256,
        **checked,
        "files": {
            path.relative_to(folder).as_posix(): {"sha256": sha256_of(path), "bytes": path.stat().st_size}
            for path in files
        },
        "versions": _versions(),
        "intended_use": "research only, not a medical device",
        "created": now(),
    }


def export_run(workspace: Workspace, run_id: str, to: str, directory: Path) -> list[Path]:
    """Write the best model of a run, or its model card, into a new folder.

    A model is opened again in its own runtime and compared with the original on up to 256 validation images;
    the result is written to `passport.json` beside it. A model that answers otherwise is refused.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        to: `keras`, `savedmodel`, `onnx` (needs the extra `export`) or `card` (Markdown).
        directory: The folder to make; it may exist if it is empty.

    Returns:
        The files written.

    Raises:
        WbcError: No such run or format, no model yet, a missing extra, a folder with something in it, or a
            model that failed its check.
    """
    run = load_run(workspace, run_id)
    if to == CARD:
        text = model_card(workspace, run)
        with whole_folder(directory) as folder:
            (folder / "model_card.md").write_text(text, encoding="utf-8")
        return [directory / "model_card.md"]
    if to not in WRITERS:
        raise WbcError(f"There is no export to {to!r}.", expected=f"one of {', '.join(export_formats())}")
    from wbc_core.training.predict import load_model

    with whole_folder(directory) as folder:
        model = load_model(workspace, run_id)
        file = workspace.run_dir(run_id) / "best.keras"
        again = WRITERS.get(to)(model, file, folder)
        checked = _checked(workspace, run, model, again, to)
        workspace.write_json(folder / "passport.json", _passport(run, to, checked, sha256_of(file), folder))
        written = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [directory / path for path in written]
