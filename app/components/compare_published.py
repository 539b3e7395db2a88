"""What others published, beside our measured runs: to be read, never tested against each other."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.components.results_text import share, share_with_interval
from wbc_core.evaluation.published import PUBLISHED


def draw(comparison: Mapping[str, Any], key: str) -> None:
    """Draw a published table with our ways of training of the same backbones in it.

    Args:
        comparison: One split's comparison.
        key: What sets its widgets apart from another split's.
    """
    titles = {name: table.title for name, table in PUBLISHED.items()}
    table = PUBLISHED[state.choose_view("Published table", f"published{key}", titles)]
    st.markdown(
        ":material/warning: Another test: the published figures come of other images than ours, so no "
        "difference between them and our runs is computed, and none can be read off."
    )
    ours = comparison["groups"]
    here = f"Ours, {comparison['part']} part"
    lines = []
    for row in table.rows:
        same = [group for group in ours if row.backbone and group["backbone"] == row.backbone]
        measured = [share_with_interval(group["accuracy"], group["accuracy_ci"]) for group in same]
        lines.append(
            {
                "Model": row.model,
                "Published": share(row.accuracy),
                here: "; ".join(measured) or "–",
                "Published on": row.test,
                "How": row.how or "–",
                "Source": row.source,
            }
        )
    known = {row.backbone for row in table.rows}
    lines += [
        {
            "Model": group["name"],
            "Published": "–",
            here: share_with_interval(group["accuracy"], group["accuracy_ci"]),
            "Published on": "–",
            "How": group["pooled"],
            "Source": "this lab",
        }
        for group in ours
        if group["backbone"] not in known
    ]
    st.dataframe(pd.DataFrame(lines), hide_index=True, height="content", key=f"published-table{key}")
    st.caption(
        "The challenge's hidden test holds corrupted images: a clean held-out part is easier, and says "
        "little about it. A shifted evaluation (Report, Robustness) comes closer."
    )
