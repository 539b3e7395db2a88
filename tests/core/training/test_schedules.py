"""The learning rate and the end of a run follow from the spec and the history alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wbc_core.training.schedules import (
    SCHEDULES,
    has_diverged,
    learning_rate,
    patience_left,
    rates_ahead,
)
from wbc_core.training.spec import RunSpec


def spec_with(**values: object) -> RunSpec:
    return RunSpec("pr-0123456789ab", "cnn", **{"epochs": 20, "learning_rate": 0.1, **values}).checked()


def rows(**columns: list[float]) -> list[dict[str, float]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@settings(deadline=None, max_examples=30)
@given(
    losses=st.lists(st.floats(0, 3), min_size=1, max_size=12),
    patience=st.integers(1, 3),
    factor=st.sampled_from([0.1, 0.5, 0.9]),
)
def test_the_plateau_is_that_of_keras(losses: list[float], patience: int, factor: float) -> None:
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1))
    callback = keras.callbacks.ReduceLROnPlateau("val_loss", factor, patience, mode="min")
    callback.set_model(model)
    callback.on_train_begin()
    spec = spec_with(schedule="plateau", plateau_patience=patience, plateau_factor=factor)
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        ours = learning_rate(spec, epoch + 1, rows(val_loss=losses[: epoch + 1]))
        assert ours == pytest.approx(float(model.optimizer.learning_rate), rel=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_stays_between_nothing_and_the_full_rate(schedule: str) -> None:
    spec = spec_with(schedule=schedule, warmup_epochs=3)
    history = rows(val_loss=[1.0] * 20)
    rates = [learning_rate(spec, epoch / 4, history[: epoch // 4]) for epoch in range(81)]
    assert all(0 <= rate <= 0.1 for rate in rates)
    assert rates[0] < rates[12]  # every one of them warms up
    assert max(rates) == pytest.approx(0.1)
    assert (rates[-1] < 0.001) == (schedule in ("cosine", "one_cycle"))


@pytest.mark.parametrize(
    ("values", "last", "words"),
    [
        (
            {"schedule": "cosine"},
            1e-5,
            "The learning rate, 1e-05 at the end of epoch 20, jumps to 0.025 in epoch 21, 25 % of the full "
            "0.1: the cosine schedule now lasts 30 epochs. It falls to 0 by the end of epoch 30.",
        ),
        (
            {"schedule": "cosine", "epochs": 25},
            0.0095,
            "goes on at 0.0095 and falls to 0 by the end of epoch 25",
        ),
        ({"schedule": "one_cycle"}, 1e-5, "jumps to 0.046 in epoch 21, 46 % of the full 0.1: the one-cycle"),
        (
            {"schedule": "one_cycle", "epochs": 100},
            1e-5,
            "jumps to 0.076 in epoch 21, rises to 0.1 in epoch 31, 100 % of the full 0.1",
        ),
        ({"schedule": "constant"}, 0.1, "The learning rate goes on at 0.1 and stays there."),
        (
            {"schedule": "plateau"},
            0.05,
            "goes on at 0.05 and falls on a plateau as before.",
        ),
    ],
)
def test_what_more_epochs_do_to_the_learning_rate_is_said(
    values: dict[str, object], last: float, words: str
) -> None:
    longer = spec_with(**{"epochs": 30, "plateau_patience": 10, **values})
    history = rows(val_loss=[1.0] * 20, learning_rate=[last] * 20)
    told, goes_up = rates_ahead(longer, history)
    assert words in told
    assert goes_up == ("jumps" in told)
    if goes_up:
        jumped = f"jumps to {learning_rate(longer, 20, history):.2g}"
        assert jumped in told


def test_the_head_alone_has_a_rate_of_its_own_and_the_schedule_begins_after_it() -> None:
    spec = spec_with(schedule="cosine", head_epochs=4, head_learning_rate=0.01)
    assert [learning_rate(spec, epoch, []) for epoch in (0, 3.9)] == [0.01, 0.01]
    assert learning_rate(spec, 4, []) == 0.1
    assert learning_rate(spec, 12, []) == pytest.approx(0.05)
    # A plateau of the head's epochs lowers nothing.
    plateau = spec_with(head_epochs=4, plateau_patience=1)
    assert learning_rate(plateau, 4, rows(val_loss=[1.0, 1.0, 1.0, 1.0])) == 0.1


def test_patience_counts_the_epochs_since_the_best() -> None:
    spec = spec_with(early_stopping_patience=3)
    accuracies = [0.5, 0.7, 0.7, 0.6, 0.69]
    left = [patience_left(spec, rows(val_accuracy=accuracies[:count])) for count in range(6)]
    assert left == [3, 3, 3, 2, 1, 0]
    assert (
        patience_left(spec_with(early_stopping_patience=1, head_epochs=5), rows(val_accuracy=accuracies)) == 1
    )


@pytest.mark.parametrize(
    ("losses", "lost"),
    [
        ([2.1, 0.5, 700.0, 800.0, 900.0], True),
        ([2.1, 0.5, 700.0, 800.0], False),  # two epochs may be an accident
        ([2.1, 0.5, 700.0, 0.9, 800.0], False),
        ([0.9, 0.002, 2.0, 3.0, 2.5], False),  # worse than the head alone, not than guessing
        ([4e6, 1e6, 9e5, 8e5], False),  # comes down
        ([40.0, 30.0, 301.0, 301.0, 301.0], True),
    ],
)
def test_a_run_is_lost_when_it_stays_far_above_guessing_and_above_what_it_had(
    losses: list[float], lost: bool
) -> None:
    assert has_diverged(losses, 8) == lost
