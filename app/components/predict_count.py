"""The differential count of the Predict page: as counted, and corrected for what the run mixes up."""

import pandas as pd
import streamlit as st

from app import results_cache, state
from app.components import charts, charts_results
from app.components.page import thousands
from app.components.results_text import share_with_interval
from wbc_core.evaluation import predictions as core
from wbc_core.evaluation.corrected_count import corrected_lines, known_confusion
from wbc_core.evaluation.marks import FOREIGN_PICTURE
from wbc_core.records import Job


def count(job: Job, table: pd.DataFrame) -> None:
    """Draw how many pictures were named as each class, and how many there are likely to be."""
    table = _without_foreign(table)
    counts = core.differential_count(table)
    names = counts["class"].tolist()
    counted = counts.to_dict("records")
    known = known_confusion(state.workspace(), job.spec["run"], tta=bool(job.spec.get("tta")))
    columns = {
        "Class": names,
        "Pictures": counts["images"],
    }
    if known is None:
        reason = "the run has no report that says what it mixes up"
    else:
        report, confusion = known
        found = results_cache.corrected(
            tuple(counts["images"].tolist()), tuple(tuple(row) for row in confusion.tolist())
        )
        reason = found.undefined or ""
    if reason:
        charts.draw(charts_results.differential(counted, names), key="differential")
    else:
        lines = corrected_lines(names, found)
        columns["Corrected"] = _written(lines)
        charts.draw(charts_results.differential(lines, names, counted=counted), key="differential")
    st.dataframe(
        pd.DataFrame(columns | {"Counted": _written(counted)}),
        hide_index=True,
        height="content",
        column_config={"Pictures": st.column_config.NumberColumn(format="localized")},
    )
    if reason:
        st.caption(
            "95 % intervals (Wilson) know the number of pictures, not the errors of the model. No corrected "
            f"count: {reason}."
        )
    else:
        st.caption(
            f"Corrected for what the run mixes up on {thousands(confusion.sum())} images of its report "
            f"{report} (maximum likelihood with the confusion matrix; Saerens 2002, Forman 2008). Diamonds: "
            "as counted. It holds where pictures of a class look as they do there. 95 % intervals: counted, "
            "Wilson, which knows the number of pictures only; corrected, 2,000 draws of both."
        )


def _without_foreign(table: pd.DataFrame) -> pd.DataFrame:
    """The pictures that count: all, or without the foreign ones where the person leaves them out."""
    if FOREIGN_PICTURE not in table or not table[FOREIGN_PICTURE].any() or table[FOREIGN_PICTURE].all():
        return table
    left_out = st.toggle(
        f"Leave out {thousands(table[FOREIGN_PICTURE].sum())} unlike the training images",
        key="without_foreign",
        bind="query-params",
    )
    return table[~table[FOREIGN_PICTURE]] if left_out else table


def _written(lines: list[dict[str, float]]) -> list[str]:
    return [share_with_interval(line["share"], (line["low"], line["high"])) for line in lines]
