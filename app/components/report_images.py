"""Images with what a run predicted of them, as the pictures of a grid."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from app import cache
from app.components.gallery import Item
from app.components.page import percent
from app.components.review_data import mark
from wbc_core.records import Decision

FILE_NOT_KEPT = ":gray[The images of a file that was evaluated are not kept.]"


def image_items(
    report: Mapping[str, Any], images: pd.DataFrame, decided: Mapping[int, Decision] | None = None
) -> list[Item]:
    """Gallery items of images with their predictions, in order.

    Args:
        report: The report.
        images: As `browsing.with_confidence` gives them.
        decided: The decisions that are drawn as marks, by row.
    """
    names, decided = report["classes"], decided or {}
    rows = tuple(int(row) for row in images["row"])
    return [
        Item(
            row=line.row,
            src=source,
            label=names[line.label],
            badge=f"{names[line.predicted]} {percent(line.confidence, 0)}",
            mark=mark(decided.get(line.row), names),
            **({"likely": int(line.predicted)} if line.predicted != line.label else {}),
            title=(
                f"Labelled {names[line.label]} ({percent(line.true_probability)}), predicted "
                f"{names[line.predicted]} ({percent(line.confidence)}), row {line.row:,}"
                f"{_verdict(decided.get(line.row))}"
            ),
            group=None,
        )
        for line, source in zip(images.itertuples(), cache.thumbnails(report["dataset"], rows), strict=True)
    ]


def _verdict(decision: Decision | None) -> str:
    return f". Decided by {decision.who}: {decision.reason or decision.action}" if decision else ""
