"""What a sweep varies: lists of values and ranges, read from words, and drawn from."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wbc_core.errors import WbcError
from wbc_core.records import Json, Record
from wbc_core.training.setting import Value
from wbc_core.training.settings import SETTINGS
from wbc_core.training.spec import NO_PREPARED_YET, RunSpec

_DECADE = 10.0


@dataclass(frozen=True)
class Range(Record):
    """The values between two ends, both included.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether every decade is as likely as another, rather than every value.
        whole: Whether only whole numbers are meant.
    """

    low: float
    high: float
    log: bool
    whole: bool

    def draw(self, generator: np.random.Generator) -> int | float:
        """One value, uniform or, with `log`, uniform in its logarithm."""
        # Whole numbers are the rounded values of an interval that gives both ends their share.
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        if self.log:
            drawn = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            drawn = float(generator.uniform(low, high))
        return self.within(drawn)

    def within(self, value: float) -> int | float:
        """A drawn value as a person would write it: whole, or with four significant digits, and in range."""
        written = round(value) if self.whole else float(f"{value:.4g}")
        return min(max(written, self.low), self.high)


Space = dict[str, list[Value] | Range]
"""Name of each setting that varies, to the values that it may take."""


def read_space(backbone: str, grid: Mapping[str, Sequence[str]], settings: Mapping[str, str]) -> Space:
    """Read what varies.

    Args:
        backbone: Name of the backbone.
        grid: Setting to its values, or to one range: `LOW..HIGH`, logarithmic where it spans more than a
            decade, or by `LOW..HIGH:log`.
        settings: Settings that all runs share.

    Raises:
        WbcError: An unknown setting, one given twice, or a value or a range that it cannot take.

    Example:
        >>> read_space("cnn", {"epochs": ["2", "4"], "learning_rate": ["1e-5..1e-2"]}, {})
        {'epochs': [2, 4], 'learning_rate': Range(low=1e-05, high=0.01, log=True, whole=False)}
    """
    twice = [name for name in grid if name in settings]
    if twice:
        raise WbcError(f"{twice[0]!r} is both varied and set.", fix="Give it once.")
    return {name: _read(backbone, name, list(texts), settings) for name, texts in grid.items()}


def _read(backbone: str, name: str, texts: list[str], settings: Mapping[str, str]) -> list[Value] | Range:
    def value(text: str) -> Value:
        read: Value = getattr(RunSpec.parse(NO_PREPARED_YET, backbone, {**settings, name: text}), name)
        return read

    numeric = name in SETTINGS and SETTINGS[name].kind in ("int", "float")
    if not (numeric and any(".." in text for text in texts)):
        return list(dict.fromkeys(value(text) for text in texts))
    ends, _, scale = texts[0].partition(":")
    low, dots, high = ends.partition("..")
    if len(texts) > 1 or not dots or scale not in ("", "log"):
        raise WbcError(
            f"The range of {name} cannot be read.",
            expected=f"one such as {name}=1e-5..1e-2, perhaps with :log at its end",
            got=repr(",".join(texts)),
        )
    return _range(name, value(low), value(high), bool(scale))


def _range(name: str, low: Value, high: Value, log: bool) -> Range:
    if isinstance(low, str) or isinstance(high, str) or not low < high or (log and low <= 0):
        raise WbcError(
            f"The range of {name} is none.",
            expected="its lower end first" + (", above 0 to be logarithmic" if log else ""),
            got=f"{low}..{high}",
        )
    whole = SETTINGS[name].kind == "int"
    return Range(low, high, log or (low > 0 and high / low > _DECADE), whole)


def space_to_json(space: Space) -> Json:
    """The space as plain JSON."""
    return {name: values.to_json() if isinstance(values, Range) else values for name, values in space.items()}


def space_from_json(plain: Json) -> Space:
    """The space from its JSON."""
    return {
        name: Range.from_json(values) if isinstance(values, dict) else values
        for name, values in plain.items()
    }


def size(space: Space) -> float:
    """Number of combinations; infinite where a range is continuous.

    Example:
        >>> size({"epochs": [1, 2], "seed": Range(0, 4, log=False, whole=True)})
        10
        >>> size({"dropout": Range(0, 0.5, log=False, whole=False)})
        inf
    """
    sizes = [
        (values.high - values.low + 1 if values.whole else math.inf)
        if isinstance(values, Range)
        else len(values)
        for values in space.values()
    ]
    return math.prod(sizes)


def combinations(space: Space) -> Iterator[dict[str, Value]]:
    """Every combination of a space of lists, the last setting varying fastest.

    Raises:
        WbcError: A range has no list of values.
    """
    lists = []
    for name, values in space.items():
        if isinstance(values, Range):
            raise WbcError(
                f"A grid cannot run through the range of {name}.",
                expected=f"values such as {name}={values.low:g},{values.high:g}",
                fix="List the values, or choose the search random or tpe.",
            )
        lists.append(values)
    return (dict(zip(space, chosen, strict=True)) for chosen in itertools.product(*lists))


def draws(space: Space, count: int, seed: int) -> list[dict[str, Value]]:
    """Random search: combinations drawn independently, none twice.

    Bergstra & Bengio 2012, Random search for hyper-parameter optimization.

    Args:
        space: What varies.
        count: How many, at most `size(space)`.
        seed: Seed of the draws, from 0.
    """
    generator = np.random.default_rng(seed)
    drawn: dict[tuple[Value, ...], dict[str, Value]] = {}
    while len(drawn) < count:
        chosen: dict[str, Value] = {
            name: values.draw(generator)
            if isinstance(values, Range)
            else values[int(generator.integers(len(values)))]
            for name, values in space.items()
        }
        drawn.setdefault(tuple(chosen.values()), chosen)
    return list(drawn.values())


def smallest_values(values: list[Value] | Range) -> list[Value]:
    """What of a list or a range is to be looked at to know that no value is too small; 0 is its own case.

    Example:
        >>> smallest_values([0, 64]), smallest_values(Range(0, 96, log=False, whole=True))
        ([0, 64], [0, 1])
    """
    if not isinstance(values, Range):
        return values
    return [values.low] if values.low else [values.low, 1]
