"""What one image costs a network, counted from its graph."""

from math import prod
from typing import TYPE_CHECKING

from wbc_core.backbones.layers import leaves

if TYPE_CHECKING:
    import keras


def macs(model: "keras.Model") -> int:
    """Multiply-accumulates of one image on its way forward, at the size that the model was built for.

    Counted are convolutions, depthwise and separable ones and dense layers, as papers do; what works on
    single values (normalisation, activation, pooling) is not. A kernel is applied once at every position
    of its output.

    Args:
        model: A functional model with a fixed input size; nested models are opened.

    Example:
        >>> import keras
        >>> inputs = keras.Input((8, 8, 3))
        >>> macs(keras.Model(inputs, keras.layers.Conv2D(4, 3, padding="same")(inputs)))
        6912
    """
    import keras

    total = 0
    for layer in leaves(model):
        kernels = []
        if isinstance(layer, keras.layers.SeparableConv2D):
            kernels = [layer.depthwise_kernel, layer.pointwise_kernel]
        elif isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)):
            kernels = [layer.kernel]
        if kernels:
            # Without images and channels: height and width of a map, nothing of a vector.
            positions = prod(layer.output.shape[1:-1])
            total += positions * sum(prod(kernel.shape) for kernel in kernels)
    return total


def activations(model: "keras.Model") -> int:
    """Values that the layers put out for one image, at the size that the model was built for.

    Args:
        model: A functional model with a fixed input size; nested models are opened.
    """
    return sum(prod(layer.output.shape[1:]) for layer in leaves(model))
