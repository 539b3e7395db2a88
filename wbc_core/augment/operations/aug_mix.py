"""AugMix: several short chains of operations, averaged, and the average blended with the original."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter
from wbc_core.augment.operations.rand_augment import STEP_DRAWS, apply_step, draw_step

MOST = 4
"""Largest number of chains."""

DEPTH = 3
"""Largest number of operations in a chain."""

_CHAIN_DRAWS = 2 + DEPTH * STEP_DRAWS
_NONE = -1
_NOTHING = np.zeros(4)


def _scale(uniform: NDArray[np.float64], shape: tuple[int, int, int], settings: Mapping[str, float]) -> Drawn:
    chains = round(settings["chains"])
    drawn = {"share": uniform[:, 0]}
    # Gaps between exponential draws are Dirichlet(1, .., 1), the paper's weights.
    heights = []
    for chain in range(chains):
        own = uniform[:, 1 + chain * _CHAIN_DRAWS : 1 + (chain + 1) * _CHAIN_DRAWS]
        heights.append(-np.log1p(-own[:, 0]))
        depth = 1 + np.floor(own[:, 1] * DEPTH)
        for step in range(DEPTH):
            start = 2 + step * STEP_DRAWS
            index, first, second = draw_step(
                own[:, start : start + STEP_DRAWS], shape, settings["magnitude"], settings["spread"]
            )
            name = f"{chain}_{step}"
            drawn[f"operation_{name}"] = np.where(step < depth, index, _NONE)
            drawn[f"first_{name}"], drawn[f"second_{name}"] = first, second
    total = np.maximum(np.sum(heights, axis=0), 1e-12)
    return drawn | {f"weight_{chain}": height / total for chain, height in enumerate(heights)}


def _apply(images: Images, drawn: Drawn) -> Images:
    chains = []
    for chain in range(sum(name.startswith("weight_") for name in drawn)):
        changed = images.copy()
        for step in range(DEPTH):
            name = f"{chain}_{step}"
            apply_step(changed, drawn[f"operation_{name}"], drawn[f"first_{name}"], drawn[f"second_{name}"])
        chains.append((changed, drawn["share"] * drawn[f"weight_{chain}"]))
    result = np.empty_like(images)
    for position, image in enumerate(images):
        mean = image.astype(np.float32) * np.float32(1 - drawn["share"][position])
        for changed, weight in chains:
            cv2.scaleAdd(changed[position].astype(np.float32), weight[position], mean, dst=mean)
        cv2.add(mean, _NOTHING, dst=result[position], dtype=cv2.CV_8U)
    return result


OPERATION = OperationType(
    name="aug_mix",
    title="AugMix",
    effect="Averages short chains of operations and blends the average with the image: natural, yet shifted.",
    source="keras.layers.AugMix; Hendrycks et al. 2020, arXiv:1912.02781, algorithm 1",
    parameters=(
        Parameter("chains", "Chains", 3.0, 1.0, float(MOST), 1.0, "an image", "averages more"),
        Parameter(
            "magnitude", "Magnitude", 0.3, 0.0, 1.0, 0.05, "0 weakest, 1 strongest", "stronger changes"
        ),
        Parameter(
            "spread", "Spread", 0.15, 0.0, 1.0, 0.05, "deviation of the magnitude", "strengths differ more"
        ),
    ),
    draws=1 + MOST * _CHAIN_DRAWS,
    words="{share:.0%} of the augmented average",
    scale=_scale,
    apply=_apply,
)
