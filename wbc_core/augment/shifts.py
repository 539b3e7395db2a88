"""Shifted held-out images: what another microscope, stain or slide would do, at strengths 1 to 5.

Accuracy on clean held-out images does not tell how a network fares elsewhere; accuracy on shifted ones does.
A shift changes held-out images only while they are looked at: nothing of it is stored or learnt from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations import OPERATIONS, Images
from wbc_core.errors import WbcError
from wbc_core.registry import Registry

STRENGTHS = (1, 2, 3, 4, 5)
SEED = 20_241_124
"""Seed of every shift, fixed so that all runs are judged on the same pixels."""

_KEY = 3


@dataclass(frozen=True)
class Change:
    """An operation whose parameters grow with the strength.

    Attributes:
        operation: Its name in the registry.
        weakest: Parameters at strength 1.
        strongest: Parameters at strength 5; those between are interpolated.
    """

    operation: str
    weakest: dict[str, float]
    strongest: dict[str, float]

    def parameters(self, strength: int) -> dict[str, float]:
        """The operation's parameters at a strength."""
        share = (strength - 1) / (STRENGTHS[-1] - 1)
        return {name: (1 - share) * low + share * self.strongest[name] for name, low in self.weakest.items()}


@dataclass(frozen=True)
class Shift:
    """One kind of shift.

    Attributes:
        name: Its name in the registry.
        title: What the page calls it.
        effect: What it does, in one sentence.
        rounds: Each image gets one change of every round, one after the other, drawn evenly.
    """

    name: str
    title: str
    effect: str
    rounds: tuple[tuple[Change, ...], ...]


_PHOTOMETRIC = (
    Change("brightness", {"factor": 0.08}, {"factor": 0.4}),
    Change("contrast", {"factor": 0.15}, {"factor": 0.75}),
    Change("hue", {"factor": 0.03}, {"factor": 0.15}),
    Change(
        "random_saturation",
        {"factor_low": 0.42, "factor_high": 0.58},
        {"factor_low": 0.1, "factor_high": 0.9},
    ),
    Change("channel_shift", {"factor": 0.1}, {"factor": 0.5}),
    Change("stain_jitter", {"gain": 0.12, "shift": 0.02}, {"gain": 0.6, "shift": 0.1}),
    Change("illumination_gradient", {"strength": 0.15}, {"strength": 0.75}),
    Change("gaussian_blur", {"sigma_low": 0.3, "sigma_high": 0.7}, {"sigma_low": 0.7, "sigma_high": 2.5}),
    Change(
        "gaussian_noise",
        {"deviation_low": 2, "deviation_high": 6},
        {"deviation_low": 8, "deviation_high": 30},
    ),
    Change("jpeg_quality", {"quality_low": 50, "quality_high": 80}, {"quality_low": 8, "quality_high": 30}),
)
_GEOMETRIC = (
    Change("rotation", {"degrees": 30}, {"degrees": 180}),
    Change(
        "translation",
        {"height_factor": 0.05, "width_factor": 0.05},
        {"height_factor": 0.25, "width_factor": 0.25},
    ),
    Change("shear", {"x_factor": 0.1, "y_factor": 0.1}, {"x_factor": 0.5, "y_factor": 0.5}),
    Change("zoom", {"zoom_in": 0.06, "zoom_out": 0.06}, {"zoom_in": 0.3, "zoom_out": 0.3}),
    Change("elastic", {"distance": 1.0}, {"distance": 4.0}),
)
_OCCLUSION = (
    Change(
        "random_cutout",
        {"height_factor": 0.3, "width_factor": 0.3},
        {"height_factor": 1.0, "width_factor": 1.0},
    ),
    Change("grid_mask", {"ratio": 0.25}, {"ratio": 0.8}),
)
_RAND_AUGMENT = Change("rand_augment", {"magnitude": 0.15}, {"magnitude": 0.75})

SHIFTS: Registry[Shift] = Registry("shift")
for _shift in (
    Shift(
        "photometric",
        "Photometric",
        "Another lamp, camera, stain or focus: two changes of light, colour or sharpness an image.",
        (_PHOTOMETRIC, _PHOTOMETRIC),
    ),
    Shift("geometric", "Geometric", "The cell turned, moved, slanted, resized or warped.", (_GEOMETRIC,)),
    Shift(
        "occlusion", "Occlusion", "A rectangle or a grid of squares covers part of the cell.", (_OCCLUSION,)
    ),
    Shift(
        "combined",
        "Combined",
        "One photometric change, one geometric and one occlusion an image.",
        (_PHOTOMETRIC, _GEOMETRIC, _OCCLUSION),
    ),
    Shift(
        "rand_augment",
        "RandAugment",
        "Three operations of RandAugment, as the report validated.",
        ((_RAND_AUGMENT,),),
    ),
):
    SHIFTS.add(_shift.name, _shift)


def shift_images(
    images: Images, rows: NDArray[np.integer] | Sequence[int], shift: str, strength: int
) -> Images:
    """Shift images, each by its row alone: the same row always becomes the same picture.

    Args:
        images: uint8 (n, H, W, 3).
        rows: Their rows in the data set, int (n,).
        shift: Name of a shift.
        strength: 1 (hardly seen) to 5 (hard for a person).

    Returns:
        uint8 (n, H, W, 3).

    Raises:
        WbcError: There is no such shift or strength.
    """
    check_shift(shift, strength)
    kind = SHIFTS.get(shift)
    result = images.copy()
    generators = [
        np.random.default_rng([SEED, _KEY, SHIFTS.names().index(shift), strength, int(row)]) for row in rows
    ]
    shape = (images.shape[1], images.shape[2], images.shape[3])
    for changes in kind.rounds:
        drawn = np.array([generator.integers(len(changes)) for generator in generators], dtype=np.int64)
        for index, change in enumerate(changes):
            chosen = np.flatnonzero(drawn == index)
            if not len(chosen):
                continue
            operation = OPERATIONS.get(change.operation)
            parameters = change.parameters(strength)
            values = [operation.sample(generators[position], 1, shape, **parameters) for position in chosen]
            together = {name: np.concatenate([own[name] for own in values]) for name in values[0]}
            result[chosen] = operation.apply(result[chosen], together)
    return result


def check_shift(shift: str, strength: int) -> None:
    """Refuse a shift or a strength that there is not.

    Raises:
        WbcError: The shift is not in the registry, or the strength none of 1 to 5.
    """
    SHIFTS.get(shift)
    if strength not in STRENGTHS:
        raise WbcError(
            "There is no such strength of a shift.", expected="a whole number from 1 to 5", got=strength
        )


class ShiftedImages:
    """Images of a data set that are shifted as they are read.

    Args:
        images: uint8 (N, H, W, 3), memory-mapped; the row is the position.
        shift: Name of a shift.
        strength: 1 to 5.

    Raises:
        WbcError: There is no such shift or strength.

    Example:
        >>> grey = np.full((3, 8, 8, 3), 128, np.uint8)
        >>> ShiftedImages(grey, "occlusion", 3)[np.array([2, 0])].shape
        (2, 8, 8, 3)
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, images: Images, shift: str, strength: int) -> None:
        check_shift(shift, strength)
        self.images, self.shift, self.strength = images, shift, strength

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all the images, (N, H, W, 3)."""
        return self.images.shape

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: NDArray[np.integer]) -> Images:
        return shift_images(np.ascontiguousarray(self.images[rows]), rows, self.shift, self.strength)
