"""Proposals for the form: runs that belong together, each as what differs from the defaults."""

from dataclasses import dataclass, field

from wbc_core.registry import Registry
from wbc_core.training.setting import Value
from wbc_core.training.settings import SETTINGS
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
        "Report's settings",
        "As in the source report: AdamW, early stopping on validation accuracy, the learning rate halved "
        "on a plateau of the validation loss.",
        ("cnn", "mobilenet_v3_small"),
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
