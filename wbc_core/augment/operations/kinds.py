"""What an augmentation operation is: sample first, then apply."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.errors import WbcError

Images = NDArray[np.uint8]
Drawn = dict[str, NDArray[np.float64]]
"""Drawn parameters by name, one value an image, each float64 (n,)."""


@dataclass(frozen=True)
class Parameter:
    """One setting of an operation; a slider on the page and a checked number in a recipe file.

    Attributes:
        name: Its key in a recipe.
        title: What the page calls it.
        default: Value where a recipe does not give it.
        low: Smallest value.
        high: Largest value.
        step: Step of the slider.
        unit: Unit of the value.
        effect: What a larger value does, in a few words.
    """

    name: str
    title: str
    default: float
    low: float
    high: float
    step: float
    unit: str
    effect: str


@dataclass(frozen=True)
class Parameterised:
    """What operations and mixes share: settings, and random numbers drawn image by image.

    Attributes:
        name: Its name in the registry.
        title: What the page calls it.
        effect: What it does, in one sentence.
        source: The layer or paper that it follows.
        parameters: Its settings.
        draws: How many random numbers an image takes.
        words: Caption of an image: a format of the drawn parameters by name ("saturation x {gain:.2f}"), or a
            function of them where a format cannot say it.
        scale: From uniform numbers in [0, 1), float64 (n, draws), and the image shape (H, W, 3) to the drawn
            parameters, row by row.
    """

    name: str
    title: str
    effect: str
    source: str
    parameters: tuple[Parameter, ...]
    draws: int
    words: str | Callable[[Mapping[str, float]], str]
    scale: Callable[[NDArray[np.float64], tuple[int, int, int], Mapping[str, float]], Drawn]

    def sample(
        self, generator: np.random.Generator, n: int, shape: tuple[int, int, int], **parameters: float
    ) -> Drawn:
        """Draw the random parameters of n images.

        Image by image, so that the first images get the same values however many follow.

        Args:
            generator: Source of the randomness.
            n: Number of images.
            shape: Height, width, channels, in pixels.
            parameters: Settings; those left out have their defaults.

        Returns:
            Drawn parameters, each float64 (n,).

        Raises:
            WbcError: A setting is unknown, no number or out of its range.
        """
        settings = self.checked(parameters)
        return self.scale(generator.random((n, self.draws)), shape, settings)

    def checked(self, parameters: Mapping[str, object]) -> dict[str, float]:
        """Return every setting, defaults filled in.

        Raises:
            WbcError: A setting is unknown, no number or out of its range.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in parameters:
            if name not in known:
                raise WbcError(
                    f"The operation {self.name} has no parameter {name!r}.",
                    expected=f"one of {', '.join(known)}" if known else "no parameters",
                    fix="Correct the recipe.",
                )
        settings = {}
        for name, parameter in known.items():
            value = parameters.get(name, parameter.default)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not parameter.low <= value <= parameter.high:  # type: ignore[operator]
                raise WbcError(
                    f"The parameter {name!r} of the operation {self.name} is out of range.",
                    expected=f"a number from {parameter.low:g} to {parameter.high:g} ({parameter.unit})",
                    got=repr(value)[:60],
                    fix="Correct the recipe.",
                )
            settings[name] = float(value)  # type: ignore[arg-type]
        return settings

    def caption(self, drawn: Drawn, position: int) -> str:
        """Say what was drawn for one image, for the line under its picture."""
        own = {name: float(values[position]) for name, values in drawn.items()}
        return self.words.format(**own) if isinstance(self.words, str) else self.words(own)


@dataclass(frozen=True)
class OperationType(Parameterised):
    """One way to change images that keeps their label.

    Attributes:
        apply: From images, uint8 (n, H, W, 3), and drawn parameters to new images; deterministic, and each
            image by its own values only.
    """

    apply: Callable[[Images, Drawn], Images]


@dataclass(frozen=True)
class MixType(Parameterised):
    """One way to mix each image with a partner, and its label with the partner's.

    Attributes:
        mix: From images and partners, uint8 (n, H, W, 3) each, and drawn parameters to new images and the
            partner's share of the label, float64 (n,), 0..1.
    """

    mix: Callable[[Images, Images, Drawn], tuple[Images, NDArray[np.float64]]]
