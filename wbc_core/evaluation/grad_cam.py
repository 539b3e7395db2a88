"""Grad-CAM: where in an image a network finds what speaks for a class.

Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based localization, ICCV 2017,
arXiv:1610.02391. With L the logit of a class and A a channel of the last convolutional map, of Z places:

    weight of a channel = 1/Z * sum over places of dL/dA        (equation 1)
    map = ReLU(sum over channels of weight * A)                 (equation 2)

Keras has no gradients that every backend shares, and none are needed: the sum of equation 1 is the slope of
the logit while a whole channel rises. Behind the map, every network of the lab is a pooling of each channel
by itself, or a flattening, and then dense layers. The slope of the dense layers is written out by the chain
rule; that of the pooling is its central difference, all channels at once. With average pooling and no hidden
layer it is CAM (Zhou et al., CVPR 2016, arXiv:1512.04150) over Z.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.backbones.model import split_model
from wbc_core.errors import WbcError

if TYPE_CHECKING:
    import keras

BATCH = 16
"""Images that are explained at a time."""

_STEP = 1e-2  # of the largest value of a channel: float32 keeps five digits of the difference
_SMALLEST_STEP = 1e-9

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Explained:
    """What a network makes of some images, and where.

    Attributes:
        probabilities: float32 (n, K), rows sum to 1.
        embedding: What the last layer reads, float32 (n, dimensions).
        maps: Grad-CAM of every class, float32 (n, K, h, w), at least 0: by how much of its logit, in nats,
            a place of the map speaks for the class.
    """

    probabilities: FloatArray
    embedding: FloatArray
    maps: FloatArray


class GradCam:
    """Grad-CAM of one classifier, for all classes at once.

    Args:
        model: What `build_model` returned, or the same opened from a file.

    Raises:
        WbcError: It is built in another way than the lab's classifiers.

    Example:
        >>> from wbc_core.backbones.model import build_model
        >>> explain = GradCam(build_model("cnn", (32, 32, 3), 4, dropout=0.0))
        >>> explain(np.zeros((2, 32, 32, 3), np.uint8)).maps.shape
        (2, 4, 4, 4)
    """

    def __init__(self, model: "keras.Model") -> None:
        import keras

        extractor, head = split_model(model)
        networks = [layer for layer in model.layers if isinstance(layer, keras.Model)]
        if len(networks) != 1:
            raise _unknown("a backbone as one nested model")
        backbone = networks[0]
        place = model.layers.index(backbone)
        self._pool: keras.Model | None = None
        dense = _dense_layers(head.layers)
        if len(backbone.output.shape) == 4:
            # Not its layers: the generalised mean is made of operations that are none.
            pooling = model.operations[model.operations.index(backbone) + 1]
            self._pool = keras.Model(pooling.input, extractor.output)
            ends = backbone.output
        else:
            flatten = _place_of_flatten(backbone)
            ends = backbone.layers[flatten].input
            dense = _dense_layers(backbone.layers[flatten + 1 :]) + dense
        outputs = inputs = keras.Input(model.input_shape[1:])
        for layer in model.layers[1:place]:
            outputs = layer(outputs)
        # The largest of 2 x 2 places rises as they do, so the larger map before it has the same weights.
        finest = _before_max_pooling(backbone, ends)
        self._network = keras.Model(inputs, keras.Model(backbone.input, [finest, ends])(outputs))
        self._dense = [
            tuple(np.asarray(value, np.float64) for value in layer.get_weights()) for layer in dense
        ]
        self._shape = tuple(model.input_shape[1:])

    def __call__(self, images: NDArray[np.uint8]) -> Explained:
        """Explain at most `BATCH` images.

        Args:
            images: uint8 (n, H, W, 3).
        """
        size = 1 if len(images) == 1 else BATCH  # two sizes only, so that it is compiled twice at most
        batch = np.zeros((size, *self._shape), np.uint8)
        batch[: len(images)] = images
        finest, ends = (np.asarray(values, np.float32) for values in self._network.predict_on_batch(batch))
        pooled = ends.reshape(size, -1) if self._pool is None else _predicted(self._pool, ends)
        embedding, logits, slopes = _through_dense(self._dense, pooled.astype(np.float64))
        weights = self._channel_weights(ends, slopes) / np.prod(finest.shape[1:3])
        maps = np.maximum(np.einsum("nkc,nhwc->nkhw", weights, finest), 0.0)
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        kept = slice(0, len(images))
        return Explained(
            chances[kept].astype(np.float32),
            embedding[kept].astype(np.float32),
            maps[kept].astype(np.float32),
        )

    def _channel_weights(self, ends: FloatArray, slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Slope of each logit while a channel rises everywhere, (n, K, C)."""
        images, classes = slopes.shape[:2]
        channels = ends.shape[-1]
        by_channel = slopes.reshape(images, classes, -1, channels)
        if self._pool is None:
            return np.asarray(by_channel.sum(axis=2))
        step = np.maximum(_STEP * np.abs(ends).max(axis=(1, 2)), _SMALLEST_STEP)
        higher, lower = (_predicted(self._pool, ends + sign * step[:, None, None]) for sign in (1, -1))
        # `both` gives every channel twice: all its means, then all its largest values.
        rise = (higher - lower).astype(np.float64).reshape(images, -1, channels) / (2 * step[:, None])
        return np.asarray(np.einsum("nkpc,npc->nkc", by_channel, rise))


def _predicted(model: "keras.Model", values: FloatArray) -> FloatArray:
    return np.asarray(model.predict_on_batch(values), np.float32)


def _unknown(expected: str) -> WbcError:
    return WbcError(
        "This model cannot be explained: it is not built as the lab builds its classifiers.",
        expected=expected,
        fix="Choose a run of this lab.",
    )


def _dense_layers(layers: "list[keras.layers.Layer]") -> "list[keras.layers.Layer]":
    """The dense layers among some; beside them only what does nothing in prediction may stand there."""
    import keras

    passed = (keras.layers.InputLayer, keras.layers.Dropout)
    dense = [layer for layer in layers if not isinstance(layer, passed)]
    for layer in dense:
        known = isinstance(layer, keras.layers.Dense) and layer.activation.__name__ in ("relu", "softmax")
        if not known:
            raise _unknown("dense layers with ReLU behind the pooling")
    return dense


def _place_of_flatten(backbone: "keras.Model") -> int:
    import keras

    for place, layer in enumerate(backbone.layers):
        if isinstance(layer, keras.layers.Flatten):
            return place
    raise _unknown("a backbone that ends in a map, or flattens one")


def _before_max_pooling(backbone: "keras.Model", ends: Any) -> Any:
    import keras

    for layer in backbone.layers:
        if layer.output is ends and isinstance(layer, keras.layers.MaxPooling2D):
            return layer.input
    return ends


def _through_dense(
    dense: list[tuple[NDArray[np.float64], ...]], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Run vectors (n, F) through dense layers with ReLU between them.

    Returns:
        What the last one reads (n, D), the logits (n, K), and their slopes by the vectors (n, K, F).
    """
    back: list[Callable[[NDArray[np.float64]], NDArray[np.float64]]] = []
    for kernel, bias in dense[:-1]:
        values = np.maximum(values @ kernel + bias, 0.0)
        back.append(partial(_back_through, kernel, values > 0))
    kernel, bias = dense[-1]
    slopes = np.broadcast_to(kernel.T, (len(values), *kernel.T.shape))
    for step in reversed(back):
        slopes = step(slopes)
    return values, values @ kernel + bias, slopes


def _back_through(
    kernel: NDArray[np.float64], alive: NDArray[np.bool_], slopes: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray((slopes * alive[:, None, :]) @ kernel.T)
