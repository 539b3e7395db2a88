"""What a balance plan does to the train part, before anything is computed: its form, counts and size."""

import streamlit as st

from app import state
from app.components import balance_form
from app.components.charts import draw as draw_chart
from app.components.charts_balance import balance_by_class
from app.components.page import plain, thousands
from app.pages import PAGES
from wbc_core.augment.prepare import bytes_after
from wbc_core.balance import PLANS, target_counts
from wbc_core.balance.weights import class_weights
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, Json, Recipe, Split

_LEAKY = "an2dl_leaky"


def draw(dataset: Dataset, split: Split) -> tuple[str, Json]:
    """Draw the choice of a plan beside the counts that it leads to.

    Args:
        dataset: The data set.
        split: The split.

    Returns:
        The plan and its parameters.
    """
    form, shown = st.columns([0.42, 0.58], gap="large")
    before = split.parts["train"]
    with form:
        plan = balance_form.choose_plan()
        parameters = balance_form.draw_parameters(plan)
        try:
            after = target_counts(plan, before, parameters, dataset.class_names)
        except WbcError as error:
            st.error(plain(str(error)))
            balance_form.draw_counts(dataset, split, before, about=False)
            return plan, {}
        entry = PLANS.get(plan)
        weights = class_weights(after, entry.weighting, parameters.get("beta", balance_form.DEFAULT_BETA))
        balance_form.draw_counts(dataset, split, after, about=entry.about, weights=weights)
        balance_form.carry_over()
    with shown:
        needed = bytes_after(split, Recipe("plain", plan, balance_parameters=parameters), dataset)
        with st.container(horizontal=True, gap="large"):
            st.metric("Train images before", thousands(sum(before)), width="content")
            st.metric("After, about" if entry.about else "After", thousands(sum(after)), width="content")
            st.metric("On disk, foreseen", f"{thousands(needed / 1e6)} MB", width="content")
        draw_chart(balance_by_class(before, after, dataset.class_names), key="balanced")
        if entry.about:
            st.caption(
                "About: this sampler of imbalanced-learn leaves out images that only sampling finds, or "
                "makes as many as suit it. The exact counts stand with the prepared set."
            )
        st.caption(
            "The held-out parts are never balanced. The source report balanced before it split, so that "
            "held-out images helped make the train part; a preset of the Augment page follows it, and marks "
            "every figure."
        )
        st.page_link(
            PAGES["augment"].script,
            label=f"Open the preset {_LEAKY}",
            icon=":material/water_damage:",
            query_params={**state.link_parameters(), "recipe": _LEAKY},
        )
    return plan, parameters
