"""Checkpoints: one folder a finished epoch, which appears whole or not at all; only the newest is kept."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wbc_core.errors import WbcError
from wbc_core.records import Json
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

# What keras.callbacks.EarlyStopping and ReduceLROnPlateau remember between epochs.
_CALLBACK_STATE = ("wait", "best", "best_epoch", "cooldown_counter")


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the next epoch depends on.

    Attributes:
        model: The compiled model with its optimiser's state and the states of its random generators.
        epochs: Finished epochs.
        history: One row a finished epoch.
        callbacks: State of each callback by name.
        stopped: Whether early stopping has ended the run.
    """

    model: "keras.Model"
    epochs: int
    history: list[dict[str, float]]
    callbacks: dict[str, Json]
    stopped: bool


def callback_state(callback: Any) -> Json:
    """What a callback remembers between epochs, as plain JSON."""
    found = {name: getattr(callback, name) for name in _CALLBACK_STATE if hasattr(callback, name)}
    return {name: None if value is None else float(value) for name, value in found.items()}


def restore_callback(callback: Any, state: Mapping[str, Any]) -> None:
    """Put back what `callback_state` took."""
    for name, value in state.items():
        setattr(callback, name, value)


def _generator_states(model: "keras.Model") -> list[Any]:
    # A .keras file leaves these out, and dropout would start its sequence again.
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def _folder(workspace: Workspace, run_id: str) -> Path:
    return workspace.run_dir(run_id) / "checkpoint"


def save_checkpoint(workspace: Workspace, run_id: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, then remove those before it."""
    import keras

    final = _folder(workspace, run_id) / f"epoch-{checkpoint.epochs:04}"
    with workspace.atomic_path(final) as scratch:
        scratch.mkdir()
        checkpoint.model.save(scratch / "model.keras")
        generators = [
            keras.ops.convert_to_numpy(variable).tolist() for variable in _generator_states(checkpoint.model)
        ]
        state = {
            "epochs": checkpoint.epochs,
            "history": checkpoint.history,
            "callbacks": checkpoint.callbacks,
            "generators": generators,
            "stopped": checkpoint.stopped,
        }
        (scratch / "state.json").write_text(json.dumps(state, allow_nan=False), encoding="utf-8")
    # Never a newer one: a process that has lost its claim may write here after its successor.
    for older in final.parent.iterdir():
        if older.name < final.name:
            shutil.rmtree(older)


def load_checkpoint(workspace: Workspace, run_id: str) -> Checkpoint | None:
    """Read the newest checkpoint of a run; None before its first epoch has finished.

    Raises:
        WbcError: The checkpoint is there but cannot be read.
    """
    import keras

    folders = sorted(_folder(workspace, run_id).glob("epoch-*"))
    if not folders:
        return None
    state = workspace.read_json(folders[-1] / "state.json", f"run {run_id}")
    try:
        model = keras.saving.load_model(folders[-1] / "model.keras", safe_mode=True)
    except Exception as error:  # zip, JSON, HDF5 and every layer fail in their own way
        raise WbcError(
            f"The checkpoint of run {run_id} is damaged.",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix="Remove the folder checkpoint of the run and resume it: it then begins anew.",
        ) from error
    # The device may have changed since it was compiled.
    model.jit_compile = None
    for variable, value in zip(_generator_states(model), state["generators"], strict=True):
        variable.assign(value)
    return Checkpoint(model, state["epochs"], state["history"], state["callbacks"], state["stopped"])


def save_model(workspace: Workspace, model: "keras.Model", final: Path) -> None:
    """Write a model for prediction, without its optimiser's state; `final` is replaced when it is whole."""
    import keras

    with workspace.atomic_path(final) as scratch:
        named = scratch.with_name(f"{scratch.name}.keras")  # keras insists on the suffix
        try:
            # The same layers in a model that was never compiled: a third of the size.
            keras.Model(model.inputs, model.outputs, name=model.name).save(named)
            named.replace(scratch)
        finally:
            named.unlink(missing_ok=True)
