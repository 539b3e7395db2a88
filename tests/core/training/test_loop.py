"""A run learns, is recorded, resumes as if it had never been killed, and fails in words."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.core.training.conftest import MEASURED, RUN, short_spec
from wbc_core.errors import Cancelled, WbcError
from wbc_core.progress import Progress, silent
from wbc_core.training import loop
from wbc_core.training.callbacks import ProgressReporter, Recorder
from wbc_core.training.data import TrainingData, load_training_data
from wbc_core.training.loop import train
from wbc_core.training.predict import load_model, predict_probabilities
from wbc_core.training.runs import HISTORY_COLUMNS, history, list_runs, load_run
from wbc_core.training.tensorboard import FILE_NAME, write_events
from wbc_core.workspace import Workspace

OTHER = "job-000000000002"


@pytest.fixture
def cancelling_signal() -> Iterator[signal.Signals]:
    """A signal whose handler raises Cancelled, as in a job's process."""

    def stop(number: int, frame: object) -> None:
        raise Cancelled

    before = signal.signal(signal.SIGUSR1, stop)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)


def cancel_at(message_start: str) -> Progress:
    def progress(fraction: float, message: str) -> None:
        if message.startswith(message_start):
            raise Cancelled

    return progress


def test_a_run_learns_and_is_recorded(whole_run: tuple[Workspace, str, list[tuple[float, str]]]) -> None:
    workspace, prepared, seen = whole_run
    run = load_run(workspace, RUN)
    table = history(workspace, RUN)
    assert tuple(table.columns) == HISTORY_COLUMNS
    assert table["epoch"].tolist() == list(range(1, run.epochs + 1))
    assert run.finished
    assert run.val_accuracy == table["val_accuracy"].max() > 0.8
    assert run.best_epoch == table["val_accuracy"].idxmax() + 1
    assert run.class_names == ("blue", "green", "red")
    assert (run.device, run.prepared, run.train_images + run.validation_images) == ("cpu", prepared, 132)
    versions = json.loads((workspace.run_dir(RUN) / "versions.json").read_text())
    assert versions["keras"]
    assert versions["name"] == run.device_name
    assert [entry.id for entry in list_runs(workspace, prepared)] == [RUN]
    events = workspace.run_dir(RUN) / "tensorboard" / FILE_NAME
    written = events.read_bytes()
    write_events(workspace, RUN)
    assert events.read_bytes() == written
    fractions, messages = zip(*seen, strict=True)
    assert list(fractions) == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any(" - val accuracy " in message and message.endswith(" left") for message in messages)


def test_the_best_weights_are_those_of_the_best_epoch(
    whole_run: tuple[Workspace, str, list[tuple[float, str]]],
) -> None:
    workspace, prepared, _ = whole_run
    validation = load_training_data(workspace, prepared, batch_size=16, seed=0).validation
    probabilities = predict_probabilities(load_model(workspace, RUN), validation.images, rows=validation.rows)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    accuracy = (probabilities.argmax(axis=1) == validation.labels).mean()
    assert accuracy == pytest.approx(load_run(workspace, RUN).val_accuracy)


def test_a_finished_run_is_not_trained_again(
    whole_run: tuple[Workspace, str, list[tuple[float, str]]],
) -> None:
    workspace, prepared, _ = whole_run
    summary = train(workspace, RUN, short_spec(prepared), cancel_at(""))
    assert summary["epochs"] == load_run(workspace, RUN).epochs
    with pytest.raises(WbcError, match="launched with another spec"):
        train(workspace, RUN, short_spec(prepared, seed=1))


def test_a_killed_run_ends_with_the_same_history(
    whole_run: tuple[Workspace, str, list[tuple[float, str]]],
    cancelling_signal: signal.Signals,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace, prepared, _ = whole_run

    def send_at_the_last_epoch(fraction: float, message: str) -> None:
        if message.startswith("epoch 4/4"):
            signal.raise_signal(cancelling_signal)

    folder = workspace.run_dir(OTHER) / "checkpoint"
    # Once in mid-epoch, once just after an epoch was recorded, and then through, with the newest torn.
    with pytest.raises(Cancelled):
        train(workspace, OTHER, short_spec(prepared), cancel_at("epoch 2/4"))
    assert load_run(workspace, OTHER).epochs in (1, 2)
    with pytest.raises(Cancelled):
        train(workspace, OTHER, short_spec(prepared), send_at_the_last_epoch)
    assert not load_run(workspace, OTHER).finished
    before, newest = sorted(path.name for path in folder.iterdir())
    os.truncate(folder / newest / "optimiser.npz", 1000)
    train(workspace, OTHER, short_spec(prepared))
    assert f"{newest}: The checkpoint of run {OTHER} is damaged." in (told := capsys.readouterr().err)
    assert f"Going on from {before}." in told
    whole, resumed = history(workspace, RUN), history(workspace, OTHER)
    pd.testing.assert_frame_equal(whole[MEASURED], resumed[MEASURED], rtol=0, atol=1e-6)
    assert load_run(workspace, OTHER).best_epoch == load_run(workspace, RUN).best_epoch
    assert [path.name for path in folder.iterdir()] == ["epoch-0004"]
    assert not list(workspace.scratch_dir.iterdir())


def test_best_weights_that_are_replaced_are_kept_while_their_epoch_may_be_lost(
    whole_run: tuple[Workspace, str, list[tuple[float, str]]],
) -> None:
    import keras

    workspace, _, _ = whole_run
    run = replace(load_run(workspace, RUN), id="job-00000000000a", epochs=2)
    rows = history(workspace, RUN)[:2].assign(val_accuracy=[0.5, 0.6]).to_dict("records")
    folder = workspace.run_dir(run.id)
    workspace.write_json(folder / "spec.json", run.spec.to_json())
    (folder / "best.keras").write_text("of epoch 1")
    image = keras.Input((3,))
    model, optimiser = keras.Model(image, keras.layers.Dense(2)(image)), keras.optimizers.SGD()
    optimiser.build(model.trainable_variables)
    Recorder(workspace, run, model, rows, ProgressReporter(run, silent)).resume(optimiser)
    assert (folder / "best-before-0002.keras").read_text() == "of epoch 1"
    assert keras.saving.load_model(folder / "best.keras").output_shape == (None, 2)


def test_what_a_kill_between_checkpoint_and_records_lost_is_written_again(
    training_workspace: tuple[Workspace, str],
) -> None:
    workspace, prepared = training_workspace
    folder = workspace.run_dir(RUN)

    def cancel_after_the_first_epoch(fraction: float, message: str) -> None:
        if (folder / "summary.json").exists() and load_run(workspace, RUN).epochs == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        train(workspace, RUN, short_spec(prepared, epochs=2), cancel_after_the_first_epoch)
    for name in ("best.keras", "history.csv", "summary.json"):
        (folder / name).unlink()
    summary = train(workspace, RUN, short_spec(prepared, epochs=2))
    assert summary["epochs"] == 2
    assert history(workspace, RUN)["epoch"].tolist() == [1, 2]
    assert (folder / "best.keras").exists()


def test_early_stopping_ends_a_run_and_stays_ended(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    # A learning rate of almost nothing: the first epoch stays the best.
    spec = short_spec(prepared, epochs=9, learning_rate=1e-7, early_stopping_patience=1)
    with pytest.raises(Cancelled):
        train(workspace, RUN, spec, cancel_at("early stopping"))
    run = load_run(workspace, RUN)
    assert run.epochs < 9
    assert run.ended == "early stopping"
    assert train(workspace, RUN, spec)["epochs"] == run.epochs


def test_a_lost_loss_stops_the_run_with_the_last_good_weights(
    training_workspace: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, prepared = training_workspace
    spec = short_spec(prepared, class_weight="balanced")
    with pytest.raises(Cancelled):
        train(workspace, RUN, spec, cancel_at("epoch 2/4"))
    good = load_model(workspace, RUN).get_weights()
    monkeypatch.setattr(
        TrainingData, "class_weights", lambda self, weighting: dict.fromkeys(range(3), float("nan"))
    )
    with pytest.raises(
        WbcError, match=r"diverged\. The weights of epoch \d are kept\. .* lower learning rate"
    ):
        train(workspace, RUN, spec)
    for kept, before in zip(load_model(workspace, RUN).get_weights(), good, strict=True):
        np.testing.assert_array_equal(kept, before)


def test_a_loss_that_grows_a_thousandfold_ends_the_run(
    training_workspace: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, prepared = training_workspace
    # Uphill, from the third epoch on; of the head alone, whose loss then grows without end but by degrees.
    spec = short_spec(prepared, epochs=30, freeze="all", optimiser="sgd", early_stopping_patience=30)
    monkeypatch.setattr(loop, "learning_rate", lambda spec, epoch, rows: -1.0 if len(rows) > 1 else 0.01)
    with pytest.raises(WbcError, match=r"stays far above where it began .*The weights of epoch \d are kept"):
        train(workspace, RUN, spec)
    losses = history(workspace, RUN)["loss"]
    assert 4 <= len(losses) < 29
    assert losses.iloc[-1] > 10 * np.log(3)
    assert load_run(workspace, RUN).best_epoch < len(losses)


def test_a_spec_is_kept_though_the_run_was_killed_before_its_summary(
    training_workspace: tuple[Workspace, str],
) -> None:
    workspace, prepared = training_workspace
    workspace.write_json(workspace.run_dir(RUN) / "spec.json", short_spec(prepared, epochs=1).to_json())
    with pytest.raises(WbcError, match="launched with another spec"):
        train(workspace, RUN, short_spec(prepared, epochs=1, seed=1))
    assert train(workspace, RUN, short_spec(prepared, epochs=1))["epochs"] == 1


def test_nothing_to_validate_on_is_refused(training_workspace: tuple[Workspace, str]) -> None:
    workspace, prepared = training_workspace
    path = next((workspace.home / "splits").glob("*.parquet"))
    table = pd.read_parquet(path)
    table[table["part"] == "train"].to_parquet(path)
    with pytest.raises(WbcError, match="holds no images for validation"):
        train(workspace, RUN, short_spec(prepared))
    assert not workspace.run_dir(RUN).exists()
