"""The recipe in the making: its cards in session state, so that closed ones and other pages keep it."""

import itertools
from dataclasses import dataclass, replace

import streamlit as st

from wbc_core.augment.keras_cv_engine import LAYERS
from wbc_core.augment.mixes import MIXES
from wbc_core.augment.operations import OPERATIONS
from wbc_core.augment.recipe import PRESETS, check_recipe, online_operation
from wbc_core.records import Json, Operation, Recipe

STAGES = ("operations", "online")

_CARDS, _OPEN, _NEXT = "recipe_cards", "recipe_open", "recipe_next_card"
# Of the recipe last loaded: its plan, and what the form keeps but does not show.
_UNSHOWN = "recipe_unshown"
_ADDED = "recipe_added_{}"
_LARGEST_SEED = 2**32 - 1


@dataclass
class Card:
    """One operation of the draft; its id never changes, wherever it is moved."""

    id: int
    operation: Operation


def _new(operation: Operation) -> Card:
    counter = st.session_state.setdefault(_NEXT, itertools.count())
    return Card(next(counter), operation)


def fill(recipe: Recipe) -> None:
    """Put a recipe into the draft; the first card that has sliders is open."""
    recipe = check_recipe(recipe)
    st.session_state["recipe_name"] = recipe.name
    st.session_state["recipe_balance"] = recipe.balance
    st.session_state["recipe_seed"] = recipe.seed
    st.session_state["recipe_engine"] = recipe.engine
    st.session_state[_UNSHOWN] = (recipe.balance, recipe.balance_parameters, recipe.leaky)
    filled = {stage: [_new(operation) for operation in getattr(recipe, stage)] for stage in STAGES}
    st.session_state[_CARDS] = filled
    every = [card for stage in STAGES for card in filled[stage]]
    every.sort(key=lambda card: not card.operation.parameters)
    st.session_state[_OPEN] = every[0].id if every else None


def cards(stage: str) -> list[Card]:
    """The cards of a stage, in their order."""
    return st.session_state.get(_CARDS, {}).get(stage, [])


def opened() -> tuple[str, int] | None:
    """Stage and place of the open card; None where none is open."""
    for stage in STAGES:
        for place, card in enumerate(cards(stage)):
            if card.id == st.session_state.get(_OPEN):
                return stage, place
    return None


def recipe() -> Recipe:
    """The draft as a recipe; a preset that was changed gets a name of its own.

    Raises:
        WbcError: Something in it is not valid, such as its name.
    """
    chosen = st.session_state
    balance = chosen.get("recipe_balance", "none")
    plan, parameters, leaky = chosen.get(_UNSHOWN, ("", {}, False))
    made = check_recipe(
        Recipe(
            name=chosen.get("recipe_name", ""),
            balance=balance,
            operations=tuple(card.operation for card in cards("operations")),
            seed=int(chosen.get("recipe_seed", 0)),
            online=tuple(card.operation for card in cards("online")),
            # Parameters are a plan's own: another plan starts without.
            balance_parameters=parameters if plan == balance else {},
            leaky=leaky,
            engine=chosen.get("recipe_engine", "lab"),
        )
    )
    edited = made.name in PRESETS and made != PRESETS.get(made.name)
    return replace(made, name=f"{made.name}-edited") if edited else made


def addable(stage: str) -> list[str]:
    """Names of the operations that a stage can get."""
    if stage == "online":
        return [*OPERATIONS.names(), *MIXES.names()]
    return list(LAYERS) if st.session_state.get("recipe_engine") == "keras_cv" else OPERATIONS.names()


def adding_key(stage: str) -> str:
    """Key of the widget that adds to a stage, another one after each addition.

    The browser says what was chosen until it hears that the widget is empty again: were it the same one, a
    click in haste would add the operation twice.
    """
    return f"recipe_add_{stage}_{len(_added(stage))}"


def _added(stage: str) -> list[str]:
    """What each of the widgets that added to a stage said last."""
    return st.session_state.setdefault(_ADDED.format(stage), [])


def add(stage: str, key: str) -> None:
    """Add the operation chosen in a widget at the end of a stage, and open it."""
    name, said = st.session_state[key], _added(stage)
    number = int(key.rpartition("_")[2])
    # A widget that has added may say so again, or stand long enough for another choice.
    if name is None or said[number : number + 1] == [name]:
        return
    said[number : number + 1] = [name]
    card = _new(Operation(name, online_operation(name).checked({})))
    cards(stage).append(card)
    st.session_state[_OPEN] = card.id


def take_balance(plan: str, parameters: Json) -> None:
    """Take a balance plan and its parameters into the draft."""
    *_, leaky = st.session_state.get(_UNSHOWN, ("", {}, False))
    st.session_state["recipe_balance"] = plan
    st.session_state[_UNSHOWN] = (plan, parameters, leaky)


def open_or_close(identifier: int) -> None:
    """Open a card, and close the one that was open."""
    is_open = st.session_state.get(_OPEN) == identifier
    st.session_state[_OPEN] = None if is_open else identifier


def move(stage: str, place: int, by: int) -> None:
    """Move a card up or down in its stage."""
    own = cards(stage)
    own.insert(place + by, own.pop(place))


def remove(stage: str, place: int) -> None:
    """Take a card out; the next one of its stage is opened in its place."""
    own = cards(stage)
    own.pop(place)
    st.session_state[_OPEN] = own[min(place, len(own) - 1)].id if own else None


def duplicate(stage: str, place: int) -> None:
    """Put a copy of a card below it, and open it."""
    card = _new(cards(stage)[place].operation)
    cards(stage).insert(place + 1, card)
    st.session_state[_OPEN] = card.id


def set_parameter(stage: str, place: int, name: str, key: str) -> None:
    """Take a parameter over from its slider."""
    card = cards(stage)[place]
    given = {**card.operation.parameters, name: float(st.session_state[key])}
    card.operation = replace(card.operation, parameters=given)


def set_share(stage: str, place: int, key: str) -> None:
    """Take the share of images over from its slider, in per cent."""
    card = cards(stage)[place]
    card.operation = replace(card.operation, probability=st.session_state[key] / 100)


def set_classes(stage: str, place: int, key: str) -> None:
    """Take the classes over from their widget."""
    card = cards(stage)[place]
    card.operation = replace(card.operation, classes=tuple(st.session_state[key]))


def redraw() -> None:
    """Take the next seed."""
    st.session_state["recipe_seed"] = (st.session_state["recipe_seed"] + 1) % (_LARGEST_SEED + 1)
