"""From a map of features to one vector an image, without weights of its own."""

from collections.abc import Callable
from typing import Any

from wbc_core.registry import Registry

Pooling = Callable[[Any], Any]
"""From (n, h, w, C), symbolic, to (n, C) or (n, 2C)."""

POOLINGS = Registry[Pooling]("pooling")

_GEM_POWER = 3.0  # Radenovic et al., section 4.1: where they start, and close to where learning it ends
_GEM_SMALLEST = 1e-6  # a root has no slope at 0


@POOLINGS.register("average")
def average(features: Any) -> Any:
    """The mean over the map."""
    import keras

    return keras.layers.GlobalAveragePooling2D(name="pooling")(features)


@POOLINGS.register("max")
def maximum(features: Any) -> Any:
    """The largest value of the map."""
    import keras

    return keras.layers.GlobalMaxPooling2D(name="pooling")(features)


@POOLINGS.register("both")
def both(features: Any) -> Any:
    """The mean and the largest value, one after the other."""
    import keras

    parts = [
        keras.layers.GlobalAveragePooling2D(name="pooling_average")(features),
        keras.layers.GlobalMaxPooling2D(name="pooling_max")(features),
    ]
    return keras.layers.Concatenate(name="pooling")(parts)


@POOLINGS.register("gem")
def generalised_mean(features: Any) -> Any:
    """The generalised mean, (mean of x^3)^(1/3): between the mean and the largest value.

    Negative values count as zero. Radenovic et al., Fine-tuning CNN image retrieval with no human
    annotation, TPAMI 2018, arXiv:1711.02512, equation 3.
    """
    import keras

    # float32 whatever the policy: the third power of 41 is beyond float16.
    values = keras.ops.maximum(keras.ops.cast(features, "float32"), _GEM_SMALLEST)
    mean = keras.ops.mean(keras.ops.power(values, _GEM_POWER), axis=(1, 2))
    return keras.ops.power(mean, 1 / _GEM_POWER)
