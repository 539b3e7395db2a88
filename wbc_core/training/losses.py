"""What the training makes small."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from wbc_core.training.spec import RunSpec

Loss = Callable[[Any, Any], Any]
"""From labels (n, classes) or (n,) and probabilities (n, classes) to a number an image, or to their mean."""


def _cross_entropy(spec: "RunSpec", counts: Sequence[int]) -> Loss:
    import keras

    loss: Loss = keras.losses.CategoricalCrossentropy(label_smoothing=spec.label_smoothing)
    return loss


def _focal(spec: "RunSpec", counts: Sequence[int]) -> Loss:
    """Lin et al. 2017, Focal loss for dense object detection, eq. 4; alpha is left to the class weights."""
    import keras

    loss: Loss = keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=spec.focal_gamma, label_smoothing=spec.label_smoothing
    )
    return loss


def _logit_adjusted(spec: "RunSpec", counts: Sequence[int]) -> Loss:
    """Menon et al. 2021, Long-tail learning via logit adjustment, eq. 10 with tau = 1.

    A logit plus the logarithm of the class's share is, after the softmax, the probability times the share.
    """
    import keras

    # A class without an image would never be named: it counts as half an image.
    prior = np.maximum(np.asarray(counts, np.float64), 0.5)
    prior = (prior / prior.sum()).astype(np.float32)

    def adjusted(truth: Any, probabilities: Any) -> Any:
        product = probabilities * prior
        product = product / keras.ops.sum(product, axis=-1, keepdims=True)
        return keras.losses.categorical_crossentropy(truth, product, label_smoothing=spec.label_smoothing)

    return adjusted


_LOSSES: dict[str, Callable[["RunSpec", Sequence[int]], Loss]] = {
    "cross_entropy": _cross_entropy,
    "focal": _focal,
    "logit_adjusted": _logit_adjusted,
}
LOSSES = tuple(_LOSSES)


def needs_shares(spec: "RunSpec") -> bool:
    """Whether the loss takes a label as a row of shares instead of a number."""
    return spec.loss != "cross_entropy" or spec.label_smoothing > 0


def make_loss(spec: "RunSpec", counts: Sequence[int], *, shares: bool) -> Loss:
    """The loss of a run, on probabilities.

    The class-balanced loss (Cui et al. 2019) is the cross-entropy with `class_weight=effective_number`.

    Args:
        spec: The run.
        counts: Train images per class, in class order, augmented copies included.
        shares: Whether labels are rows of shares, float32 (n, classes), instead of numbers, int32 (n,).
    """
    import keras

    if shares:
        return _LOSSES[spec.loss](spec, counts)
    loss: Loss = keras.losses.SparseCategoricalCrossentropy()
    return loss
