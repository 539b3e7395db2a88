"""A whole classifier: backbone, pooling, dropout and softmax."""

from typing import TYPE_CHECKING

from wbc_core.backbones.entry import ImageShape
from wbc_core.backbones.registry import BACKBONES

if TYPE_CHECKING:
    import keras


def build_model(
    backbone: str, image_shape: ImageShape, classes: int, *, dropout: float, weights: str = "random"
) -> "keras.Model":
    """Build a classifier that normalises its own input.

    Args:
        backbone: Name in the registry.
        image_shape: Height, width and 3 channels.
        classes: Number of classes, at least 2.
        dropout: Share of features dropped before the classifier while training, 0..1.
        weights: Where the backbone's weights come from; the classifier's are always random.

    Returns:
        An uncompiled model from (n, H, W, 3), uint8 or float 0..255, to (n, classes) float32 probabilities
        in the data set's order of classes.

    Raises:
        WbcError: Unknown backbone, images too small, or weights that are not to be had.
    """
    import keras

    extractor = BACKBONES.get(backbone).build(image_shape, weights)
    inputs = keras.Input(image_shape, name="image")
    features = extractor(inputs)
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D(name="pooling")(features)
    features = keras.layers.Dropout(dropout, name="dropout")(features)
    # float32 whatever the policy, so that half precision never rounds a probability.
    outputs = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")(
        features
    )
    return keras.Model(inputs, outputs, name=backbone)
