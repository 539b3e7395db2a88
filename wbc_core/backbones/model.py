"""A whole classifier: backbone, pooling, dropout and softmax."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wbc_core.backbones.entry import ImageShape
from wbc_core.backbones.pooling import POOLINGS
from wbc_core.backbones.registry import BACKBONES
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

_HEAD = "dropout"
"""The first layer behind the pooling."""


def build_model(
    backbone: str,
    image_shape: ImageShape,
    classes: int,
    *,
    dropout: float,
    weights: str = "random",
    pooling: str = "average",
    hidden_layers: Sequence[int] = (),
    input_size: int | None = None,
    workspace: Workspace | None = None,
) -> "keras.Model":
    """Build a classifier that resizes and normalises its own input.

    Its layers are, in this order: `image`, `resizing` where there is an `input_size`, the backbone as one
    nested model, the pooling where the backbone ends in a map, and the head, which begins with `dropout`
    and ends with `probabilities`.

    Args:
        backbone: Name in the registry.
        image_shape: Height, width and 3 channels.
        classes: Number of classes, at least 2.
        dropout: Share of features dropped before every dense layer of the head while training, 0..1.
        weights: Where the backbone's weights come from; the head's are always random.
        pooling: Name in `POOLINGS`; without effect where the backbone gives no map, as `cnn`.
        hidden_layers: Units of dense layers with ReLU between the features and the classes.
        input_size: Height and width that the backbone sees, in pixels; as they are where None.
        workspace: Where the runs are, for `weights="run:ID"`.

    Returns:
        An uncompiled model from (n, H, W, 3), uint8 or float 0..255, to (n, classes) float32 probabilities
        in the data set's order of classes.

    Raises:
        WbcError: Unknown backbone or pooling, a size that the backbone cannot take, or weights that are not
            to be had.
    """
    entry, pool = BACKBONES.get(backbone), POOLINGS.get(pooling)
    shape = (input_size, input_size, 3) if input_size else image_shape
    entry.check_size(shape)
    import keras

    extractor = entry.build(shape, weights, workspace)
    inputs = keras.Input(image_shape, name="image")
    images = inputs
    if shape != image_shape:
        images = keras.layers.Resizing(
            *shape[:2],
            interpolation="bilinear",
            # Without it most pixels of a larger image would not be looked at.
            antialias=shape[0] < max(image_shape[:2]),
            name="resizing",
        )(inputs, training=False)  # its own default, True, would hold for all behind it in a plain call
    features = extractor(images)
    if len(features.shape) == 4:
        features = pool(features)
    features = keras.layers.Dropout(dropout, name=_HEAD)(features)
    for number, units in enumerate(hidden_layers, start=1):
        features = keras.layers.Dense(units, activation="relu", name=f"hidden{number}")(features)
        features = keras.layers.Dropout(dropout, name=f"hidden{number}_dropout")(features)
    # float32 whatever the policy, so that half precision never rounds a probability.
    outputs = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")(
        features
    )
    return keras.Model(inputs, outputs, name=backbone)


def split_model(model: "keras.Model") -> "tuple[keras.Model, keras.Model]":
    """Split a classifier behind its pooling, so that the head can be trained on features computed once.

    Args:
        model: What `build_model` returned, or the same opened from a file.

    Returns:
        A model from images to features (n, C), and one from these to the probabilities. They share the
        classifier's layers: what one of them learns, the classifier knows.
    """
    import keras

    names = [layer.name for layer in model.layers]
    head = model.layers[names.index(_HEAD) :]
    extractor = keras.Model(model.input, head[0].input, name="features")
    outputs = inputs = keras.Input(head[0].input.shape[1:], dtype=head[0].input.dtype, name="features")
    for layer in head:
        outputs = layer(outputs)
    return extractor, keras.Model(inputs, outputs, name="head")
