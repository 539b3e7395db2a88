"""Settings that go well together, to start from."""

from dataclasses import dataclass, field

from wbc_core.registry import Registry
from wbc_core.training.setting import Value
from wbc_core.training.settings import SETTINGS
from wbc_core.training.spec import RunSpec


@dataclass(frozen=True)
class Preset:
    """Settings to start from.

    Attributes:
        title: Its name in a form.
        help: When to use it, in one sentence.
        backbones: The backbones that it proposes.
        changes: Settings that differ from the defaults of a spec.
    """

    title: str
    help: str
    backbones: tuple[str, ...]
    changes: dict[str, Value] = field(default_factory=dict)

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
    "report",
    Preset(
        "Report's settings",
        "As in the source report: AdamW, early stopping on validation accuracy, the learning rate halved "
        "on a plateau of the validation loss.",
        ("cnn", "mobilenet_v3_small"),
    ),
)
