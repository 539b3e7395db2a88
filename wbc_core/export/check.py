"""Whether a model that was opened again answers as the original does, and how fast."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wbc_core.evaluation.intervals import wilson
from wbc_core.progress import Progress, silent
from wbc_core.records import Json
from wbc_core.wording import counted

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From images uint8 (n, H, W, 3) to probabilities float32 (n, K)."""

_CHUNK = 64

Rule = Callable[[Json], tuple[str, str] | None]
"""From what `compare` found to what was expected and what came instead; None where the model is kept."""

GAP = 1e-3
"""Largest gap of a probability that a changed order of float32 sums may make."""
LABEL_CHANGES = 0.02
ACCURACY_LOSS = 0.01


def float_rule(checked: Json) -> tuple[str, str] | None:
    """Refuse a float model whose probabilities differ by more than `GAP`.

    Example:
        >>> float_rule({"checked_images": 9, "largest_gap": 0.5})
        ('probabilities within 0.001 on 9 validation images', 'a gap of 0.5')
    """
    gap = checked["largest_gap"]
    if gap is not None and gap <= GAP:
        return None
    expected = f"probabilities within {GAP:g} on {checked['checked_images']:,} validation images"
    return expected, "a gap of " + ("not a number" if gap is None else f"{gap:.3g}")


def integer_rule(checked: Json) -> tuple[str, str] | None:
    """Refuse a quantised model that names other classes for over 2 % of the images, or loses over 1 point.

    Eight bits move every probability, so what counts is what a user sees. One image may always change, since
    on few images no smaller change than that can be seen.

    Example:
        >>> integer_rule({"checked_images": 200, "largest_gap": 0.1, "label_changes": 4, "labels_lost": 2})
        >>> integer_rule({"checked_images": 200, "largest_gap": 0.1, "label_changes": 4, "labels_lost": 3})[1]
        '4 other classes, 1.5 points less accuracy'
    """
    images, changes, lost = checked["checked_images"], checked["label_changes"], checked["labels_lost"]
    kept = changes <= max(1, LABEL_CHANGES * images) and lost <= max(1, ACCURACY_LOSS * images)
    if kept and checked["largest_gap"] is not None:
        return None
    expected = (
        f"at most {100 * LABEL_CHANGES:g} % other classes and {100 * ACCURACY_LOSS:g} point less accuracy "
        f"on {images:,} validation images"
    )
    return (
        expected,
        f"{counted(changes, 'other class', 'other classes')}, {100 * lost / images:.2g} points less accuracy",
    )


def answers(predict: Predict, images: NDArray[np.uint8], progress: Progress = silent) -> NDArray[np.float32]:
    """What a model answers, float32 (n, K), in chunks."""
    parts = []
    for start in range(0, len(images), _CHUNK):
        parts.append(predict(images[start : start + _CHUNK]))
        progress((start + len(parts[-1])) / len(images), f"Checking on {counted(len(images), 'image')}")
    return np.concatenate(parts)


def _ends(right: int, images: int) -> list[float]:
    return list(wilson(right, images) or ())


def compare(original: NDArray[np.float32], exported: NDArray[np.float32], labels: NDArray[np.int64]) -> Json:
    """Hold what the exported model answers against the original's answers.

    Args:
        original: Probabilities (n, K).
        exported: The same of the exported model.
        labels: True classes (n,).

    Returns:
        `checked_images`; `largest_gap` of a probability, None where an answer is not a number;
        `label_changes`, images that get another class; `labels_lost`, how many fewer are right (negative:
        more); `accuracy` and `accuracy_ci` (Wilson, 95 %) of the exported model, `original_accuracy` and
        `original_accuracy_ci`.

    Example:
        >>> before = np.float32([[0.9, 0.1], [0.4, 0.6]])
        >>> checked = compare(before, before[:, ::-1], np.array([0, 0]))
        >>> checked["label_changes"], checked["labels_lost"], checked["accuracy"]
        (2, 0, 0.5)
    """
    gap = float(np.abs(original - exported).max())
    right, still = (int((given.argmax(axis=1) == labels).sum()) for given in (original, exported))
    return {
        "checked_images": len(labels),
        "largest_gap": gap if np.isfinite(gap) else None,
        "label_changes": int((original.argmax(axis=1) != exported.argmax(axis=1)).sum()),
        "labels_lost": right - still,
        "accuracy": still / len(labels),
        "accuracy_ci": _ends(still, len(labels)),
        "original_accuracy": right / len(labels),
        "original_accuracy_ci": _ends(right, len(labels)),
    }
