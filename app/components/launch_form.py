"""What the Launch page asks for: a preset, backbones, and the settings that apply to them."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import streamlit as st

from app import state
from app.components.page import plain
from wbc_core.backbones.freezing import does_as_it_says
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import with_absolute_path
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, PreparedSet, Split
from wbc_core.training.presets import PRESETS, with_published_weights
from wbc_core.training.setting import Setting
from wbc_core.training.settings import GROUPS, SETTINGS
from wbc_core.training.spec import RunSpec

_MAIN = ("weights", "epochs", "learning_rate", "batch_size", "early_stopping_patience", "seed")
"""Settings in sight; the others lie under the titles of their groups."""
_SUGGESTED = {
    "weights": ("random", "imagenet"),
    "freeze": (
        "none",
        "all",
        "blocks:2",
        "fraction:0.5",
        "type:convolution",
        "type:batch_normalisation",
        "type:layer_normalisation",
    ),
    "hidden_layers": ("none", "128", "256", "256+128"),
}
_FEW = 2
"""Backbones that are described in sight."""
_VARIANTS = "launch-variants"
_CLONES = "launch-clones"
_SOURCE = "launch-source"
"""Key of what the form was filled from, in words, where that is no preset."""


def _key(name: str) -> str:
    return f"launch-{name}"


def _fill(backbones: list[str], values: Mapping[str, Any]) -> None:
    st.session_state[_key("backbones")] = backbones
    for name in SETTINGS:
        st.session_state[_key(name)] = values[name]


def _apply_preset() -> None:
    preset = PRESETS.get(st.session_state[_key("preset")])
    forget_origin()
    st.session_state[_VARIANTS] = [variant for variant in preset.variants if variant]
    _fill(list(preset.backbones), preset.values())


def _first_preset() -> str:
    """The strongest one whose weights are at hand."""
    small = BACKBONES.get(PRESETS.get("best_small").backbones[0])
    at_hand = small.imagenet is not None and small.imagenet.missing() is None
    return "best_small" if at_hand else "quick"


def fill_from(spec: RunSpec, source: str) -> None:
    """Have the form show a run's backbone and settings, and no preset as chosen.

    Args:
        spec: The run.
        source: What it comes from, in words.
    """
    forget_origin()
    st.session_state[_VARIANTS] = []
    st.session_state[_key("preset")] = None
    st.session_state[_SOURCE] = source
    _fill([spec.backbone], spec.to_json())


def take_clone() -> bool:
    """Fill the form from the run that another page asked to begin with; whether there was one."""
    cloned = state.take_clone()
    if cloned:
        fill_from(RunSpec.from_json(cloned), cloned["source"])
        st.session_state[_CLONES] = cloned
    return cloned is not None


def origin(spec: RunSpec) -> dict[str, str]:
    """What a launched job's spec says of the training that the form was filled from; else empty."""
    cloned = st.session_state.get(_CLONES)
    if not cloned or not cloned.get("clones") or cloned["backbone"] != spec.backbone:
        return {}
    return {"clones": cloned["clones"]}


def forget_origin() -> None:
    """From here on the form is filled by hand: what is launched next is no clone."""
    st.session_state.pop(_CLONES, None)


def _begun_from(preset: str | None) -> str:
    """What the form was filled from, and what was changed since where that is a preset."""
    if preset is None:
        return f"Filled from **{plain(st.session_state[_SOURCE])}**; a preset fills it anew."
    values = PRESETS.get(preset).values()
    changed = [SETTINGS[name].title for name in SETTINGS if st.session_state[_key(name)] != values[name]]
    return PRESETS.get(preset).help + (f" **Changed here:** {', '.join(changed)}." if changed else "")


def backbones_and_preset() -> list[str]:
    """Draw the choice of preset and backbones.

    Returns:
        Names of the chosen backbones.
    """
    if _key("preset") not in st.session_state:
        st.session_state[_key("preset")] = _first_preset()
        _apply_preset()
    preset = st.segmented_control(
        "Start from",
        PRESETS.names(),
        key=_key("preset"),
        persist_state="session",
        format_func=lambda name: PRESETS.get(name).title,
        on_change=_apply_preset,
        required=True,
    )
    st.caption(_begun_from(preset))
    chosen = st.pills(
        "Backbones, one run each",
        BACKBONES.names(),
        key=_key("backbones"),
        persist_state="session",
        selection_mode="multi",
        wrap=True,
        format_func=lambda name: BACKBONES.get(name).title,
    )
    with st.expander("About these backbones") if len(chosen) > _FEW else nullcontext():
        for name in chosen:
            backbone = BACKBONES.get(name)
            st.caption(
                f"**{backbone.title}**: {backbone.parameters / 1e6:.3g} M parameters, "
                f"{backbone.macs / 1e6:,.0f} M multiply-accumulates an image of 96 x 96; "
                f"its paper feeds it {backbone.default_size} x {backbone.default_size}. "
                f"{plain(backbone.paper)}. Licence: {plain(backbone.licence)}."
            )
    return list(chosen)


def _suggestions(name: str) -> tuple[str, ...]:
    """Values of a text to choose from: what fits one of the chosen backbones, and what there is now."""
    offered, chosen = _SUGGESTED[name], st.session_state[_key("backbones")]
    if name == "freeze" and chosen:
        offered = tuple(text for text in offered if any(does_as_it_says(text, own) for own in chosen))
    return tuple(dict.fromkeys((*offered, st.session_state[_key(name)])))


def _field(setting: Setting) -> Any:
    if setting.kind == "choice":
        return st.selectbox(
            setting.title,
            setting.choices,
            key=_key(setting.name),
            persist_state="session",
            format_func=setting.title_of,
            help=setting.help,
        )
    if setting.kind == "text":
        return st.selectbox(
            setting.title,
            _suggestions(setting.name),
            key=_key(setting.name),
            persist_state="session",
            accept_new_options=True,
            help=f"{setting.help} {plain(setting.form)}.",
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
        persist_state="session",
        help=f"{setting.help} {setting.allowed.capitalize()}.",
    )


def _fields(names: list[str], values: dict[str, Any]) -> None:
    """Draw settings in rows of two: on a narrow screen they then follow in this order."""
    for start in range(0, len(names), 2):
        for column, name in zip(st.columns(2, gap="small"), names[start : start + 2], strict=False):
            with column:
                values[name] = _field(SETTINGS[name])


def settings(prepared: PreparedSet, chosen: list[str]) -> dict[str, Any]:
    """Draw the settings that apply to each other, to the chosen backbones and to the prepared set.

    Returns:
        Every setting's name with its value; one that does not apply keeps what it had.
    """
    # Every field persists in the session: what does not apply now may apply after the next change.
    values: dict[str, Any] = {name: st.session_state[_key(name)] for name in SETTINGS}
    varied = {name for variant in st.session_state[_VARIANTS] for name in variant}
    # Where every class has as many images, weights would all be 1.
    without_effect = set() if len(set(prepared.classes)) > 1 else {"class_weight"}
    beside = [{**values, "backbone": name} for name in chosen] or [values]
    drawn = [
        name
        for name, setting in SETTINGS.items()
        if any(map(setting.applies, beside)) and name not in varied | without_effect
    ]
    _fields([name for name in _MAIN if name in drawn], values)
    for group, title in GROUPS.items():
        names = [name for name in drawn if SETTINGS[name].group == group and name not in _MAIN]
        if names:
            with st.expander(title):
                _fields(names, values)
    return values


def variants() -> list[dict[str, Any]]:
    """Draw what the runs of one backbone differ in, where a preset proposes several.

    Returns:
        Settings of each run that differ from the form; one empty entry where there is one run a backbone.
    """
    proposed: list[dict[str, Any]] = st.session_state[_VARIANTS]
    if not proposed:
        return [{}]
    lines = [", ".join(f"{name} = {value}" for name, value in variant.items()) for variant in proposed]
    with st.container(border=True, gap="small"):
        st.markdown(f"Each backbone is trained **{len(proposed)} times**, with")
        st.markdown("\n".join(f"- {plain(line)}" for line in lines))
        if st.button("Train each once", icon=":material/filter_1:", key="launch-once"):
            st.session_state[_VARIANTS] = []
            st.rerun()
    return proposed


def specs(
    prepared: PreparedSet,
    chosen: list[str],
    values: Mapping[str, Any],
    different: list[dict[str, Any]],
) -> list[RunSpec]:
    """The specs of the runs; weights stay random where a backbone has no published ones.

    Raises:
        WbcError: A value out of range.
    """
    # The worker was perhaps started in another folder than the server.
    values = {**values, "weights": with_absolute_path(values["weights"])}
    return [
        with_published_weights(RunSpec(prepared=prepared.id, backbone=name, **{**values, **more}).checked())
        for name in chosen
        for more in different
    ]


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
