"""What can be set for a run, in which range: read by the parser and by the form alike."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from wbc_core.augment.shifts import SHIFTS
from wbc_core.backbones.weights import weights_source
from wbc_core.balance.weights import WEIGHTINGS
from wbc_core.errors import WbcError

Value = str | int | float


@dataclass(frozen=True)
class Setting:
    """One setting of a run.

    Attributes:
        name: Its key on the command line and in the spec.
        title: Its name in a form.
        kind: `int`, `float`, `choice` or `weights`.
        help: What it does, in one sentence.
        low: Smallest value, included.
        high: Largest value, included.
        step: What one press of + or - adds in a form.
        choices: The valid words of a `choice`.
    """

    name: str
    title: str
    kind: str
    help: str
    low: float = 0
    high: float = 0
    step: float = 1
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The valid values, in words."""
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        if self.kind == "weights":
            return "random, imagenet or file:PATH"
        return f"{'a whole number' if self.kind == 'int' else 'a number'} from {self.low:g} to {self.high:g}"

    def wrong(self, value: object) -> WbcError:
        """The error for a value that is not allowed."""
        return WbcError(
            f"{self.name} cannot be {value!r}.", expected=self.allowed, fix=f"Correct {self.name}=."
        )

    def read(self, text: str) -> Value:
        """Turn text into a value of the right type, in range.

        Raises:
            WbcError: It cannot be read so, or lies out of range.
        """
        value: Value = text.strip()
        try:
            if self.kind == "int":
                value = int(text)
            elif self.kind == "float":
                value = float(text)
        except ValueError:
            raise self.wrong(text) from None
        self.check(value)
        return value

    def check(self, value: object) -> None:
        """Refuse a value of the wrong type or out of range.

        Raises:
            WbcError: It is not allowed.
        """
        if self.kind == "choice":
            fits = value in self.choices
        elif self.kind == "weights":
            fits = isinstance(value, str)
            if isinstance(value, str):
                weights_source(value)
        else:
            number = isinstance(value, int if self.kind == "int" else (int, float))
            # Compared as it is: a whole number of 400 digits is no float, and nan and inf fail here too.
            fits = number and not isinstance(value, bool) and self.low <= value <= self.high  # type: ignore[operator]
        if not fits:
            raise self.wrong(value)


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("weights", "First weights", "weights", "Where the backbone's weights come from."),
        Setting("epochs", "Epochs", "int", "At most so many passes over the prepared images.", 1, 1000),
        Setting("batch_size", "Batch size", "int", "Images a step.", 1, 1024),
        Setting(
            "learning_rate", "Learning rate", "float", "Step size of AdamW at the start.", 1e-7, 1.0, 1e-4
        ),
        Setting("weight_decay", "Weight decay", "float", "Decoupled decay of AdamW, a step.", 0.0, 1.0, 1e-4),
        Setting(
            "dropout", "Dropout", "float", "Share of features dropped before the classifier.", 0.0, 0.95, 0.05
        ),
        Setting(
            "class_weight",
            "Class weight",
            "choice",
            "Recipe: as its balance plan says. Balanced: a class counts in inverse proportion to its images. "
            "Effective number: the same, up to a limit.",
            choices=("recipe", *WEIGHTINGS),
        ),
        Setting(
            "early_stopping_patience",
            "Patience",
            "int",
            "Stop after so many epochs without a better validation accuracy.",
            1,
            1000,
        ),
        Setting(
            "plateau_patience",
            "Plateau patience",
            "int",
            "Lower the learning rate after so many epochs without a lower validation loss.",
            1,
            1000,
        ),
        Setting(
            "plateau_factor",
            "Plateau factor",
            "float",
            "What the learning rate is multiplied by then.",
            0.01,
            0.99,
            0.1,
        ),
        Setting(
            "validation_shift",
            "Validation shift",
            "choice",
            "Shift the validation images, so that the best epoch is chosen by robustness.",
            choices=("none", *SHIFTS.names()),
        ),
        Setting(
            "validation_strength", "Validation shift strength", "int", "1 hardly seen, 5 hard to read.", 1, 5
        ),
        Setting("seed", "Seed", "int", "Same seed, same run on the same machine.", 0, 2**31 - 1),
    )
}


def read_settings(settings: Mapping[str, str]) -> dict[str, Value]:
    """Read `key=value` settings.

    Raises:
        WbcError: An unknown key, or a value of the wrong type or out of range.

    Example:
        >>> read_settings({"epochs": "3", "learning_rate": "1e-3"})
        {'epochs': 3, 'learning_rate': 0.001}
    """
    for name in settings:
        if name not in SETTINGS:
            near = difflib.get_close_matches(name, SETTINGS, n=1)
            raise WbcError(
                f"A run has no setting named {name!r}.",
                expected=f"one of {', '.join(SETTINGS)}",
                fix=f"Did you mean {near[0]}?" if near else "Check the spelling.",
            )
    return {name: SETTINGS[name].read(text) for name, text in settings.items()}
