"""What the Launch page asks for: backbones, a preset, and the settings of the runs."""

from typing import Any

import streamlit as st

from app.components.page import plain
from wbc_core.backbones.registry import BACKBONES
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, PreparedSet, Split
from wbc_core.training.presets import PRESETS
from wbc_core.training.setting import Setting
from wbc_core.training.settings import SETTINGS
from wbc_core.training.spec import RunSpec

_MAIN = (
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "dropout",
    "early_stopping_patience",
    "seed",
)
_MORE = ("plateau_patience", "plateau_factor")
_VALIDATION = ("validation_shift", "validation_strength")


def _key(name: str) -> str:
    return f"launch-{name}"


def _apply_preset() -> None:
    preset = PRESETS.get(st.session_state[_key("preset")])
    st.session_state[_key("backbones")] = list(preset.backbones)
    for name, value in preset.values().items():
        st.session_state[_key(name)] = value


def backbones_and_preset() -> list[str]:
    """Draw the choice of preset and backbones.

    Returns:
        Names of the chosen backbones.
    """
    if _key("preset") not in st.session_state:
        st.session_state[_key("preset")] = PRESETS.names()[0]
        _apply_preset()
    preset = st.segmented_control(
        "Start from",
        PRESETS.names(),
        key=_key("preset"),
        format_func=lambda name: PRESETS.get(name).title,
        on_change=_apply_preset,
        required=True,
    )
    st.caption(PRESETS.get(preset).help)
    chosen = st.pills(
        "Backbones, one run each",
        BACKBONES.names(),
        key=_key("backbones"),
        selection_mode="multi",
        format_func=lambda name: BACKBONES.get(name).title,
    )
    for name in chosen:
        backbone = BACKBONES.get(name)
        st.caption(f"**{backbone.title}**: {plain(backbone.paper)}. Licence: {plain(backbone.licence)}.")
    return list(chosen)


def _field(setting: Setting) -> Any:
    if setting.kind == "choice":
        return st.segmented_control(
            setting.title,
            setting.choices,
            key=_key(setting.name),
            format_func=lambda choice: choice.replace("_", " ").capitalize(),
            help=setting.help,
            required=True,
        )
    whole = setting.kind == "int"
    number = int if whole else float
    return st.number_input(
        setting.title,
        min_value=number(setting.low),
        max_value=number(setting.high),
        step=number(setting.step),
        format="%d" if whole else "%g",
        key=_key(setting.name),
        help=f"{setting.help} {setting.allowed.capitalize()}.",
    )


def _weights(chosen: list[str]) -> str:
    published = [BACKBONES.get(name) for name in chosen if BACKBONES.get(name).imagenet]
    if not published:
        return "random"
    weights = st.segmented_control(
        "First weights",
        ("random", "imagenet"),
        key=_key("weights"),
        format_func={"random": "Random", "imagenet": "ImageNet"}.get,
        help=SETTINGS["weights"].help,
        required=True,
    )
    for backbone in published if weights == "imagenet" else []:
        missing = backbone.imagenet.missing()
        if missing:
            st.caption(f":material/cloud_download: {missing}")
    return weights


def settings(chosen: list[str], prepared: PreparedSet) -> dict[str, Any]:
    """Draw the settings that apply to the chosen backbones and the prepared set.

    Returns:
        Setting name to value.
    """
    # Where every class has as many images, weights would all be 1.
    names = [*_MAIN, "class_weight"] if len(set(prepared.classes)) > 1 else [*_MAIN]
    values: dict[str, Any] = {}
    # A row of two each: on a narrow screen they then follow in this order.
    for start in range(0, len(names), 2):
        for column, name in zip(st.columns(2, gap="small"), names[start : start + 2], strict=False):
            with column:
                values[name] = _field(SETTINGS[name])
    values["weights"] = _weights(chosen)
    with st.expander("When the validation loss stands still", icon=":material/trending_flat:"):
        for name in _MORE:
            values[name] = _field(SETTINGS[name])
    with st.expander("Which images choose the best epoch", icon=":material/contrast:"):
        for name in _VALIDATION:
            values[name] = _field(SETTINGS[name])
    return values


def specs(
    prepared: PreparedSet, chosen: list[str], values: dict[str, Any], dataset: Dataset
) -> list[RunSpec]:
    """The spec of one run for each backbone; weights stay random where a backbone has no published ones.

    Raises:
        WbcError: A value out of range, or images that a backbone cannot take.
    """
    made = []
    for name in chosen:
        backbone = BACKBONES.get(name)
        backbone.check_size(dataset.image_shape)
        own = values if backbone.imagenet else {**values, "weights": "random"}
        made.append(RunSpec(prepared=prepared.id, backbone=name, **own).checked())
    return made


def validation_warning(split: Split, dataset: Dataset) -> WbcError | None:
    """What is wrong with the classes or the held-out part of a split, if anything."""
    if sum(count > 0 for count in split.parts["train"]) < 2:
        return WbcError(
            "The train part holds fewer than two classes: there is nothing to tell apart.",
            fix="Import images of more classes.",
        )
    counts = split.parts.get("validation", [])
    missing = [name for name, count in zip(dataset.class_names, counts, strict=False) if not count]
    if not any(counts):
        return WbcError(
            "This split holds no images out for validation.", fix="Split again, for example 70/30."
        )
    if missing:
        return WbcError(
            f"No validation image of {', '.join(missing)}: the best epoch is chosen without looking at them.",
            fix="Split again with a larger validation part, or import more of them.",
        )
    return None
