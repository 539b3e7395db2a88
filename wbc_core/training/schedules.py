"""The learning rate and the end of a run, as functions of the spec and of what the epochs measured.

Nothing here remembers anything: a resumed run computes what a run never killed would have had.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wbc_core.training.spec import RunSpec

Row = Mapping[str, float]

_MIN_IMPROVEMENT = 1e-4
"""How much lower a validation loss must be to count, as in keras.callbacks.ReduceLROnPlateau."""
_LOST_EPOCHS = 3
_LOST = 10.0
_LOOKS = 20
"""Moments of an epoch at which the rates ahead are looked at."""
_AS_MUCH = 1.05
"""Rates of which none is larger than the other by more count as the same."""
_ONE_CYCLE_RISE = 0.3
_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_END = 1e-4


def _cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


def _on_plateau(spec: "RunSpec", share: float, rows: Sequence[Row]) -> float:
    factor, best, waited = 1.0, math.inf, 0
    for row in rows:
        if row["val_loss"] < best - _MIN_IMPROVEMENT:
            best, waited = row["val_loss"], 0
            continue
        waited += 1
        if waited >= spec.plateau_patience:
            factor, waited = factor * spec.plateau_factor, 0
    return factor


def _one_cycle(spec: "RunSpec", share: float, rows: Sequence[Row]) -> float:
    if share < _ONE_CYCLE_RISE:
        return 1 - (1 - _ONE_CYCLE_START) * _cosine(share / _ONE_CYCLE_RISE)
    falling = _cosine((share - _ONE_CYCLE_RISE) / (1 - _ONE_CYCLE_RISE))
    return _ONE_CYCLE_END + (1 - _ONE_CYCLE_END) * falling


_FACTORS: dict[str, Callable[["RunSpec", float, Sequence[Row]], float]] = {
    "plateau": _on_plateau,
    "cosine": lambda spec, share, rows: _cosine(share),
    "one_cycle": _one_cycle,
    "constant": lambda spec, share, rows: 1.0,
}
SCHEDULES = tuple(_FACTORS)


def main_rows(spec: "RunSpec", rows: Sequence[Row]) -> Sequence[Row]:
    """The epochs after those of the head alone."""
    return rows[spec.first_main_epoch :]


def learning_rate(spec: "RunSpec", epoch: float, rows: Sequence[Row]) -> float:
    """The learning rate at a moment of the run.

    `plateau`: multiplied by `plateau_factor` after `plateau_patience` epochs without a lower validation
    loss. `cosine`: annealed to 0 over the epochs after the warm-up (Loshchilov & Hutter, SGDR, ICLR 2017,
    eq. 5, without restarts). `one_cycle`: from 1/25 up to the full rate over 30 % of the epochs, then down
    to 1/10,000 of it (Smith & Topin 2018, arXiv:1708.07120). `constant`: as it is. All but `one_cycle` begin
    with a linear warm-up (Goyal et al. 2017, arXiv:1706.02677, section 2.2).

    Args:
        spec: The run.
        epoch: Epochs since its start, with the fraction of the one under way.
        rows: What the finished epochs measured.

    Returns:
        The step size; for the epochs of the head alone its own, which is constant.

    Example:
        >>> from wbc_core.training.spec import RunSpec
        >>> spec = RunSpec("", "cnn", epochs=10, schedule="cosine", learning_rate=0.1)
        >>> [round(learning_rate(spec, epoch, []), 3) for epoch in (0, 5, 10)]
        [0.1, 0.05, 0.0]
    """
    if epoch < spec.first_main_epoch:
        return spec.head_learning_rate
    passed = epoch - spec.first_main_epoch
    warmup = 0 if spec.schedule == "one_cycle" else spec.warmup_epochs
    if passed < warmup:
        return spec.learning_rate * passed / warmup
    length = spec.epochs - spec.first_main_epoch - warmup
    share = min(1.0, (passed - warmup) / max(length, 1))
    return spec.learning_rate * _FACTORS[spec.schedule](spec, share, main_rows(spec, rows))


def rates_ahead(longer: "RunSpec", rows: Sequence[Row]) -> tuple[str, bool]:
    """What happens to the learning rate of a run that goes on with more epochs.

    Args:
        longer: The run with its new number of epochs.
        rows: What its finished epochs measured, at least one and fewer than that number.

    Returns:
        It in words, and whether it goes up.

    Example:
        >>> from wbc_core.training.spec import RunSpec
        >>> longer = RunSpec("", "cnn", epochs=20, schedule="cosine")
        >>> print(rates_ahead(longer, [{"learning_rate": 1e-6}] * 10)[0])  # doctest: +NORMALIZE_WHITESPACE
        The learning rate, 1e-06 at the end of epoch 10, jumps to 0.0005 in epoch 11, 50 % of the full 0.001:
        the cosine schedule now lasts 20 epochs. It falls to 0 by the end of epoch 20.
    """
    had, last = len(rows), rows[-1]["learning_rate"]
    looks = range((longer.epochs - had) * _LOOKS + 1)
    ahead = [learning_rate(longer, had + look / _LOOKS, rows) for look in looks]
    first, highest, end = ahead[0], max(ahead), ahead[-1]
    falls = f"falls to {end:.2g} by the end of epoch {longer.epochs}" if end < highest else "stays there"
    if longer.schedule == "plateau":
        falls = "falls on a plateau as before"
    if highest <= _AS_MUCH * last:
        return f"The learning rate goes on at {first:.2g} and {falls}.", False
    rises = f", rises to {highest:.2g} in epoch {had + ahead.index(highest) // _LOOKS + 1}"
    return (
        f"The learning rate, {last:.2g} at the end of epoch {had}, jumps to {first:.2g} in epoch {had + 1}"
        f"{rises if highest > _AS_MUCH * first else ''}, "
        f"{100 * highest / longer.learning_rate:.0f} % of the full {longer.learning_rate:g}: the "
        f"{longer.schedule.replace('_', '-')} schedule now lasts {longer.epochs} epochs. It {falls}."
    ), True


EARLY_STOPPING = "early stopping"
"""What a run says that ended because none of its patience was left."""


def epochs_since_best(spec: "RunSpec", rows: Sequence[Row]) -> int:
    """Finished epochs after that with the best validation accuracy; those of the head alone do not count."""
    counted = main_rows(spec, rows)
    best = max(range(len(counted)), key=lambda index: counted[index]["val_accuracy"], default=-1)
    return len(counted) - 1 - best


def patience_left(spec: "RunSpec", rows: Sequence[Row]) -> int:
    """Epochs without a better validation accuracy that the run still waits for; 0: it ends."""
    return max(0, spec.early_stopping_patience - epochs_since_best(spec, rows))


def has_diverged(losses: Sequence[float], classes: int) -> bool:
    """Whether the loss on the train images is lost, though it is a number still.

    It is, once three epochs in a row lie above ten times the larger of two: log(classes), the loss of
    guessing, and the lowest loss of an epoch so far. A backbone that is opened after its head has learnt
    raises the loss too, but not above guessing; one that begins at a large loss and comes down from it is
    left alone, and ends by its patience where it learns nothing.

    Args:
        losses: Of every finished epoch, in nats.
        classes: Number of classes, at least 2.

    Example:
        >>> has_diverged([1.9, 0.7, 60.0, 90.0, 40.0], 8), has_diverged([1.9, 0.1, 3.0, 4.0, 3.0], 8)
        (True, False)
    """
    limit = _LOST * max(math.log(classes), min(losses))
    return len(losses) >= _LOST_EPOCHS and min(losses[-_LOST_EPOCHS:]) > limit
