"""Decisions that a person takes on the images behind a report: which of model and label is wrong."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.curation.review import ACTIONS, Verdict
from wbc_core.errors import WbcError
from wbc_core.records import Decision

_MEANING = {
    "keep": "the label is right",
    "drop": "the image is not usable",
    "relabel": "the label is wrong",
}


def verdicts(
    predictions: pd.DataFrame,
    run_id: str,
    class_names: Sequence[str],
    imported: NDArray[np.int64],
    rows: Sequence[int],
    action: str,
    label: int | None = None,
) -> dict[int, Verdict]:
    """The same verdict on some held-out images, each with the reason that the run gave to look at it.

    To keep an image here says that the label in the report is right: where it was relabelled before the
    split, that is the same relabel again, since a keep would go back to the label as imported.

    Args:
        predictions: As `load_predictions` gives them.
        run_id: Id of the run that predicted them.
        class_names: Its class names.
        imported: The label of every row of the data set as imported, integers (n,).
        rows: Row numbers of the images in the data set.
        action: `keep`, `drop` or `relabel`.
        label: The new label for `relabel`, None otherwise.

    Returns:
        Row number to verdict, for `decide_each`.

    Raises:
        WbcError: An unknown action, or a row that the report is not about.
    """
    if action not in ACTIONS:
        raise WbcError("The action is unknown.", expected=f"one of {', '.join(ACTIONS)}", got=repr(action))
    columns = (predictions[name].tolist() for name in ("row", "label", "predicted"))
    seen = {row: (true, other) for row, true, other in zip(*columns, strict=True)}
    strangers = sorted(set(rows) - set(seen))
    if strangers:
        raise WbcError(
            f"The report of {run_id} is not about row {strangers[0]}.",
            fix="Open the report again, or decide on the image on the Review page.",
        )
    found = {}
    for row in rows:
        true, other = seen[row]
        name = class_names[true]
        words = f"{name} recognised" if true == other else f"{name} taken for {class_names[other]}"
        reason = f"{run_id}: {words}, {_MEANING[action]}"
        again = action == "keep" and true != imported[row]
        found[int(row)] = Verdict("relabel", true, reason) if again else Verdict(action, label, reason)
    return found


def decided_since(effective: Mapping[int, Decision], head: int) -> dict[str, int]:
    """Count the decisions that hold and are newer than a line of the log.

    Args:
        effective: The decision that holds, by row number.
        head: Id of the line, as a split keeps it in `decisions_head`.

    Returns:
        Images by action, in the order of `ACTIONS`.
    """
    counts = Counter(decision.action for decision in effective.values() if decision.id > head)
    return {action: counts[action] for action in ACTIONS}
