"""What can be set for a run, in which range: read by the parser and by the form alike."""

import difflib
from collections.abc import Callable, Mapping

from wbc_core.augment.shifts import SHIFTS
from wbc_core.backbones.freezing import parse_freezing
from wbc_core.backbones.pooling import POOLINGS
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import weights_source, with_absolute_path
from wbc_core.balance.weights import WEIGHTINGS
from wbc_core.errors import WbcError
from wbc_core.training.losses import LOSSES
from wbc_core.training.optimisers import OPTIMISERS, PRECISIONS
from wbc_core.training.schedules import SCHEDULES
from wbc_core.training.setting import Setting, Value, Values


def hidden_units(text: str) -> tuple[int, ...]:
    """Units of the layers between the features and the classes.

    Args:
        text: `none`, or at most four numbers from 1 to 4096 joined by `+`.

    Raises:
        WbcError: It is not written so.

    Example:
        >>> hidden_units("256+128"), hidden_units("none")
        ((256, 128), ())
    """
    if text == "none":
        return ()
    words = text.split("+")
    if len(words) > 4 or not all(
        word.isdecimal() and len(word) <= 4 and 1 <= int(word) <= 4096 for word in words
    ):
        raise WbcError(
            f"hidden_layers cannot be {text!r}.",
            expected="none, or at most four numbers of units from 1 to 4096 joined by +",
            fix="Correct hidden_layers=.",
        )
    return tuple(int(word) for word in words)


GROUPS = {
    "network": "Network",
    "fine_tuning": "Fine-tuning",
    "optimisation": "Optimisation",
    "loss": "Loss",
    "stopping": "When it ends",
    "validation": "Which images choose the best epoch",
}
"""Title of each group of settings, in the order of a form."""


def _when(name: str, *values: Value) -> Callable[[Values], bool]:
    return lambda chosen: chosen.get(name) in values


def _above_zero(name: str) -> Callable[[Values], bool]:
    return lambda chosen: float(chosen.get(name, 0)) > 0


def _pools(chosen: Values) -> bool:
    backbone = chosen.get("backbone")  # none is chosen yet where a setting is read by itself
    return backbone is None or BACKBONES.get(str(backbone)).ends_in_map


def _fine_tunes(chosen: Values) -> bool:
    return chosen.get("freeze") != "all"


_SETTINGS = (
    Setting(
        "weights",
        "First weights",
        "network",
        "text",
        "Where the backbone's weights come from.",
        check_text=weights_source,
        form="random, imagenet, file:PATH or run:ID",
    ),
    Setting(
        "input_size",
        "Input size",
        "network",
        "int",
        "Height and width in pixels that the network resizes images to; 0 takes them as they are.",
        0,
        1024,
        32,
    ),
    Setting(
        "pooling",
        "Pooling",
        "network",
        "choice",
        "How the backbone's map becomes one row of features; GeM is the generalised mean, of the third power "
        "or of one that is learnt.",
        choices=tuple(POOLINGS.names()),
        titles={"gem": "GeM, third power", "gem_learnt": "GeM, power learnt", "both": "Average and max"},
        applies=_pools,
    ),
    Setting(
        "hidden_layers",
        "Hidden layers",
        "network",
        "text",
        "Units of the layers between the features and the classes.",
        check_text=hidden_units,
        form="none, or units joined by +, such as 256 or 256+128",
    ),
    Setting(
        "dropout",
        "Dropout",
        "network",
        "float",
        "Share of features dropped before the classifier.",
        0.0,
        0.95,
        0.05,
    ),
    Setting(
        "freeze",
        "Frozen layers",
        "fine_tuning",
        "text",
        "What of the backbone keeps its first weights to the end.",
        check_text=parse_freezing,
        form="none, all, count:N, blocks:N, fraction:F, or type:convolution, type:batch_normalisation, "
        "type:layer_normalisation, joined by +",
    ),
    Setting(
        "head_epochs",
        "Epochs of the head alone",
        "fine_tuning",
        "int",
        "So many epochs come first in which the backbone is frozen whole.",
        0,
        1000,
        applies=_fine_tunes,
    ),
    Setting(
        "head_learning_rate",
        "Learning rate of the head alone",
        "fine_tuning",
        "float",
        "Step size while the backbone is frozen whole, unless it stays so to the end.",
        1e-7,
        1.0,
        1e-4,
        applies=lambda chosen: _fine_tunes(chosen) and _above_zero("head_epochs")(chosen),
    ),
    Setting(
        "unfreeze_every",
        "Unfreeze a block every",
        "fine_tuning",
        "int",
        "Epochs after which one more block of the backbone trains, from the last on; 0: all at once.",
        0,
        100,
        applies=_fine_tunes,
    ),
    Setting(
        "layer_decay",
        "Layer-wise decay",
        "fine_tuning",
        "float",
        "What the learning rate is multiplied by for each block further from the head; 1: the same for all.",
        0.1,
        1.0,
        0.05,
        applies=_fine_tunes,
    ),
    Setting(
        "epochs", "Epochs", "optimisation", "int", "At most so many passes over the prepared images.", 1, 1000
    ),
    Setting("batch_size", "Batch size", "optimisation", "int", "Images a step.", 1, 1024),
    Setting(
        "accumulation",
        "Gradient accumulation",
        "optimisation",
        "int",
        "Steps whose gradients are averaged before the weights move.",
        1,
        64,
    ),
    Setting(
        "optimiser",
        "Optimiser",
        "optimisation",
        "choice",
        "How the weights follow the gradients.",
        choices=OPTIMISERS,
        titles={"adamw": "AdamW", "sgd": "SGD"},
    ),
    Setting("learning_rate", "Learning rate", "optimisation", "float", "Largest step size.", 1e-7, 1.0, 1e-4),
    Setting(
        "momentum",
        "Momentum",
        "optimisation",
        "float",
        "Share of the last step in the next.",
        0.0,
        0.999,
        0.05,
        applies=_when("optimiser", "sgd"),
    ),
    Setting(
        "weight_decay",
        "Weight decay",
        "optimisation",
        "float",
        "Decoupled decay of the weights, a step, times the learning rate.",
        0.0,
        1.0,
        1e-4,
        applies=_when("optimiser", "adamw", "sgd", "lion"),
    ),
    Setting(
        "gradient_clipping",
        "Gradient clipping",
        "optimisation",
        "float",
        "Largest norm of all gradients together; 0: no limit.",
        0.0,
        1000.0,
        0.5,
    ),
    Setting(
        "ema",
        "Weight averaging",
        "optimisation",
        "float",
        "Momentum of the moving average of the weights that is validated and kept; 0: no average.",
        0.0,
        0.9999,
        0.01,
    ),
    Setting(
        "schedule",
        "Schedule",
        "optimisation",
        "choice",
        "How the learning rate changes: lowered on a plateau of the validation loss, a cosine to 0, one "
        "cycle up and down, or not at all.",
        choices=SCHEDULES,
    ),
    Setting(
        "warmup_epochs",
        "Warm-up",
        "optimisation",
        "int",
        "Epochs over which the learning rate rises from 0.",
        0,
        100,
        applies=_when("schedule", "cosine", "constant", "plateau"),
    ),
    Setting(
        "plateau_patience",
        "Plateau patience",
        "optimisation",
        "int",
        "Lower the learning rate after so many epochs without a lower validation loss.",
        1,
        1000,
        applies=_when("schedule", "plateau"),
    ),
    Setting(
        "plateau_factor",
        "Plateau factor",
        "optimisation",
        "float",
        "What the learning rate is multiplied by then.",
        0.01,
        0.99,
        0.1,
        applies=_when("schedule", "plateau"),
    ),
    Setting(
        "precision",
        "Precision",
        "optimisation",
        "choice",
        "Of the arithmetic inside the network; its weights stay float32. Half precision is for GPUs, "
        "and float16 needs one.",
        choices=PRECISIONS,
        titles={name: name for name in PRECISIONS},
    ),
    Setting(
        "loss",
        "Loss",
        "loss",
        "choice",
        "What the training makes small.",
        choices=LOSSES,
        titles={"cross_entropy": "Cross-entropy", "logit_adjusted": "Logit-adjusted"},
    ),
    Setting(
        "label_smoothing",
        "Label smoothing",
        "loss",
        "float",
        "Share of each label that is spread over all classes.",
        0.0,
        0.5,
        0.05,
    ),
    Setting(
        "focal_gamma",
        "Focal gamma",
        "loss",
        "float",
        "How much less an image counts that the network is sure of.",
        0.0,
        10.0,
        0.5,
        applies=_when("loss", "focal"),
    ),
    Setting(
        "class_weight",
        "Class weight",
        "loss",
        "choice",
        "Recipe: as its balance plan says. Balanced: a class counts in inverse proportion to its images. "
        "Effective number: the same, up to a limit (the class-balanced loss).",
        choices=("recipe", *WEIGHTINGS),
    ),
    Setting(
        "early_stopping_patience",
        "Patience",
        "stopping",
        "int",
        "Stop after so many epochs without a better validation accuracy.",
        1,
        1000,
    ),
    Setting(
        "validation_shift",
        "Validation shift",
        "validation",
        "choice",
        "Shift the validation images as the robustness report does, so that the best epoch is chosen by it.",
        choices=("none", *SHIFTS.names()),
        titles={name: shift.title for name, shift in SHIFTS.items()},
    ),
    Setting(
        "validation_strength",
        "Validation shift strength",
        "validation",
        "int",
        "1 hardly seen, 5 hard to read.",
        1,
        5,
        applies=lambda chosen: chosen.get("validation_shift") != "none",
    ),
    Setting("seed", "Seed", "stopping", "int", "Same seed, same run on the same machine.", 0, 2**31 - 1),
)

SETTINGS: dict[str, Setting] = {setting.name: setting for setting in _SETTINGS}


def read_settings(settings: Mapping[str, str]) -> dict[str, Value]:
    """Read `key=value` settings; the path of a file of weights is from here on an absolute one.

    Raises:
        WbcError: An unknown key, or a value of the wrong type or out of range.

    Example:
        >>> read_settings({"epochs": "3", "learning_rate": "1e-3"})
        {'epochs': 3, 'learning_rate': 0.001}
    """
    for name in settings:
        if name not in SETTINGS:
            near = difflib.get_close_matches(name, SETTINGS, n=1)
            raise WbcError(
                f"A run has no setting named {name!r}.",
                expected=f"one of {', '.join(SETTINGS)}",
                fix=f"Did you mean {near[0]}?" if near else "Check the spelling.",
            )
    values = {name: SETTINGS[name].read(text) for name, text in settings.items()}
    return values | ({"weights": with_absolute_path(str(values["weights"]))} if "weights" in values else {})
