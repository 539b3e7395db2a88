"""Which layers of a backbone stay as they are; one string names a freezing.

`none`, `all`, `count:N` (the first N layers with weights), `blocks:N` (the first N blocks), `fraction:F` (the
first share F of the layers with weights, 0..1), `type:convolution`, `type:batch_normalisation` and
`type:layer_normalisation`. Several joined by `+` freeze what any of them does, and `type:convolution+
batch_normalisation` is short for two types. The head always learns.

A frozen layer has `trainable=False`; batch normalisation then also computes with its moving statistics and
leaves them alone, as Keras's guide to transfer learning asks for. Up to the first layer that learns nothing
is dropped either (stochastic depth, or drop-connect): what is frozen sees an image as it does at inference.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from wbc_core.backbones.entry import Backbone
from wbc_core.backbones.layers import extractor_of, leaves
from wbc_core.backbones.pooling import LEARNT_POWER
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.registry import Registry

if TYPE_CHECKING:
    import keras

    Layers = list[keras.layers.Layer]

_TYPES = {
    "convolution": ("Conv2D", "DepthwiseConv2D", "SeparableConv2D"),
    "batch_normalisation": ("BatchNormalization",),
    "layer_normalisation": ("LayerNormalization",),
}
"""Names of the classes in keras.layers."""


@dataclass(frozen=True)
class Kind:
    """One kind of freezing.

    Attributes:
        form: How it is written.
        read: Its argument as text to its value; raises ValueError for any other text.
        layers: Its value and the backbone's layers with weights, block by block, to those that it freezes.
        count: Its value and what is known of a backbone to how many that are, before it is built.
    """

    form: str
    read: Callable[[str], Any]
    layers: "Callable[[Any, list[Layers]], Layers]"
    count: Callable[[Any, Backbone], int]


KINDS = Registry[Kind]("kind of freezing")


def parse_freezing(text: str) -> list[tuple[Kind, Any]]:
    """Read a freezing.

    Returns:
        Each of its kinds with its value.

    Raises:
        WbcError: No freezing is written so.

    Example:
        >>> [(kind.form, value) for kind, value in parse_freezing("blocks:2+type:batch_normalisation")]
        [('blocks:N', 2), ('type:NAME', 'batch_normalisation')]
    """
    parts: list[tuple[Kind, Any]] = []
    for word in text.split("+"):
        if word in _TYPES and parts and parts[-1][0] is KINDS.get("type"):
            word = f"type:{word}"
        name, _, argument = word.partition(":")
        try:
            kind = KINDS.get(name)
            parts.append((kind, kind.read(argument)))
        except (ValueError, WbcError):
            raise WbcError(
                f"There is no freezing {text!r}.",
                expected=f"{', '.join(kind.form for _, kind in KINDS.items())}, or several joined by +; "
                f"NAME is one of {', '.join(_TYPES)}",
                fix="Correct freeze=.",
            ) from None
    return parts


def check_freezing(text: str, backbone: str) -> None:
    """Refuse more blocks or layers than a backbone has; it is not built for that.

    Raises:
        WbcError: No freezing is written so, or the backbone has fewer.
    """
    for kind, value in parse_freezing(text):
        kind.count(value, BACKBONES.get(backbone))


def does_as_it_says(text: str, backbone: str) -> bool:
    """Whether a freezing freezes something of a backbone, or says that it does not; nothing is built.

    Of several joined by `+` one may freeze nothing: they name whichever of these layers there are.

    Example:
        >>> [does_as_it_says(text, "cnn") for text in ("none", "blocks:1", "type:batch_normalisation")]
        [True, True, False]
    """
    parts, entry = parse_freezing(text), BACKBONES.get(backbone)
    says_nothing = any(value == 0 or kind is KINDS.get("none") for kind, value in parts)
    return says_nothing or any(kind.count(value, entry) for kind, value in parts)


def check_something_frozen(text: str, backbone: str) -> None:
    """Refuse a freezing that asks for layers of which a backbone has none.

    Raises:
        WbcError: `does_as_it_says` says no.
    """
    if does_as_it_says(text, backbone):
        return
    entry = BACKBONES.get(backbone)
    types = [f"type:{name}" for name in _TYPES if getattr(entry.layers, name)]
    raise WbcError(
        f"freeze={text} would freeze nothing of {entry.title}.",
        expected=f"{', '.join(types)}, a larger fraction of its {entry.layers.every} layers, or none",
        fix="Correct freeze=.",
    )


def apply_freezing(model: "keras.Model", text: str) -> None:
    """Freeze layers of the backbone and let the others learn; compile the model afterwards.

    Args:
        model: A classifier of `build_model`.
        text: The freezing.

    Raises:
        WbcError: No freezing is written so, or the backbone has fewer layers or blocks; nothing is changed.
    """
    blocks = _blocks(model, model.name)
    _freeze(model, blocks, 0, text)


def open_blocks(model: "keras.Model", backbone: str, text: str, count: int) -> None:
    """Let only the last blocks of the backbone learn, for gradual unfreezing; compile the model afterwards.

    Howard & Ruder, Universal language model fine-tuning for text classification, ACL 2018, section 3.3.

    Args:
        model: A classifier of `build_model`.
        backbone: Name of its backbone.
        text: A freezing; what it freezes stays frozen in the open blocks too.
        count: Blocks to open, from the top down; all where there are fewer.

    Raises:
        WbcError: No freezing is written so, or the backbone has fewer layers or blocks; nothing is changed.
    """
    blocks = _blocks(model, backbone)
    _freeze(model, blocks, max(0, len(blocks) - count), text)


def block_depths(model: "keras.Model", backbone: str) -> dict[str, int]:
    """How many blocks lie between each weight and the classes, for learning rates that fall with depth.

    Args:
        model: A classifier of `build_model`.
        backbone: Name of its backbone.

    Returns:
        Path of each weight: 0 in the head, 1 in the backbone's last block, and so on down to the stem.
    """
    depths = {weight.path: 0 for weight in model.weights}
    for depth, block in enumerate(reversed(_blocks(model, backbone)), start=1):
        depths.update({weight.path: depth for layer in block for weight in layer.weights})
    return depths


def _blocks(model: "keras.Model", backbone: str) -> "list[Layers]":
    return BACKBONES.get(backbone).blocks(extractor_of(model))


def _freeze(model: "keras.Model", blocks: "list[Layers]", closed: int, text: str) -> None:
    """Freeze the first `closed` blocks and whatever the text says, and nothing else."""
    frozen = list(chain(*blocks[:closed]))
    for kind, value in parse_freezing(text):
        frozen += kind.layers(value, blocks)
    # One by one: keras passes by the layers of a model that is told to be what it is.
    for layer in (extractor_of(model), *leaves(extractor_of(model))):
        layer.trainable = True
    for layer in frozen:
        layer.trainable = False
    for layer in model.layers:
        if layer.name == LEARNT_POWER:
            # With a backbone that learns nothing, features are computed once, and the power is part of them.
            layer.trainable = bool(extractor_of(model).trainable_weights)
    learns = False
    for layer in leaves(extractor_of(model)):
        learns = learns or bool(layer.trainable_weights)
        if not layer.weights and "training" in inspect.signature(type(layer).call).parameters:
            _set_resting(layer, resting=not learns)


def _set_resting(layer: "keras.layers.Layer", *, resting: bool) -> None:
    """Have a layer compute as at inference even while the network trains, or as it was made to."""
    kind = type(layer)

    def rest(inputs: Any, training: bool | None = None) -> Any:
        return kind.call(layer, inputs, training=False)

    # Of this object alone: its rate would be written into the saved model, and a functional model passes its
    # own `training` on to all of its layers.
    if resting:
        layer.call = rest
    else:
        vars(layer).pop("call", None)


def _nothing(text: str) -> None:
    if text:
        raise ValueError(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ValueError(text)
    return int(text)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError(text)
    return share


def _type(text: str) -> str:
    if text not in _TYPES:
        raise ValueError(text)
    return text


def _at_most(there: int, count: int, name: str) -> int:
    if count > there:
        raise WbcError(
            f"{count} {name} cannot be frozen.",
            expected=f"at most {there} {name}, which is the whole backbone",
            fix="Correct freeze=.",
        )
    return count


def _first(count: int, things: "list[Any]", name: str) -> "list[Any]":
    return things[: _at_most(len(things), count, name)]


def _of_type(name: str, blocks: "list[Layers]") -> "Layers":
    import keras

    classes = tuple(getattr(keras.layers, layer) for layer in _TYPES[name])
    return [layer for layer in chain(*blocks) if isinstance(layer, classes)]


def _first_share(share: float, blocks: "list[Layers]") -> "Layers":
    layers = list(chain(*blocks))
    return layers[: round(share * len(layers))]


def _known_layers(count: int, entry: Backbone) -> int:
    return _at_most(entry.layers.every, count, f"layers of {entry.title}")


def _known_blocks(count: int, entry: Backbone) -> int:
    return _at_most(entry.block_count, count, f"blocks of {entry.title}")


def _known_share(share: float, entry: Backbone) -> int:
    return round(share * entry.layers.every)


KINDS.add("none", Kind("none", _nothing, lambda _, blocks: [], lambda _, entry: 0))
KINDS.add(
    "all",
    Kind("all", _nothing, lambda _, blocks: list(chain(*blocks)), lambda _, entry: entry.layers.every),
)
KINDS.add(
    "count",
    Kind("count:N", _count, lambda n, blocks: _first(n, list(chain(*blocks)), "layers"), _known_layers),
)
KINDS.add(
    "blocks",
    Kind("blocks:N", _count, lambda n, blocks: list(chain(*_first(n, blocks, "blocks"))), _known_blocks),
)
KINDS.add("fraction", Kind("fraction:F", _share, _first_share, _known_share))
KINDS.add("type", Kind("type:NAME", _type, _of_type, lambda name, entry: getattr(entry.layers, name)))
