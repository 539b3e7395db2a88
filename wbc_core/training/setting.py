"""What a setting is: its kind, its range, and when it applies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wbc_core.errors import WbcError

Value = str | int | float
Values = Mapping[str, Value]


def _always(values: Values) -> bool:
    return True


@dataclass(frozen=True)
class Setting:
    """One setting of a run.

    Attributes:
        name: Its key on the command line and in the spec.
        title: Its name in a form.
        group: What it belongs to, a key of `GROUPS`.
        kind: `int`, `float`, `choice` or `text`.
        help: What it does, in one sentence.
        low: Smallest value, included.
        high: Largest value, included.
        step: What one press of + or - adds in a form.
        choices: The valid words of a `choice`.
        titles: What a form calls those of them that have a name of their own.
        check_text: Raises WbcError where a `text` is not valid.
        form: What a `text` looks like, in words.
        applies: Whether it has an effect beside the values of the other settings and the name of the
            `backbone`, where it is among them; a form hides it otherwise.
    """

    name: str
    title: str
    group: str
    kind: str
    help: str
    low: float = 0
    high: float = 0
    step: float = 1
    choices: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    check_text: Callable[[str], object] | None = None
    form: str = ""
    applies: Callable[[Values], bool] = _always

    @property
    def allowed(self) -> str:
        """The valid values, in words."""
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        if self.kind == "text":
            return self.form
        return f"{'a whole number' if self.kind == 'int' else 'a number'} from {self.low:g} to {self.high:g}"

    def title_of(self, choice: str) -> str:
        """What a form calls one of the choices.

        Example:
            >>> Setting("loss", "Loss", "loss", "choice", "", titles={"adamw": "AdamW"}).title_of("one_cycle")
            'One cycle'
        """
        return self.titles.get(choice, choice.replace("_", " ").capitalize())

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
        elif self.kind == "text":
            fits = isinstance(value, str)
            if isinstance(value, str) and self.check_text is not None:
                self.check_text(value)
        else:
            number = isinstance(value, int if self.kind == "int" else (int, float))
            # Compared as it is: a whole number of 400 digits is no float, and nan and inf fail here too.
            fits = number and not isinstance(value, bool) and self.low <= value <= self.high  # type: ignore[operator]
        if not fits:
            raise self.wrong(value)
