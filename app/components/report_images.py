"""Images with what a run predicted of them, as the pictures of a grid."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from app import cache
from app.components.gallery import Item
from app.components.page import percent

FILE_NOT_KEPT = ":gray[The images of a file that was evaluated are not kept.]"


def image_items(report: Mapping[str, Any], images: pd.DataFrame) -> list[Item]:
    """Gallery items of images with their predictions, in order."""
    names = report["classes"]
    rows = tuple(int(row) for row in images["row"])
    return [
        Item(
            row=line.row,
            src=source,
            label=names[line.label],
            badge=f"{names[line.predicted]} {percent(line.confidence, 0)}",
            mark=None,
            title=(
                f"Labelled {names[line.label]} ({percent(line.true_probability)}), predicted "
                f"{names[line.predicted]} ({percent(line.confidence)}), row {line.row:,}"
            ),
            group=None,
        )
        for line, source in zip(images.itertuples(), cache.thumbnails(report["dataset"], rows), strict=True)
    ]
