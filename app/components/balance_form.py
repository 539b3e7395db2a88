"""The choice of a balance plan and of its parameters, which the Augment page takes over."""

import json
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.components.page import plain, thousands
from app.components.recipe_builder import WANTED
from app.pages import PAGES
from wbc_core.balance import PLANS, BalancePlan, check_parameters
from wbc_core.balance.parameters import COMMON, DEFAULT_BETA, LARGEST_COUNT, NEIGHBOURS
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Json, Split

PLAN = "balance"
_SETTINGS = "balance_parameters"
_ROUND = "balance_targets_round"
REPORTS_COUNT = 2330
"""Images of every class in the source report."""

_NEIGHBOURS = {"pixels": "Pixels, as in the report", "features": "Features"}
_GROUPS = ("Ours", "Loss weights", "imbalanced-learn")


def _group(plan: BalancePlan) -> str:
    if plan.whole is not None:
        return _GROUPS[2]
    return _GROUPS[1] if plan.weighting != "none" else _GROUPS[0]


def _title(name: str) -> str:
    plan = PLANS.get(name)
    return f"{_group(plan)} · {plan.title.removesuffix(' (imbalanced-learn)')}"


def _settings() -> dict[str, Any]:
    """Every parameter that was set, whatever the plan: from earlier in the session, else from the URL."""
    if _SETTINGS not in st.session_state:
        st.session_state[_SETTINGS] = _from_url(st.query_params.get(_SETTINGS))
    return dict(st.session_state[_SETTINGS])


def _from_url(text: str | None) -> dict[str, Any]:
    try:
        given = json.loads(text or "{}")
        return {
            name: value
            for name, value in given.items()
            if check_parameters("effective_number" if name == "beta" else "smote", {name: value}) is not None
        }
    except (ValueError, AttributeError, RecursionError, WbcError):
        # A link that was cut off or written by hand: start without.
        return {}


def _set(name: str, value: Any) -> None:
    """Keep a parameter; None takes it back."""
    given = {key: old for key, old in _settings().items() if key != name}
    if value not in (None, {}):
        given[name] = value
    st.session_state[_SETTINGS] = given
    _want()


def _applying(plan: str, given: Json) -> Json:
    known = (*COMMON, *PLANS.get(plan).parameters)
    return check_parameters(plan, {name: value for name, value in given.items() if name in known})


def _want() -> None:
    plan = st.session_state[PLAN]
    st.session_state[WANTED] = (plan, _applying(plan, _settings()))


def carry_over() -> None:
    """Draw the button that opens the Augment page with this plan and its parameters."""
    if st.button("Build the recipe with this plan", icon=PAGES["augment"].icon):
        _want()
        st.switch_page(PAGES["augment"].script, query_params=state.link_parameters())


def choose_plan() -> str:
    """Draw the choice of a plan, and say in a line what it does.

    Returns:
        Its name.
    """
    plans = sorted(PLANS.names(), key=lambda name: _GROUPS.index(_group(PLANS.get(name))))
    # Not bound: the URL would hold what the choice says, not the plan's name.
    asked = st.session_state.get(PLAN) or st.query_params.get(PLAN)
    state.tell_widget(PLAN, asked if asked in plans else "smote")
    plan = st.selectbox("Plan", plans, format_func=_title, key=PLAN, on_change=_want, persist_state="session")
    if st.query_params.get(PLAN) != plan:
        st.query_params[PLAN] = plan
    entry = PLANS.get(plan)
    st.markdown(f"{entry.description}  \n:gray[:small[{plain(entry.source)}]]")
    return plan


def _from_widget(name: str) -> None:
    _set(name, st.session_state[f"balance_{name}"])


def draw_parameters(plan: str) -> Json:
    """Draw the parameters that apply to a plan, but for the counts of single classes.

    Returns:
        The parameters that are not at their default, the counts of single classes among them.
    """
    given, allowed = _settings(), PLANS.get(plan).parameters
    for name, value in (("cap", None), ("neighbours", NEIGHBOURS[0]), ("beta", DEFAULT_BETA)):
        st.session_state.setdefault(f"balance_{name}", given.get(name, value))
    if "neighbours" in allowed:
        st.segmented_control(
            "Neighbours by",
            NEIGHBOURS,
            format_func=_NEIGHBOURS.get,
            key="balance_neighbours",
            on_change=_from_widget,
            args=("neighbours",),
            required=True,
            help="Features are 48 principal components of the coarse pixels: quicker, and less led by noise "
            "and by where the cell lies.",
        )
    if "beta" in allowed:
        st.number_input(
            "Beta",
            0.0,
            0.999999,
            step=0.001,
            format="%.6g",
            key="balance_beta",
            on_change=_from_widget,
            args=("beta",),
            width=220,
            help="0 weighs all classes alike; towards 1 a class weighs in inverse proportion to its images.",
        )
    st.number_input(
        "At most, of every class (images)",
        1,
        LARGEST_COUNT,
        value=None,
        key="balance_cap",
        on_change=_from_widget,
        args=("cap",),
        placeholder="no limit",
        width=220,
    )
    parameters = _applying(plan, given)
    written = json.dumps(given, sort_keys=True, separators=(",", ":"))
    if given and st.query_params.get(_SETTINGS) != written:
        st.query_params[_SETTINGS] = written
    elif not given:
        st.query_params.pop(_SETTINGS, None)
    return parameters


def _set_targets(targets: dict[str, int]) -> None:
    # A fresh table: what was typed into the old one is in its data now.
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    _set("targets", targets)


def _from_table(key: str, class_names: tuple[str, ...]) -> None:
    targets = dict(_settings().get("targets", {}))
    for row, changed in st.session_state[key]["edited_rows"].items():
        name, wanted = class_names[int(row)], changed.get("By hand")
        if wanted is None:
            targets.pop(name, None)
        else:
            targets[name] = int(wanted)
    _set_targets(targets)


def of_smote(plan: str, parameters: Json) -> Json:
    """What SMOTE's examples are drawn with: the recipe's parameters where they are SMOTE's."""
    if plan == "smote":
        return parameters
    return {name: value for name, value in parameters.items() if name == "neighbours"}


def draw_counts(
    dataset: Dataset,
    split: Split,
    after: list[int],
    *,
    about: bool,
    weights: dict[int, float] | None = None,
) -> None:
    """Draw the counts before and after as a table, in which a class can be given a count by hand.

    Args:
        dataset: The data set.
        split: The split.
        after: Train images per class after the plan.
        about: Whether these are only about right.
        weights: What the loss of an image counts, by class number; None where all count alike.
    """
    before, targets = split.parts["train"], _settings().get("targets", {})
    filled = [name for name, count in zip(dataset.class_names, before, strict=True) if count]
    key = f"balance_targets_{st.session_state.get(_ROUND, 0)}"
    table = pd.DataFrame(
        {
            "Class": list(dataset.class_names),
            "Before": before,
            "After": [f"{'about ' if about else ''}{thousands(count)}" for count in after],
            "By hand": pd.array([targets.get(name) for name in dataset.class_names], dtype="Int64"),
        }
    )
    if weights:
        table.insert(3, "Loss weight", [weights.get(label, 0.0) for label in range(len(before))])
    st.data_editor(
        table,
        key=key,
        hide_index=True,
        placeholder="the plan's",
        disabled=["Class", "Before", "After", "Loss weight"],
        on_change=_from_table,
        args=(key, dataset.class_names),
        column_config={
            "Before": st.column_config.NumberColumn(format="localized"),
            "After": st.column_config.TextColumn(alignment="right"),
            "Loss weight": st.column_config.NumberColumn(format="%.3g"),
            "By hand": st.column_config.NumberColumn(
                min_value=1,
                max_value=LARGEST_COUNT,
                step=1,
                format="localized",
                help="So many images, whatever the plan says; empty leaves it to the plan.",
            ),
        },
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(":gray[All by hand:]", width="content")
        largest = max(before, default=0)
        st.button(
            f"Largest class ({thousands(largest)})",
            on_click=_set_targets,
            args=(dict.fromkeys(filled, largest),),
            disabled=not filled,
        )
        st.button(
            thousands(REPORTS_COUNT),
            on_click=_set_targets,
            args=(dict.fromkeys(filled, REPORTS_COUNT),),
            disabled=not filled,
            help="What the source report balanced every class to.",
        )
        st.button("None", on_click=_set_targets, args=({},), disabled=not targets)
