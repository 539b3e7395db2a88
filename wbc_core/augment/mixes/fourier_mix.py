"""FourierMix (FMix): blotches of another image, cut by a threshold in low-frequency noise."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.mixes.beta import ALPHA, beta_quantiles
from wbc_core.augment.operations.kinds import Drawn, Images, MixType, Parameter
from wbc_core.augment.operations.pixels import SEEDS, standard_normal


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    return {
        "share": beta_quantiles(uniform[:, 0], settings["alpha"]),
        "seed": np.floor(uniform[:, 1] * SEEDS),
        "decay": np.full(len(uniform), settings["decay"]),
    }


def _low_frequency_noise(seed: float, decay: float, height: int, width: int) -> NDArray[np.float32]:
    """Noise whose amplitude falls with the frequency to the power of `decay`: equation 2 of FMix."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    amplitude = np.maximum(frequency, 1 / max(height, width)) ** -decay
    real, imaginary = standard_normal(seed, (2, *amplitude.shape))
    noise = np.fft.irfft2((real + 1j * imaginary) * amplitude, s=(height, width))
    return np.asarray(noise, dtype=np.float32)


def _mix(images: Images, partners: Images, drawn: Drawn) -> tuple[Images, NDArray[np.float64]]:
    height, width = images.shape[1:3]
    pixels = height * width
    covered = np.rint(drawn["share"] * pixels).astype(int)
    result = images.copy()
    for position, count in enumerate(covered):
        if not count:
            continue
        noise = _low_frequency_noise(drawn["seed"][position], drawn["decay"][position], height, width)
        # The largest values make one mask of exactly the drawn area.
        chosen = np.argpartition(noise.ravel(), pixels - count)[pixels - count :]
        flat, other = result[position].reshape(pixels, 3), partners[position].reshape(pixels, 3)
        flat[chosen] = other[chosen]
    return result, covered / pixels


MIX = MixType(
    name="fourier_mix",
    title="FourierMix",
    effect="Pastes blotches of another image with soft outlines, and mixes the labels by their area.",
    source="keras_cv.layers.FourierMix; Harris et al. 2020, FMix, arXiv:2002.12047, equation 2",
    parameters=(
        ALPHA,
        Parameter("decay", "Decay", 3.0, 0.5, 6.0, 0.5, "power of the frequency", "fewer, larger blotches"),
    ),
    draws=2,
    words="{share:.0%} of another image, in blotches",
    scale=_scale,
    mix=_mix,
)
