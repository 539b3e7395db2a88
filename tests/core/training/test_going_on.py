"""Real trainings that go on: after a kill, a full disk, too little memory, and the end of their patience."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.core.jobs.test_worker import state, working
from tests.core.training.conftest import MEASURED, RUN, SIZE, short_spec
from tests.waiting import wait_until
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import Cancelled, WbcError
from wbc_core.jobs import clones, launching, order, process, queue
from wbc_core.records import Job
from wbc_core.training.checkpoint import Checkpoint, load_checkpoint, saved_epochs
from wbc_core.training.loop import train
from wbc_core.training.runs import history
from wbc_core.workspace import Workspace

COUNTED = ("iteration", "gradient_accumulator")


@contextmanager
def full_disk(largest: int) -> Iterator[None]:
    """No file can be written beyond a size, as on a disk without room for more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run_here(workspace: Workspace, job_id: str) -> Job:
    """Do a job in this process as its own would: one start of TensorFlow less."""
    held = queue.claim_next(workspace, ["train"], "cpu", only=job_id)
    assert held is not None
    assert process.run(workspace, job_id, held[1]) == 0
    return queue.get_job(workspace, job_id)


def test_neither_a_kill_nor_a_full_disk_costs_a_finished_epoch(
    training_workspace: tuple[Workspace, str], whole_run: tuple[Workspace, str, list[tuple[float, str]]]
) -> None:
    workspace, prepared = training_workspace
    job = queue.submit(workspace, "train", short_spec(prepared).to_json()).id
    with working(workspace):
        wait_until(lambda: saved_epochs(workspace, job) > 0)
        order.pause_queue(workspace)
        next(child for child in psutil.Process().children() if job in child.cmdline()).send_signal(
            signal.SIGKILL
        )
        wait_until(lambda: state(workspace, job) == "queued")
    order.start_queue(workspace)
    assert "ended by signal 9" in queue.get_job(workspace, job).message
    kept = load_checkpoint(workspace, job)
    assert kept is not None

    folder = workspace.run_dir(job) / "checkpoint"
    with full_disk(max(path.stat().st_size for path in folder.rglob("*.npz")) - 1):
        failed = run_here(workspace, job)
    assert failed.state == "failed"
    assert "The disk is full" in (failed.error or "")
    assert saved_epochs(workspace, job) == kept.epochs
    assert not list(workspace.scratch_dir.iterdir())

    again = run_here(workspace, launching.resume(workspace, job).id)
    assert again.state == "succeeded"
    resumed = history(workspace, again.id)
    assert resumed[: kept.epochs].to_dict("records") == kept.history
    whole = history(whole_run[0], RUN)
    pd.testing.assert_frame_equal(whole[MEASURED], resumed[MEASURED], rtol=0, atol=1e-6)


def after_the_first_epoch(fraction: float, message: str) -> None:
    if message.startswith("epoch 2"):
        raise Cancelled


def test_half_the_batch_and_more_patience_go_on_from_what_was_learnt(
    training_workspace: tuple[Workspace, str],
) -> None:
    workspace, prepared = training_workspace
    # A learning rate of almost nothing: the first epoch stays the best.
    spec = short_spec(prepared, epochs=9, learning_rate=1e-7, early_stopping_patience=1, ema=0.9)
    job = queue.submit(workspace, "train", spec.to_json()).id
    held = queue.claim_next(workspace, ["train"], "cpu")
    assert held is not None
    with pytest.raises(Cancelled):
        train(workspace, job, spec, after_the_first_epoch)
    queue.finish(workspace, job, held[1], "failed", error="The device ran out of memory.")
    learnt = history(workspace, job)

    retry = clones.retry_with_half_batch(workspace, job)
    assert (retry.spec["batch_size"], retry.spec["accumulation"], retry.spec["resumes"]) == (8, 2, job)
    ended = run_here(workspace, retry.id)
    assert ended.error is None
    assert ended.result is not None
    assert ended.result["ended"] == "early stopping"
    halved = history(workspace, retry.id)
    pd.testing.assert_frame_equal(halved[: len(learnt)], learnt)

    further = clones.continuation(workspace, ended)
    assert further == clones.Continuation(had=len(halved), planned=9, patience=2, waited=True)
    longer = run_here(workspace, clones.continue_run(workspace, retry.id, further.had + 1).id)
    assert longer.result is not None
    assert (longer.result["epochs"], longer.result["ended"]) == (further.had + 1, "all epochs done")
    pd.testing.assert_frame_equal(history(workspace, longer.id)[: len(halved)], halved)


def test_where_the_first_weights_came_from_is_not_needed_again(
    training_workspace: tuple[Workspace, str], tmp_path: Path
) -> None:
    workspace, prepared = training_workspace
    path = tmp_path / "first.weights.h5"
    BACKBONES.get("cnn").build((SIZE, SIZE, 3)).save_weights(path)
    # What is frozen must come out of the checkpoint too.
    spec = short_spec(prepared, epochs=3, weights=f"file:{path}", freeze="blocks:2", head_epochs=1)
    train(workspace, RUN, spec)
    job = launching.launch(workspace, spec.to_json()).id
    held = queue.claim_next(workspace, ["train"], "cpu")
    assert held is not None
    with pytest.raises(Cancelled):
        train(workspace, job, spec, after_the_first_epoch)
    queue.finish(workspace, job, held[1], "cancelled")
    path.unlink()
    with pytest.raises(WbcError, match="no file of weights"):
        launching.launch(workspace, spec.to_json())
    resumed = run_here(workspace, launching.resume(workspace, job).id)
    assert resumed.error is None
    whole, gone_on = history(workspace, RUN), history(workspace, resumed.id)
    pd.testing.assert_frame_equal(whole[MEASURED], gone_on[MEASURED], rtol=0, atol=1e-6)


def test_a_normalisation_computes_with_what_the_checkpoint_brings() -> None:
    import keras

    def made() -> tuple["keras.Model", "keras.optimizers.Optimizer"]:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Normalization(), keras.layers.Dense(2)])
        optimiser = keras.optimizers.AdamW(0.1)
        optimiser.build(model.trainable_variables)
        return model, optimiser

    (model, first), (other, second) = made(), made()
    model.layers[0].adapt(np.float32([[1, 2, 3], [5, 6, 9]]))
    arrays = [[np.array(variable) for variable in source] for source in (model.weights, first.variables)]
    Checkpoint([], *arrays).restore(other, second)
    np.testing.assert_array_equal(other(np.ones((1, 3))), model(np.ones((1, 3))))


@pytest.mark.parametrize(("before", "now"), [(1, 2), (2, 4)])
def test_what_an_optimiser_remembers_fits_one_that_gathers_more_steps(before: int, now: int) -> None:
    import keras

    def made(accumulation: int) -> tuple["keras.Model", "keras.optimizers.Optimizer"]:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        steps = accumulation if accumulation > 1 else None
        optimiser = keras.optimizers.AdamW(0.1, gradient_accumulation_steps=steps, use_ema=True)
        optimiser.build(model.trainable_variables)
        return model, optimiser

    (model, first), (other, second) = made(before), made(now)
    for step in range(5):
        first.apply([keras.ops.full(weight.shape, 1.0 + step) for weight in model.trainable_variables])
    arrays = [[np.array(variable) for variable in source] for source in (model.weights, first.variables)]
    Checkpoint([], *arrays, accumulation=before).restore(other, second)
    assert int(second.iterations) == int(first.iterations) == 5 // before
    for variable in second.variables:
        if variable.name.endswith("gradient_accumulator"):
            assert not np.array(variable).any()
    kept = [
        [np.array(variable) for variable in optimiser.variables if not variable.name.endswith(COUNTED)]
        for optimiser in (first, second)
    ]
    assert len(kept[0]) == 7  # the rate, and of each of two weights average, momentum and velocity
    for value, same in zip(*kept, strict=True):
        np.testing.assert_array_equal(value, same)
