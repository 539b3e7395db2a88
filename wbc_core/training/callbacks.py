"""What happens beside the training itself: progress while it goes, records when an epoch has finished.

Plain classes, handed to keras by `keras.callbacks.LambdaCallback`, so that importing this costs nothing.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import NDArray

from wbc_core.errors import WbcError
from wbc_core.progress import Progress
from wbc_core.training.checkpoint import (
    BEST,
    averaged_weights,
    keep_best_before,
    keep_newest_checkpoint,
    save_checkpoint,
    save_model,
    saved_epochs,
)
from wbc_core.training.runs import HISTORY_COLUMNS, Run, write_run
from wbc_core.training.schedules import EARLY_STOPPING, has_diverged, patience_left
from wbc_core.training.tensorboard import write_events
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

Watch = Callable[[Mapping[str, float]], str | None]
"""Called with the row of an epoch that was kept; returns why the run should end now, or None."""

_SECONDS_BETWEEN_REPORTS = 0.5
_KEPT_EVERY = 60.0
"""Seconds after which a better head is in `best.keras` too, should nobody be left to put it there."""

_FORWARD_SHARE = 1 / 3  # a validation image costs the forward pass of a training image, about a third


def duration(seconds: float) -> str:
    """A length of time in words.

    Example:
        >>> duration(8.4), duration(130), duration(3900)
        ('8 s', '2 min 10 s', '1 h 5 min')
    """
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def diverged(run: Run, epoch: int, loss: float) -> WbcError:
    """The error for a loss that is no number any more, or one that no training comes back from."""
    kept = f"The weights of epoch {run.best_epoch} are kept." if run.best_epoch else "No weights were kept."
    head_alone = epoch <= run.spec.first_main_epoch
    rate = run.spec.head_learning_rate if head_alone else run.spec.learning_rate
    is_what = (
        f"is at {loss:.3g} and stays far above where it began"
        if math.isfinite(loss)
        else "is not a number any more"
    )
    return WbcError(
        f"The loss of run {run.id} {is_what} in epoch {epoch}: the training diverged.",
        fix=f"{kept} Launch again with a lower learning rate than {rate:g}.",
    )


class ProgressReporter:
    """Says where the training stands, at most twice a second, and stops it when the loss is lost.

    Args:
        run: The run as it begins or resumes.
        progress: Where to report; may raise to stop the training.
    """

    def __init__(self, run: Run, progress: Progress) -> None:
        self.run, self.progress = run, progress
        self.epoch = self._first_epoch = run.epochs
        self.val_accuracy: float | None = None
        self.patience: int | None = None
        self.features_seconds = 0.0
        self._done = self._counted = 0
        self._began = self._first = self._last = self._said = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since this epoch began, and what its features took where it is the first on them."""
        return self.features_seconds + time.monotonic() - self._began

    @property
    def rate(self) -> float:
        """Images a second of training in this epoch, its first step (which compiles) left out."""
        if self._last > self._first:
            return self._counted / (self._last - self._first)
        return self._done / max(self._last - self._began, 1e-9)

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Start the clock of an epoch, counted from 0."""
        self.epoch, self._done, self._counted, self._first = epoch, 0, 0, 0.0
        self._began = self._last = time.monotonic()
        if epoch == self._first_epoch:
            self._report("compiling the first step")

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Count a step and report it when it is time."""
        self._last = time.monotonic()
        done = min((batch + 1) * self.run.spec.batch_size, self.run.train_images)
        self._counted += done - self._done if self._first else 0
        self._first = self._first or self._last
        self._done = done
        if self._last - self._said >= _SECONDS_BETWEEN_REPORTS and logs:
            loss = float(logs["loss"])
            if not math.isfinite(loss):
                raise diverged(self.run, self.epoch + 1, loss)
            self._report(f"loss {loss:.3f}")

    def epoch_finished(self, row: Mapping[str, float]) -> None:
        """Report a finished epoch."""
        self.features_seconds = 0.0
        self.val_accuracy = row["val_accuracy"]
        self._report(f"loss {row['loss']:.3f}")

    def features_computed(self, done: int, count: int) -> None:
        """Report how many images the frozen backbone has seen, once for all epochs of the head alone."""
        if done < count and time.monotonic() - self._said < _SECONDS_BETWEEN_REPORTS:
            return
        self._said = time.monotonic()
        share = self.run.epochs / self.run.spec.epochs
        self.progress(share, f"computing the frozen backbone's features - {done:,} of {count:,} images")

    def _report(self, standing: str) -> None:
        self._said = time.monotonic()
        epochs, share = self.run.spec.epochs, self._done / self.run.train_images
        size = self.run.spec.batch_size
        step, steps = -(-self._done // size), -(-self.run.train_images // size)
        words = [f"epoch {self.epoch + 1}/{epochs}", f"step {step:,}/{steps:,}", standing]
        if self.val_accuracy is not None:
            words.append(f"val accuracy {self.val_accuracy:.3f}")
        if self.patience is not None:
            words.append(f"patience {self.patience}")
        if self._done:
            an_epoch = self.run.train_images + self.run.validation_images * _FORWARD_SHARE
            left = (epochs - self.epoch) * an_epoch - self._done
            words.append(f"{self.rate:.0f} images/s")
            # The head alone is much faster than what comes after it.
            if self.epoch >= self.run.spec.first_main_epoch:
                words.append(f"{duration(left / self.rate)} left")
        self.progress((self.epoch + share) / epochs, " - ".join(words))


class Recorder:
    """Writes history, checkpoint, best weights and summary of every finished epoch.

    Args:
        workspace: The workspace.
        run: The run as it begins or resumes.
        model: The whole classifier.
        history: Rows of the epochs that an earlier process finished.
        reporter: Gives the epoch's time, and passes the news on.
        watch: Asked after every epoch whether the run should end.

    Attributes:
        ended: Why the run ended before its last epoch; empty where it goes on.
    """

    def __init__(
        self,
        workspace: Workspace,
        run: Run,
        model: "keras.Model",
        history: list[dict[str, float]],
        reporter: ProgressReporter,
        watch: Watch | None = None,
    ) -> None:
        self.workspace, self.run, self.model = workspace, run, model
        self.reporter, self.watch = reporter, watch
        self.history = list(history)
        self.ended = ""
        self._alone: tuple[keras.Model, keras.Model] | None = None
        self._best_head: list[NDArray[Any]] | None = None
        self._kept: Mapping[str, float] | None = None
        self._kept_at = -math.inf

    def resume(
        self, optimiser: "keras.optimizers.Optimizer", best_head: list[NDArray[Any]] | None = None
    ) -> None:
        """Write what a process that died after its last checkpoint did not write any more.

        Args:
            optimiser: The optimiser in use.
            best_head: What that checkpoint has of this name.
        """
        self.reporter.val_accuracy = self.history[-1]["val_accuracy"]
        self._best_head = best_head
        self._publish(optimiser)
        self._look_for_the_end()

    @contextmanager
    def head_alone(self, extractor: "keras.Model", head: "keras.Model") -> Iterator[None]:
        """Write no more after an epoch, inside the block, than changes while the head learns alone.

        `best.keras` holds the backbone too: it is written for the first epoch, for a better one once a minute
        at most, and for the best one when the block ends, however it does. Until then the summary names the
        epoch that it is of.

        Args:
            extractor: The part of the classifier that stays as it is.
            head: The part that learns.
        """
        self._alone = extractor, head
        try:
            yield
        except BaseException:
            with suppress(Exception):  # what ended the block is to be told; the checkpoint has the rest
                self._keep_best_head(head)
            raise
        self._keep_best_head(head)
        self._alone = self._best_head = None

    def _keep_best_head(self, head: "keras.Model") -> None:
        # Whoever has taken the run over, and is further, keeps its own.
        if self._best_head is not None and saved_epochs(self.workspace, self.run.id) == len(self.history):
            self._keep_best(head.optimizer)
            self._write_summary()

    def epoch_finished(
        self, logs: Mapping[str, Any], optimiser: "keras.optimizers.Optimizer", learning_rate: float
    ) -> None:
        """Keep an epoch: from here on it cannot be lost.

        Args:
            logs: What keras measured in it.
            optimiser: The optimiser in use.
            learning_rate: Step size of its last step.
        """
        epoch = len(self.history) + 1
        measured = {
            **logs,
            "epoch": epoch,
            "learning_rate": learning_rate,
            "seconds": self.reporter.seconds,
            "images_per_second": self.reporter.rate,
        }
        row = {name: float(measured[name]) for name in HISTORY_COLUMNS}
        losses = [*(earlier["loss"] for earlier in self.history), row["loss"]]
        if not math.isfinite(row["loss"] + row["val_loss"]):
            raise diverged(self.run, epoch, math.nan)
        if has_diverged(losses, len(self.run.class_names)):
            raise diverged(self.run, epoch, row["loss"])
        self.history.append(row)
        frozen = None
        if self._alone is not None:
            frozen, head = self._alone
            if self._best() is row:
                with averaged_weights(optimiser):
                    self._best_head = head.get_weights()
        save_checkpoint(
            self.workspace,
            self.run.id,
            self.history,
            self.model,
            optimiser,
            frozen=frozen,
            best_head=self._best_head,
        )
        self._publish(optimiser)
        self._look_for_the_end()
        if self.watch is not None and not self.ended:
            self.ended = self.watch(row) or ""
        self.reporter.epoch_finished(row)

    def _look_for_the_end(self) -> None:
        self.reporter.patience = patience_left(self.run.spec, self.history)
        if not self.reporter.patience:
            self.ended = EARLY_STOPPING

    def _publish(self, optimiser: "keras.optimizers.Optimizer") -> None:
        """Write everything that follows from the checkpoint; doing it twice changes nothing."""
        folder, best = self.workspace.run_dir(self.run.id), self._best()
        if self._alone is None or time.monotonic() - self._kept_at > _KEPT_EVERY:
            self._keep_best(optimiser)
        table = pd.DataFrame(self.history, columns=list(HISTORY_COLUMNS)).astype({"epoch": int})
        with self.workspace.atomic_path(folder / "history.csv") as scratch:
            table.to_csv(scratch, index=False)
        self.run = replace(
            self.run,
            epochs=len(self.history),
            best_epoch=int(best["epoch"]),
            val_accuracy=best["val_accuracy"],
            seconds=sum(row["seconds"] for row in self.history),
        )
        self.reporter.run = self.run
        self._write_summary()
        write_events(self.workspace, self.run.id)

    def _best(self) -> dict[str, float]:
        return max(self.history, key=lambda row: row["val_accuracy"])

    def _keep_best(self, optimiser: "keras.optimizers.Optimizer") -> None:
        """Bring `best.keras` up to date, where it is not."""
        best = self._best()
        if best is not self._kept and (best is self.history[-1] or self._best_head is not None):
            keep_best_before(self.workspace, self.run.id, len(self.history))
            with self._best_weights(optimiser):
                save_model(self.workspace, self.model, self.workspace.run_dir(self.run.id) / BEST)
        self._kept, self._kept_at = best, time.monotonic()

    @contextmanager
    def _best_weights(self, optimiser: "keras.optimizers.Optimizer") -> Iterator[None]:
        if self._alone is None or self._best_head is None:
            with averaged_weights(optimiser):
                yield
            return
        head = self._alone[1]
        latest = head.get_weights()
        head.set_weights(self._best_head)
        try:
            yield
        finally:
            head.set_weights(latest)

    def _write_summary(self) -> None:
        kept = self._kept or self._best()
        there = replace(self.run, best_epoch=int(kept["epoch"]), val_accuracy=kept["val_accuracy"])
        write_run(self.workspace, there)

    def finish(self) -> Run:
        """Mark the run as ended by itself."""
        early = self.run.epochs < self.run.spec.epochs
        ended = self.ended if early and self.ended else "all epochs done"
        self.run = replace(self.run, finished=True, ended=ended)
        write_run(self.workspace, self.run)
        keep_newest_checkpoint(self.workspace, self.run.id)
        return self.run
