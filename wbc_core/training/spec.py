"""The spec of a run: everything that it depends on, written once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from wbc_core.backbones.registry import BACKBONES
from wbc_core.records import Record
from wbc_core.training.settings import SETTINGS, read_settings


@dataclass(frozen=True)
class RunSpec(Record):
    """Everything that a run depends on.

    Attributes:
        prepared: Id of the prepared set that is learnt from.
        backbone: Name in the registry of backbones.
        weights: Where the backbone's first weights come from.
        epochs: Largest number of passes over the prepared images.
        batch_size: Images a step.
        learning_rate: Step size of AdamW at the start.
        weight_decay: Decoupled weight decay of AdamW (Loshchilov & Hutter, ICLR 2019).
        dropout: Share of features dropped before the classifier while training.
        class_weight: `recipe`: what the balance plan of the prepared set says; `none`; or one of
            `wbc_core.balance.weights`.
        early_stopping_patience: Epochs without a better validation accuracy after which it ends.
        plateau_patience: Epochs without a lower validation loss after which the learning rate falls.
        plateau_factor: What the learning rate is multiplied by then.
        validation_shift: `none`, or the shift that the validation images are put through; RandAugment is the
            source report's own validation.
        validation_strength: Strength of that shift, 1 to 5.
        seed: Seed of the first weights, of the order of images and of dropout.
    """

    prepared: str
    backbone: str
    weights: str = "random"
    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    dropout: float = 0.3
    class_weight: str = "recipe"
    early_stopping_patience: int = 8
    plateau_patience: int = 3
    plateau_factor: float = 0.5
    validation_shift: str = "none"
    validation_strength: int = 3
    seed: int = 0

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
            WbcError: An unknown backbone, or a value of the wrong type or out of range.
        """
        BACKBONES.get(self.backbone)
        for name, setting in SETTINGS.items():
            setting.check(getattr(self, name))
        return self
