"""The operations of a recipe as cards in two stages: opened one at a time, moved, copied, taken out."""

from collections.abc import Sequence

import streamlit as st

from app.components import recipe_draft
from app.components.recipe_draft import Card
from app.formatting import plain
from wbc_core.augment.operations import Parameter
from wbc_core.augment.recipe import online_operation

_STYLE = """<style>
[class*="st-key-card-head-"] { flex-wrap: nowrap; }
[class*="st-key-card-head-"] [data-testid="stElementContainer"]:first-child { min-width: 0; }
[class*="st-key-card-open-"] :is(button, button > div, button > div > span) {
  justify-content: flex-start; text-align: left; width: 100%; }
[class*="st-key-card-"] button p { overflow-wrap: anywhere; }
[class*="st-key-card-box-"] { padding: .3rem .7rem; }
</style>"""
_TITLES = {
    "operations": ("Copies made once", "Each adds one changed copy of every image, written when preparing."),
    "online": (
        "Drawn anew each epoch",
        "Applied one after the other while a network trains; mixes blend two images and their labels.",
    ),
}


def draw(class_names: Sequence[str]) -> None:
    """Draw both stages.

    Args:
        class_names: Class names of the data set, in label order.
    """
    st.html(_STYLE)
    for stage, (title, purpose) in _TITLES.items():
        with st.container(gap="small"):
            st.markdown(f"**{title}**", help=purpose)
            # In a box of their own, so that one more of them does not push the widget below out of its place.
            box = st.container(gap="small")
            key = recipe_draft.adding_key(stage)
            # Sent before the cards: once an added one is seen, the field below it is the next one already.
            st.selectbox(
                f"Add to {title.lower()}",
                recipe_draft.addable(stage),
                index=None,
                format_func=lambda name: online_operation(name).title,
                placeholder="Add an operation",
                key=key,
                on_change=recipe_draft.add,
                args=(stage, key),
                label_visibility="collapsed",
            )
            with box:
                cards = recipe_draft.cards(stage)
                for place, card in enumerate(cards):
                    with st.container(border=True, gap="small", key=f"card-box-{card.id}"):
                        _head(stage, place, card, last=place == len(cards) - 1)
                        if recipe_draft.opened() == (stage, place):
                            _body(stage, place, card, class_names)


def summary(card: Card) -> str:
    """What a closed card says beside its title: for how many images it is, where not for all."""
    operation = card.operation
    facts = [f"{operation.probability:.0%}"] if operation.probability < 1 else []
    facts += [", ".join(operation.classes)] if operation.classes else []
    return " · ".join(facts)


def _head(stage: str, place: int, card: Card, *, last: bool) -> None:
    kind = online_operation(card.operation.name)
    is_open = recipe_draft.opened() == (stage, place)
    facts = summary(card)
    with st.container(horizontal=True, gap=None, vertical_alignment="center", key=f"card-head-{card.id}"):
        st.button(
            f"**{kind.title}**" + (f" :gray[{plain(facts)}]" if facts else ""),
            key=f"card-open-{card.id}",
            type="tertiary",
            icon=":material/expand_more:" if is_open else ":material/chevron_right:",
            width="stretch",
            on_click=recipe_draft.open_or_close,
            args=(card.id,),
            help=f"{kind.effect} Follows {plain(kind.source)}.",
        )
        for name, icon, by, disabled in (
            ("Move up", ":material/arrow_upward:", -1, place == 0),
            ("Move down", ":material/arrow_downward:", 1, last),
        ):
            st.button(
                "",
                key=f"card-move-{by}-{card.id}",
                type="tertiary",
                icon=icon,
                disabled=disabled,
                on_click=recipe_draft.move,
                args=(stage, place, by),
                help=f"{name}: {kind.title}",
            )


def _body(stage: str, place: int, card: Card, class_names: Sequence[str]) -> None:
    kind = online_operation(card.operation.name)
    st.caption(kind.effect, help=f"Follows {plain(kind.source)}.")
    for parameter in kind.parameters:
        _slider(stage, place, card, parameter)
    key = f"recipe_{card.id}_share"
    st.slider(
        "Share of images",
        0,
        100,
        round(100 * card.operation.probability),
        5,
        format="%d %%",
        key=key,
        on_change=recipe_draft.set_share,
        args=(stage, place, key),
        help="Images that it is not applied to stay as they are.",
    )
    key = f"recipe_{card.id}_classes"
    st.multiselect(
        "Classes",
        list(dict.fromkeys([*class_names, *card.operation.classes])),
        card.operation.classes,
        placeholder="All classes",
        key=key,
        on_change=recipe_draft.set_classes,
        args=(stage, place, key),
        wrap=True,
    )
    with st.container(horizontal=True):
        for label, icon, change in (
            ("Duplicate", ":material/content_copy:", recipe_draft.duplicate),
            ("Remove", ":material/delete:", recipe_draft.remove),
        ):
            st.button(label, key=f"card-{label}-{card.id}", icon=icon, on_click=change, args=(stage, place))


def number_format(parameter: Parameter) -> str:
    """How a slider writes its numbers: no more digits than its step has.

    Example:
        >>> number_format(Parameter("degrees", "Angle", 0.0, 0.0, 180.0, 5.0, "degrees", "turns further"))
        '%.0f'
    """
    digits = f"{parameter.step:g}".partition(".")[2]
    return f"%.{len(digits)}f"


def _slider(stage: str, place: int, card: Card, parameter: Parameter) -> None:
    key = f"recipe_{card.id}_{parameter.name}"
    st.slider(
        f"{parameter.title} ({parameter.unit})",
        parameter.low,
        parameter.high,
        card.operation.parameters[parameter.name],
        parameter.step,
        format=number_format(parameter),
        key=key,
        on_change=recipe_draft.set_parameter,
        args=(stage, place, parameter.name, key),
        help=f"Higher: {parameter.effect}.",
    )
