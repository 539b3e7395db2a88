"""What the lab knows about a backbone, and how one is built."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from wbc_core.backbones.layers import leaves
from wbc_core.backbones.weights import PublishedWeights, weights_source
from wbc_core.errors import WbcError
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class Speed:
    """At 96x96, batch 32, float32, on two cores of a server without a GPU, after the first step.

    Attributes:
        training: Images a second, forward and backward.
        prediction: Images a second, forward only.
        start: Seconds from launch to the first step: imports, building, compiling.
    """

    training: float
    prediction: float
    start: float


@dataclass(frozen=True)
class Layers:
    """How many layers with weights a feature extractor has, those inside of others counted too.

    Attributes:
        every: All of them.
        convolution: Convolutions, depthwise and separable ones among them.
        batch_normalisation: Batch normalisations.
        layer_normalisation: Layer normalisations.
    """

    every: int
    convolution: int
    batch_normalisation: int = 0
    layer_normalisation: int = 0


class Figures(TypedDict):
    """What was counted and measured of a feature extractor; its entry has it under the same names."""

    parameters: int
    macs: int
    activations: int
    layers: Layers
    speed: Speed


@dataclass(frozen=True)
class Backbone:
    """A feature extractor by its name in the registry.

    Attributes:
        name: Its key in the registry and on the command line.
        title: Its name as the literature writes it.
        paper: Where it was published.
        licence: Licence of the architecture's code and, where they differ, of its published weights.
        minimum_size: Smallest height and width that it takes, in pixels.
        default_size: Height and width that its paper feeds it, in pixels.
        parameters: Weights of the feature extractor at 96x96, those that no optimiser changes among them.
        macs: Multiply-accumulates of the feature extractor for one image of 96x96.
        activations: Values that its layers put out for one image of 96x96, all together: what training holds.
        layers: How many layers of which type can be frozen.
        block_ends: The last layer of every block but the last, from the input on. A block is a row of the
            table in its paper: what lies between two of these in depth order belongs together.
        speed: What it costs, for the estimate before launch.
        architecture: Builds it: input shape and `"imagenet"` or None (random) to a `keras.Model` that takes
            0..255 values, normalises them itself, and returns features (n, C) or a map (n, h, w, C).
        imagenet: Where the published weights are, or None where there are none.
        ends_in_map: Whether a pooling follows it; otherwise it returns features.
        size_step: Pixels of height or width that change the shapes of its weights: sizes that hold it as
            many times have the same; None where the weights of one size fit every other.
    """

    name: str
    title: str
    paper: str
    licence: str
    minimum_size: int
    default_size: int
    parameters: int
    macs: int
    activations: int
    layers: Layers
    block_ends: tuple[str, ...]
    speed: Speed
    architecture: "Callable[[ImageShape, str | None], keras.Model]"
    imagenet: PublishedWeights | None = None
    ends_in_map: bool = True
    size_step: int | None = None

    @property
    def block_count(self) -> int:
        """Number of its blocks."""
        return len(self.block_ends) + 1

    def check_size(self, image_shape: ImageShape) -> None:
        """Refuse images that are too small.

        Raises:
            WbcError: The height or the width is below `minimum_size`.
        """
        height, width, _ = image_shape
        if min(height, width) < self.minimum_size:
            raise WbcError(
                f"The images are too small for {self.title}.",
                expected=f"at least {self.minimum_size} x {self.minimum_size} pixels",
                got=f"{height} x {width}",
                fix="Enlarge them with input_size=, or choose another backbone.",
            )

    def same_weights(self, one: ImageShape, other: ImageShape) -> bool:
        """Whether the weights of a network for images of one shape fit one for images of the other.

        Args:
            one: Height, width and channels, in pixels.
            other: The same.
        """
        step = self.size_step
        return step is None or [side // step for side in one[:2]] == [side // step for side in other[:2]]

    def blocks(self, extractor: "keras.Model") -> "list[list[keras.layers.Layer]]":
        """The layers with weights of each block, from the stem to the top.

        Args:
            extractor: What `build` returned, or the same opened from a file.
        """
        blocks: list[list[keras.layers.Layer]] = [[]]
        for layer in leaves(extractor):
            if layer.weights:
                blocks[-1].append(layer)
            if layer.name in self.block_ends:
                blocks.append([])
        return blocks

    def build(
        self, input_shape: ImageShape, weights: str = "random", workspace: Workspace | None = None
    ) -> "keras.Model":
        """Build the feature extractor, its normalisation included.

        Args:
            input_shape: Height, width and 3 channels.
            weights: `random`, `imagenet`, `file:PATH` or `run:ID`.
            workspace: Where the runs are, for `run:ID`.

        Returns:
            A model from (n, H, W, 3) values 0..255 to features (n, C) or (n, h, w, C), float32.

        Raises:
            WbcError: The images are too small, or the weights are not to be had or do not fit.
        """
        self.check_size(input_shape)
        source, argument = weights_source(weights)
        return source(self, input_shape, argument, workspace)
