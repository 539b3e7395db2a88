"""The pictures of the cleaning report: a few that are typical of what each check found."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wbc_core.curation.checks import CHECKS
from wbc_core.datasets.store import open_images
from wbc_core.records import Dataset, Finding
from wbc_core.workspace import Workspace

OUTCOMES = ("stays", "kept", "relabelled", "dropped")
LEFT, KEPT, RELABELLED, DROPPED = range(4)

_PICTURES = 12
_PICTURES_A_CHECK = 4
_SIDE = 96


@dataclass(frozen=True)
class Example:
    """A picture that a check found.

    Attributes:
        title: Title of the check.
        class_name: The class that it was imported with.
        outcome: One of `OUTCOMES`.
        jpeg: The picture as a JPEG file, at most 96 pixels a side.
    """

    title: str
    class_name: str
    outcome: str
    jpeg: bytes


def examples(
    workspace: Workspace,
    dataset: Dataset,
    found: dict[str, list[Finding]],
    labels: NDArray[np.int64],
    outcomes: NDArray[np.uint8],
) -> tuple[Example, ...]:
    """Some pictures a check, at even steps from the worst score to the least, those acted on before others.

    Args:
        workspace: The lab.
        dataset: The data set.
        found: Flagged findings by check, worst first.
        labels: Labels as imported, int64 (n,).
        outcomes: What became of every image, uint8 (n,): a position in `OUTCOMES`.
    """
    shown = {name: findings for name, findings in found.items() if any(entry.rows for entry in findings)}
    share = max(1, min(_PICTURES_A_CHECK, _PICTURES // max(1, len(shown))))
    images = open_images(workspace, dataset.id)
    pictures: list[Example] = []
    for name, findings in shown.items():
        check = CHECKS.get(name)
        grouped = check.scope == "group"
        for row in _typical_rows(findings, grouped, share, outcomes):
            jpeg = _jpeg(images[row])
            # What another check has shown already says nothing new; copies are shown twice on purpose.
            if grouped or all(jpeg != earlier.jpeg for earlier in pictures):
                class_name = dataset.class_names[labels[row]]
                pictures.append(Example(check.title, class_name, OUTCOMES[outcomes[row]], jpeg))
    return tuple(pictures)


def _typical_rows(
    findings: Sequence[Finding], grouped: bool, share: int, outcomes: NDArray[np.uint8]
) -> list[int]:
    acted = [entry for entry in findings if any(outcomes[row] >= RELABELLED for row in entry.rows)]
    chosen = acted or [entry for entry in findings if entry.rows]
    if grouped and share > 1:
        # Copies say something side by side only.
        steps = min(len(chosen), share // 2)
        places = [(2 * step + 1) * len(chosen) // (2 * steps) for step in range(steps)]
        return [row for place in places for row in chosen[place].rows[:2]]
    steps = min(len(chosen), share)
    places = [(2 * step + 1) * len(chosen) // (2 * steps) for step in range(steps)]
    return [
        next((row for row in chosen[place].rows if outcomes[row] >= RELABELLED), chosen[place].rows[0])
        for place in places
    ]


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    picture = Image.fromarray(image)
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()
