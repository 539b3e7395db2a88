"""The spec of a run: everything that it depends on, written once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from wbc_core.backbones.entry import ImageShape
from wbc_core.backbones.freezing import check_freezing
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.records import Record
from wbc_core.training.settings import SETTINGS, read_settings

NO_PREPARED_YET = "pr-000000000000"
"""Stands in the spec of a run whose prepared set is still to be made or chosen."""


@dataclass(frozen=True)
class RunSpec(Record):
    """Everything that a run depends on.

    Attributes:
        prepared: Id of the prepared set that is learnt from.
        backbone: Name in the registry of backbones.
        weights: Where the backbone's first weights come from: `random`, `imagenet`, `file:PATH` or `run:ID`.
        input_size: Height and width that the network resizes images to, in pixels; 0 takes them as they are.
        pooling: `average`, `max`, `both`, `gem` or `gem_learnt`.
        hidden_layers: `none`, or the units of the layers before the classifier joined by `+`.
        dropout: Share of features dropped before the classifier while training.
        freeze: What of the backbone keeps its first weights, as in `wbc_core.backbones.freezing`.
        head_epochs: First epochs, in which the backbone is frozen whole.
        head_learning_rate: Step size in these.
        unfreeze_every: Epochs after which one more block of the backbone trains, from the last to the first
            (Howard & Ruder, ULMFiT, ACL 2018, section 3.3); 0 for all at once.
        layer_decay: Factor of the learning rate for each block further from the head.
        epochs: Largest number of passes over the prepared images, those of the head alone included.
        batch_size: Images a step.
        accumulation: Steps whose gradients are averaged before the weights move.
        optimiser: `adamw`, `adam`, `sgd` or `lion`.
        learning_rate: Largest step size.
        momentum: Of `sgd`.
        weight_decay: Decoupled weight decay (Loshchilov & Hutter, ICLR 2019); biases and normalisation layers
            do not decay.
        gradient_clipping: Largest norm of all gradients together; 0 for no limit.
        ema: Momentum of the average of the weights (Polyak & Juditsky 1992) that is validated and kept; 0 for
            none.
        schedule: `plateau`, `cosine`, `one_cycle` or `constant`, as in `wbc_core.training.schedules`.
        warmup_epochs: Epochs over which the learning rate rises from 0.
        plateau_patience: Epochs without a lower validation loss after which the learning rate falls.
        plateau_factor: What the learning rate is multiplied by then.
        precision: Of the arithmetic: `float32`, `bfloat16` or `float16`; the weights stay float32.
        loss: `cross_entropy`, `focal` or `logit_adjusted`.
        label_smoothing: Share of a label that is spread over all classes (Szegedy et al., CVPR 2016,
            section 7).
        focal_gamma: Exponent of the focal loss.
        class_weight: `recipe`: what the balance plan of the prepared set says; `none`; or one of
            `wbc_core.balance.weights`.
        early_stopping_patience: Epochs without a better validation accuracy after which it ends.
        validation_shift: `none`, or the shift that the validation images are put through; RandAugment is the
            source report's own validation.
        validation_strength: Strength of that shift, 1 to 5.
        seed: Seed of the first weights, of the order of images and of dropout.
    """

    prepared: str
    backbone: str
    weights: str = "random"
    input_size: int = 0
    pooling: str = "average"
    hidden_layers: str = "none"
    dropout: float = 0.3
    freeze: str = "none"
    head_epochs: int = 0
    head_learning_rate: float = 1e-3
    unfreeze_every: int = 0
    layer_decay: float = 1.0
    epochs: int = 30
    batch_size: int = 32
    accumulation: int = 1
    optimiser: str = "adamw"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 1e-4
    gradient_clipping: float = 0.0
    ema: float = 0.0
    schedule: str = "plateau"
    warmup_epochs: int = 0
    plateau_patience: int = 3
    plateau_factor: float = 0.5
    precision: str = "float32"
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0
    focal_gamma: float = 2.0
    class_weight: str = "recipe"
    early_stopping_patience: int = 8
    validation_shift: str = "none"
    validation_strength: int = 3
    seed: int = 0

    @property
    def first_main_epoch(self) -> int:
        """The first epoch, from 0, that is not one of the head alone before the backbone trains too."""
        return 0 if self.freeze == "all" else min(self.head_epochs, self.epochs)

    @classmethod
    def parse(cls, prepared: str, backbone: str, settings: Mapping[str, str]) -> Self:
        """Build a spec from `key=value` settings.

        Args:
            prepared: Id of a prepared set.
            backbone: Name of a backbone.
            settings: Names and values as text; what is left out keeps its default.

        Raises:
            WbcError: An unknown backbone or key (the valid ones are listed), or a value out of range.

        Example:
            >>> RunSpec.parse("pr-0123456789ab", "cnn", {"epochs": "3"}).epochs
            3
        """
        values: dict[str, Any] = dict(read_settings(settings))
        return cls(prepared=prepared, backbone=backbone, **values).checked()

    def checked(self) -> Self:
        """Return the spec if every value is allowed.

        Raises:
            WbcError: An unknown backbone, a value of the wrong type or out of range, or more frozen blocks
                or layers than there are.
        """
        BACKBONES.get(self.backbone)
        for name, setting in SETTINGS.items():
            setting.check(getattr(self, name))
        check_freezing(self.freeze, self.backbone)
        if self.freeze != "all" and self.head_epochs >= self.epochs:
            raise WbcError(
                "The backbone would never train.",
                expected=f"head_epochs below epochs={self.epochs}, or freeze=all",
                got=f"head_epochs={self.head_epochs}",
                fix="Correct head_epochs=.",
            )
        return self

    def backbone_shape(self, image_shape: ImageShape) -> ImageShape:
        """What the backbone sees of images: their shape at the size that the network resizes them to.

        Args:
            image_shape: Height, width and 3 channels of the images, in pixels.
        """
        return (self.input_size, self.input_size, 3) if self.input_size else image_shape

    def check_images(self, image_shape: ImageShape) -> None:
        """Refuse images that the backbone cannot take at the size that the network resizes them to.

        Args:
            image_shape: Height, width and 3 channels of the images, in pixels.

        Raises:
            WbcError: They are too small, or `input_size` makes them so.
        """
        BACKBONES.get(self.backbone).check_size(self.backbone_shape(image_shape))
