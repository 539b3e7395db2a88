"""Flips and quarter turns: a cell has no up, so every one of them is another cell that could have been."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter

_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


def _scale_flip(
    uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]
) -> Drawn:
    return {
        name: (uniform[:, column] < settings[name]).astype(np.float64)
        for column, name in enumerate(("horizontal", "vertical"))
    }


def _apply_flip(images: Images, drawn: Drawn) -> Images:
    result = images.copy()
    for position in np.flatnonzero(drawn["horizontal"] + drawn["vertical"]):
        # OpenCV: 1 mirrors left and right, 0 top and bottom, -1 both.
        across, down = drawn["horizontal"][position], drawn["vertical"][position]
        cv2.flip(images[position], -1 if across and down else int(across), dst=result[position])
    return result


def _flip_words(drawn: Mapping[str, float]) -> str:
    names = [words for words, key in (("left-right", "horizontal"), ("up-down", "vertical")) if drawn[key]]
    return "mirrored " + " and ".join(names) if names else "as it is"


def _scale_turns(
    uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]
) -> Drawn:
    # Only half turns keep the shape of an image that is not square.
    step = 1 if shape[0] == shape[1] else 2
    return {"turns": np.floor(uniform[:, 0] * (4 // step)) * step}


def _apply_turns(images: Images, drawn: Drawn) -> Images:
    result = images.copy()
    for position in np.flatnonzero(drawn["turns"]):
        cv2.rotate(images[position], _TURNS[int(drawn["turns"][position])], dst=result[position])
    return result


FLIP = OperationType(
    name="flip",
    title="Flip",
    effect="Mirrors the cell left and right, up and down, or both.",
    source="keras.layers.RandomFlip",
    parameters=(
        Parameter("horizontal", "Left-right", 0.5, 0.0, 1.0, 0.05, "probability", "mirrored more often"),
        Parameter("vertical", "Up-down", 0.5, 0.0, 1.0, 0.05, "probability", "mirrored more often"),
    ),
    draws=2,
    words=_flip_words,
    scale=_scale_flip,
    apply=_apply_flip,
)

QUARTER_TURNS = OperationType(
    name="quarter_turns",
    title="Quarter turns",
    effect="Turns the cell by 0, 90, 180 or 270 degrees, each as likely, without touching a pixel's value.",
    source="numpy.rot90, counter-clockwise; half turns only where an image is not square",
    parameters=(),
    draws=1,
    words=lambda drawn: f"turned by {90 * drawn['turns']:.0f}°",
    scale=_scale_turns,
    apply=_apply_turns,
)
