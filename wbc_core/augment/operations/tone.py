"""Brightness, contrast, posterize, channel shift: one lookup table an image or channel."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter
from wbc_core.augment.operations.pixels import look_up

Uniform = NDArray[np.float64]
Shape = tuple[int, int, int]

_LEVELS = np.arange(256.0)


def _brightness(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    return {"addition": 255 * settings["factor"] * (2 * uniform[:, 0] - 1)}


def _brighten(images: Images, drawn: Drawn) -> Images:
    return look_up(images, _LEVELS + drawn["addition"][:, None])


def _contrast(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    return {"gain": 1 + settings["factor"] * (2 * uniform[:, 0] - 1)}


def _stretch(images: Images, drawn: Drawn) -> Images:
    means = np.array([cv2.mean(image)[:3] for image in images]).reshape(len(images), 1, 3)
    return look_up(images, (_LEVELS[:, None] - means) * drawn["gain"][:, None, None] + means)


def _bits(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    low, high = sorted((np.rint(settings["bits_low"]), np.rint(settings["bits_high"])))
    return {"bits": low + np.floor(uniform[:, 0] * (high - low + 1))}


def _posterize(images: Images, drawn: Drawn) -> Images:
    size = 2 ** (8 - drawn["bits"][:, None])
    return look_up(images, _LEVELS // size * size)


def _shifts(uniform: Uniform, shape: Shape, settings: Mapping[str, float]) -> Drawn:
    # KerasCV's own scale: a factor of 1 moves a channel by up to half of its range.
    shifts = 255 * settings["factor"] * (uniform - 0.5)
    return {"red": shifts[:, 0], "green": shifts[:, 1], "blue": shifts[:, 2]}


def _shift_channels(images: Images, drawn: Drawn) -> Images:
    shifts = np.stack([drawn["red"], drawn["green"], drawn["blue"]], axis=1)
    return look_up(images, _LEVELS[:, None] + shifts[:, None])


BRIGHTNESS = OperationType(
    name="brightness",
    title="Brightness",
    effect="Adds one value to every pixel: a lamp turned up or down.",
    source="keras.layers.RandomBrightness",
    parameters=(
        Parameter(
            "factor", "Change", 0.2, 0.0, 1.0, 0.05, "share of 255, at most", "brighter and darker images"
        ),
    ),
    draws=1,
    words="{addition:+.0f} levels",
    scale=_brightness,
    apply=_brighten,
)
CONTRAST = OperationType(
    name="contrast",
    title="Contrast",
    effect="Stretches or shrinks each channel about its mean.",
    source="keras.layers.RandomContrast",
    parameters=(
        Parameter(
            "factor",
            "Change",
            0.3,
            0.0,
            1.0,
            0.05,
            "share of the contrast, at most",
            "harder and flatter images",
        ),
    ),
    draws=1,
    words="contrast x {gain:.2f}",
    scale=_contrast,
    apply=_stretch,
)
POSTERIZE = OperationType(
    name="posterize",
    title="Posterize",
    effect="Keeps the highest bits of every pixel only, so that smooth shades become steps.",
    source="keras.layers.RandomPosterization; Cubuk et al. 2019, AutoAugment, appendix A",
    parameters=(
        Parameter("bits_low", "Fewest bits", 3.0, 1.0, 8.0, 1.0, "bits", "finer steps"),
        Parameter("bits_high", "Most bits", 6.0, 1.0, 8.0, 1.0, "bits", "finer steps"),
    ),
    draws=1,
    words="{bits:.0f} bits",
    scale=_bits,
    apply=_posterize,
)
CHANNEL_SHIFT = OperationType(
    name="channel_shift",
    title="Channel shift",
    effect="Adds a value of its own to red, green and blue: another lamp or white balance.",
    source="keras_cv.layers.RandomChannelShift",
    parameters=(
        Parameter("factor", "Change", 0.2, 0.0, 1.0, 0.05, "share of 255 from end to end", "stronger tints"),
    ),
    draws=3,
    words="{red:+.0f}, {green:+.0f}, {blue:+.0f} levels",
    scale=_shifts,
    apply=_shift_channels,
)
