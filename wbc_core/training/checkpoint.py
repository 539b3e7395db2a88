"""Checkpoints: one folder a finished epoch, which appears whole or not at all; the newest two are kept.

Beside them the best weights, and those that they replaced for as long as their epoch may still be lost.

A checkpoint holds numbers only. The network is built anew from the spec, and so is its optimiser. While the
head learns alone on features, each holds the backbone as a further name of the first one's file, and the
head's best weights: `best.keras` holds the backbone too, and is not written anew for each of them.
"""

import errno
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.backbones.layers import compute_with_own_weights
from wbc_core.errors import WbcError
from wbc_core.quiet import say
from wbc_core.workspace import Workspace, link_or_copy

if TYPE_CHECKING:
    import keras


BEST = "best.keras"
"""Name of the file with a run's best weights."""

_FROZEN = "frozen.npz"
_BEST_HEAD = "best_head.npz"
_ASIDE = "damaged-"
_TORN = (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, FileNotFoundError, TypeError)
"""What numpy and zipfile raise for a file that is not as it was written."""


class _Damaged(WbcError):
    """A checkpoint was read, and is not what was written."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the next epoch depends on.

    Attributes:
        history: One row a finished epoch.
        weights: The weights of the model and the states of its random generators, in its order.
        optimiser: The optimiser's variables, in its order.
        accumulation: Steps whose gradients that optimiser gathered for one of its own; None where an older
            version of the lab did not write it.
        best_head: Weights of the head in the best epoch; None where `best.keras` has them.
    """

    history: list[dict[str, float]]
    weights: list[NDArray[Any]]
    optimiser: list[NDArray[Any]]
    accumulation: int | None = None
    best_head: list[NDArray[Any]] | None = None

    @property
    def epochs(self) -> int:
        """Finished epochs."""
        return len(self.history)

    def restore(self, model: "keras.Model", optimiser: "keras.optimizers.Optimizer") -> None:
        """Give a network and its optimiser, both as they were built from the same spec, their numbers back.

        Batch size and accumulation may be others. What gradients an optimiser with another accumulation had
        gathered for a step of its own is left out.

        Raises:
            WbcError: They do not have the shapes of what was saved.
        """
        state = self._state_for(optimiser)
        for variables, values in ((_state_of(model), self.weights), (optimiser.variables, state)):
            if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
                raise WbcError(
                    "The checkpoint does not fit the network.",
                    expected=f"{len(variables)} arrays of its shapes",
                    got=f"{len(values)} arrays",
                    fix="Launch a new run: this one was begun by another version of the lab.",
                )
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        compute_with_own_weights(model)

    def _state_for(self, optimiser: "keras.optimizers.Optimizer") -> list[NDArray[Any]]:
        before, now = self.accumulation, _accumulation(optimiser)
        if before is None or before == now:
            return self.optimiser
        saved, state = iter(self.optimiser), []
        for variable in optimiser.variables:
            gathers = variable.name.endswith("gradient_accumulator")
            value = np.zeros(variable.shape) if gathers and before == 1 else next(saved, None)
            if value is None:
                break
            if variable.name == "iteration":  # keras counts the steps that only gather, too
                value = np.asarray(value // before * now)
            state.append(np.zeros_like(value) if gathers else value)
        return [*state, *saved]


def _accumulation(optimiser: "keras.optimizers.Optimizer") -> int:
    return int(getattr(optimiser, "inner_optimizer", optimiser).gradient_accumulation_steps or 1)


def _state_of(model: "keras.Model") -> "list[keras.Variable]":
    # Without its generators' states dropout would start its sequence again.
    return [
        *model.weights,
        *(variable for variable in model.variables if variable.name == "seed_generator_state"),
    ]


def _folder(workspace: Workspace, run_id: str) -> Path:
    return workspace.run_dir(run_id) / "checkpoint"


def checkpoint_dir(workspace: Workspace, run_id: str, epoch: int) -> Path:
    """Folder of the checkpoint that a run has after an epoch."""
    return _folder(workspace, run_id) / f"epoch-{epoch:04}"


def _write_arrays(path: Path, arrays: "Mapping[int, keras.Variable | NDArray[Any]]") -> None:
    import keras

    named = {f"{number:04}": keras.ops.convert_to_numpy(array) for number, array in arrays.items()}
    np.savez(path, **named)


def _read_arrays(*paths: Path) -> list[NDArray[Any]]:
    """The arrays of files that hold them together, each under its number."""
    found: dict[str, NDArray[Any]] = {}
    for path in paths:
        # Opened here: of a file that is torn numpy would leave it open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found.update(arrays)
    names = sorted(found)
    if names != [f"{number:04}" for number in range(len(names))]:
        raise ValueError("some of its arrays are missing")
    return [found[name] for name in names]


def save_checkpoint(
    workspace: Workspace,
    run_id: str,
    history: list[dict[str, float]],
    model: "keras.Model",
    optimiser: "keras.optimizers.Optimizer",
    *,
    frozen: "keras.Model | None" = None,
    best_head: Sequence[NDArray[Any]] | None = None,
) -> None:
    """Write a checkpoint that survives a power cut, then remove those before the one before it.

    Args:
        workspace: The workspace.
        run_id: Id of the run.
        history: One row a finished epoch.
        model: The whole classifier.
        optimiser: Its optimiser, or its head's.
        frozen: The part of it that has not changed since the checkpoint before, nor since the run began.
        best_head: Weights of the head in the best epoch, where `best.keras` may not have them.
    """
    final = checkpoint_dir(workspace, run_id, len(history))
    still = {id(variable) for variable in frozen.variables} if frozen else set()
    state = dict(enumerate(_state_of(model)))
    resting = {number: variable for number, variable in state.items() if id(variable) in still}
    with workspace.atomic_path(final, durable=True) as scratch:
        scratch.mkdir()
        moving = {number: variable for number, variable in state.items() if number not in resting}
        _write_arrays(scratch / "weights.npz", moving)
        if resting:
            try:
                before = checkpoint_dir(workspace, run_id, len(history) - 1)
                link_or_copy(before / _FROZEN, scratch / _FROZEN)
            except FileNotFoundError:
                _write_arrays(scratch / _FROZEN, resting)
        if best_head is not None:
            _write_arrays(scratch / _BEST_HEAD, dict(enumerate(best_head)))
        _write_arrays(scratch / "optimiser.npz", dict(enumerate(optimiser.variables)))
        told = {"history": history, "accumulation": _accumulation(optimiser)}
        (scratch / "state.json").write_text(json.dumps(told, allow_nan=False), encoding="utf-8")
    drop_older_checkpoints(workspace, run_id, len(history))


def drop_older_checkpoints(workspace: Workspace, run_id: str, epoch: int) -> None:
    """Remove the checkpoints before the one before that of an epoch."""
    newest = checkpoint_dir(workspace, run_id, epoch).name
    # Never a newer one: a process that has lost its claim may write here after its successor.
    for older in [folder for folder in _written(workspace, run_id) if folder.name < newest][:-1]:
        shutil.rmtree(older)


def keep_newest_checkpoint(workspace: Workspace, run_id: str) -> None:
    """Remove all checkpoints but the newest, once a run has ended: no epoch is to be trained again."""
    for older in [*_written(workspace, run_id)[:-1], *_folder(workspace, run_id).glob(f"{_ASIDE}epoch-*")]:
        shutil.rmtree(older)
    for replaced in _replaced(workspace, run_id):
        replaced.unlink()


def keep_best_before(workspace: Workspace, run_id: str, epoch: int) -> None:
    """Keep the best weights that those of an epoch will replace: its checkpoint may still be lost.

    Args:
        workspace: The workspace.
        run_id: Id of the run.
        epoch: The epoch, counted from 1.
    """
    folder = workspace.run_dir(run_id)
    best, kept = folder / BEST, folder / f"best-before-{epoch:04}.keras"
    for older in _replaced(workspace, run_id):
        if older != kept:
            older.unlink()
    if not best.exists() or kept.exists():
        return
    with workspace.atomic_path(kept, durable=True) as scratch:
        link_or_copy(best, scratch)


def _replaced(workspace: Workspace, run_id: str) -> list[Path]:
    return list(workspace.run_dir(run_id).glob("best-before-*.keras"))


def saved_epochs(workspace: Workspace, run_id: str) -> int:
    """How many finished epochs of a run a checkpoint holds."""
    names = [folder.name for folder in _written(workspace, run_id)]
    return int(names[-1].removeprefix("epoch-")) if names else 0


def load_checkpoint(workspace: Workspace, run_id: str) -> Checkpoint | None:
    """Read the newest checkpoint of a run; None before its first epoch has finished.

    Where it is damaged it is put aside, and the one before it is taken: an epoch is trained again. If it was
    the best, the weights that it had replaced are the best again.

    Raises:
        WbcError: There are checkpoints, but none can be read, or the newest cannot be read at present.
    """
    checkpoint = _newest_whole(workspace, run_id)
    for replaced in _replaced(workspace, run_id):
        if int(replaced.stem.removeprefix("best-before-")) > (checkpoint.epochs if checkpoint else 0):
            replaced.replace(workspace.run_dir(run_id) / BEST)
    return checkpoint


def _newest_whole(workspace: Workspace, run_id: str) -> Checkpoint | None:
    folders = _written(workspace, run_id)
    if not folders:
        return None
    while True:
        try:
            return _read(workspace, run_id, folders[-1])
        except _Damaged as error:
            if len(folders) == 1:
                raise
            say(f"{folders[-1].name}: {error} Going on from {folders[-2].name}.")
            damaged = folders.pop()
            aside = damaged.with_name(f"{_ASIDE}{damaged.name}")
            shutil.rmtree(aside, ignore_errors=True)
            damaged.rename(aside)


def _written(workspace: Workspace, run_id: str) -> list[Path]:
    return sorted(_folder(workspace, run_id).glob("epoch-*"))


def _read(workspace: Workspace, run_id: str, folder: Path) -> Checkpoint:
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        frozen = [path for path in [folder / _FROZEN] if path.exists()]
        return Checkpoint(
            state["history"],
            _read_arrays(*frozen, folder / "weights.npz"),
            _read_arrays(folder / "optimiser.npz"),
            state.get("accumulation"),
            _read_arrays(folder / _BEST_HEAD) if (folder / _BEST_HEAD).exists() else None,
        )
    except (*_TORN, OSError) as error:
        # A torn archive may send zipfile to a place before the file's beginning.
        if isinstance(error, OSError) and not isinstance(error, _TORN) and error.errno != errno.EINVAL:
            raise WbcError(
                f"The checkpoint of run {run_id} cannot be read at present.",
                got=error.strerror,
                fix="See to the disk, then resume the run: nothing was removed.",
            ) from error
        raise _Damaged(
            f"The checkpoint of run {run_id} is damaged.",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix="Remove the folder checkpoint of the run and resume it: it then begins anew.",
        ) from error


@contextmanager
def averaged_weights(optimiser: "keras.optimizers.Optimizer") -> Iterator[None]:
    """Compute with the average of the weights, where the optimiser keeps one, inside the block."""
    inner = getattr(optimiser, "inner_optimizer", optimiser)
    if not inner.use_ema or not inner.built:
        yield
        return
    import keras

    pairs = list(zip(inner._trainable_variables, inner._model_variables_moving_average, strict=True))
    kept = [keras.ops.convert_to_numpy(variable) for variable, _ in pairs]
    for variable, average in pairs:
        variable.assign(keras.ops.copy(average))  # JAX gives away what it computes with
    try:
        yield
    finally:
        for (variable, _), value in zip(pairs, kept, strict=True):
            variable.assign(value)


def save_model(workspace: Workspace, model: "keras.Model", final: Path) -> None:
    """Write a model for prediction, without its optimiser's state; `final` is replaced when it is whole."""
    import keras

    with workspace.atomic_path(final, durable=True) as scratch:
        named = scratch.with_name(f"{scratch.name}.keras")  # keras insists on the suffix
        try:
            # The same layers in a model that was never compiled: a third of the size.
            keras.Model(model.inputs, model.outputs, name=model.name).save(named)
            named.replace(scratch)
        finally:
            named.unlink(missing_ok=True)
