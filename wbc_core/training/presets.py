"""Proposals for the form: runs that belong together, each as what differs from the defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wbc_core.backbones.registry import BACKBONES
from wbc_core.registry import Registry
from wbc_core.training.setting import Value
from wbc_core.training.settings import SETTINGS, read_settings
from wbc_core.training.spec import RunSpec


@dataclass(frozen=True)
class Preset:
    """A proposal.

    Attributes:
        title: Its name in the form.
        help: When to use it, in one sentence.
        backbones: The backbones that it proposes.
        changes: Settings that differ from the defaults of a spec.
        variants: What the runs of one backbone differ in; one run each.
    """

    title: str
    help: str
    backbones: tuple[str, ...]
    changes: dict[str, Value] = field(default_factory=dict)
    variants: tuple[dict[str, Value], ...] = ({},)

    def values(self) -> dict[str, Value]:
        """Every setting with its value."""
        defaults = RunSpec(prepared="", backbone="")
        return {name: self.changes.get(name, getattr(defaults, name)) for name in SETTINGS}


PRESETS = Registry[Preset]("preset")
PRESETS.add(
    "quick",
    Preset(
        "Quick on CPU",
        "Few epochs and an early end: a first answer within minutes on two cores.",
        ("cnn",),
        {"epochs": 10, "early_stopping_patience": 4, "plateau_patience": 2},
    ),
)
PRESETS.add(
    "best_small",
    Preset(
        "Best small",
        "The strongest small network of the lab: EfficientNet-Lite0 from its ImageNet weights, fine-tuned "
        "whole, with a cosine schedule, label smoothing and averaged weights, for the recipe `robust`.",
        ("efficientnet_lite0",),
        {
            "weights": "imagenet",
            "epochs": 18,
            "schedule": "cosine",
            "warmup_epochs": 1,
            "weight_decay": 0.02,
            "ema": 0.999,
            "label_smoothing": 0.1,
            "dropout": 0.2,
            "early_stopping_patience": 18,
            "validation_shift": "combined",
        },
    ),
)
PRESETS.add(
    "report",
    Preset(
        "Report's backbones",
        "The eight of the source report, with its settings: ImageNet weights where there are any, the head "
        "alone first, AdamW, early stopping on validation accuracy, the learning rate halved on a plateau of "
        "the validation loss.",
        (
            "cnn",
            "vgg16",
            "inception_v3",
            "resnet50",
            "densenet121",
            "densenet201",
            "convnext_base",
            "mobilenet_v3_large",
        ),
        {"weights": "imagenet", "head_epochs": 5, "epochs": 30, "learning_rate": 1e-4},
    ),
)
PRESETS.add(
    "report_freezing",
    Preset(
        "Report's freezing study",
        "One backbone, three runs, as in the source report: its head first and then all of it; the first "
        "half of its layers frozen by count; and its convolutions frozen by type.",
        ("mobilenet_v3_large",),
        {"weights": "imagenet", "head_epochs": 5, "epochs": 30, "learning_rate": 1e-4},
        ({"freeze": "none"}, {"freeze": "fraction:0.5"}, {"freeze": "type:convolution"}),
    ),
)


def with_published_weights(spec: RunSpec) -> RunSpec:
    """The run; trained whole from random weights where its backbone has no published ones."""
    if spec.weights != "imagenet" or BACKBONES.get(spec.backbone).imagenet is not None:
        return spec
    # Without learnt weights there is nothing to keep, and nothing for a head alone to learn from.
    return replace(spec, weights="random", freeze="none", head_epochs=0, unfreeze_every=0)


def missing_weights(specs: Sequence[RunSpec]) -> dict[str, str]:
    """Backbones of runs whose ImageNet weights are not at hand, each with where to get them, in words."""
    found = {}
    for spec in specs:
        published = BACKBONES.get(spec.backbone).imagenet
        if spec.weights == "imagenet" and published is not None and (words := published.missing()):
            found[spec.backbone] = words
    return found


def preset_specs(
    name: str, prepared: str, backbones: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> list[RunSpec]:
    """The runs that a preset proposes.

    Args:
        name: Name of the preset.
        prepared: Id of a prepared set.
        backbones: Other backbones than its own.
        settings: `key=value` settings that go before its own; its variants go before both.

    Raises:
        WbcError: There is no such preset, backbone or setting, or a value is out of range.

    Example:
        >>> [spec.backbone for spec in preset_specs("quick", "pr-0123456789ab")]
        ['cnn']
    """
    preset = PRESETS.get(name)
    given: dict[str, Any] = dict(read_settings(settings or {}))
    return [
        with_published_weights(
            RunSpec(prepared, backbone, **{**preset.changes, **given, **variant}).checked()
        )
        for backbone in backbones or preset.backbones
        for variant in preset.variants
    ]
