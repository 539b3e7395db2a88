"""From a map of features to one vector an image; only the power of the learnt mean is a weight."""

from collections.abc import Callable
from typing import Any

from wbc_core.registry import Registry

Pooling = Callable[[Any], Any]
"""From (n, h, w, C), symbolic, to (n, C) or (n, 2C)."""

POOLINGS = Registry[Pooling]("pooling")

_GEM_POWER = 3.0  # Radenovic et al., section 4.1: where they start, and close to where learning it ends
LEARNT_POWER = "pooling_power"
"""The layer that holds it."""
_GEM_SMALLEST = 1e-6  # a root has no slope at 0
_GEM_LARGEST_POWER = 6.0  # from 6.4 on the smallest value's power is 0 in float32


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
    return _generalised_mean(_at_least_zero(features), _GEM_POWER)


@POOLINGS.register("gem_learnt")
def learnt_generalised_mean(features: Any) -> Any:
    """The generalised mean with a power that is learnt, from 3 on, between 1, the mean, and 6.

    One power for all channels, as Radenovic et al. prefer. While the backbone is frozen whole it stays as it
    is: the features are then computed once.
    """
    import keras

    values = _at_least_zero(features)
    # The kernel of a dense layer that sees a 1: a layer of the lab's own would not open without the lab.
    power = keras.layers.Dense(
        1,
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(_GEM_POWER),
        dtype="float32",
        name=LEARNT_POWER,
    )(keras.ops.ones_like(values[:, 0, 0, :1]))
    return _generalised_mean(values, keras.ops.clip(power, 1.0, _GEM_LARGEST_POWER))


def _at_least_zero(features: Any) -> Any:
    import keras

    # float32 whatever the policy: the third power of 41 is beyond float16.
    return keras.ops.maximum(keras.ops.cast(features, "float32"), _GEM_SMALLEST)


def _generalised_mean(values: Any, power: Any) -> Any:
    """Of (n, h, w, C) above zero, with one power for all or (n, 1)."""
    import keras

    each = power if isinstance(power, float) else keras.ops.expand_dims(power, (1, 2))
    mean = keras.ops.mean(keras.ops.power(values, each), axis=(1, 2))
    return keras.ops.power(mean, 1 / power)
