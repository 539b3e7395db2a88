"""Finding one's way in a network: its layers in depth order, and the extractor inside a classifier."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def leaves(model: "keras.Model") -> "list[keras.layers.Layer]":
    """Every layer from the input to the output, those of nested models instead of the models.

    Example:
        >>> import keras
        >>> inner = keras.Sequential([keras.layers.Dense(2, name="a")])
        >>> [layer.name for layer in leaves(keras.Sequential([inner, keras.layers.Dense(1, name="b")]))]
        ['a', 'b']
    """
    import keras

    found = []
    for layer in model.layers:
        found.extend(leaves(layer) if isinstance(layer, keras.Model) else [layer])
    return found


def extractor_of(model: "keras.Model") -> "keras.Model":
    """The backbone inside a classifier that `build_model` built."""
    import keras

    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def compute_with_own_weights(model: "keras.Model") -> None:
    """Have the layers that compute with copies of their weights take those that they were given."""
    import keras

    for layer in leaves(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
