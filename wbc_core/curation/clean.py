"""The clean set: what the decisions leave of a data set."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.review import effective_decisions, head
from wbc_core.datasets.store import load_table, read_dataset
from wbc_core.records import Dataset, Decision, content_id
from wbc_core.workspace import Workspace


@dataclass(frozen=True)
class CleanSet:
    """The images of a data set that are kept, with the labels that the decisions gave them.

    Attributes:
        id: `cl-...`, from the data set and the drops and relabels that hold, so that undoing a decision
            leads back to the same clean set.
        dataset: The data set.
        head: Last line of the decision log that was heeded (0: none).
        rows: Row numbers kept, rising, int64 (n,).
        labels: Their labels, int64 (n,), each an index into the data set's class names.
        dropped: Number of images dropped.
    """

    id: str
    dataset: Dataset
    head: int
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    dropped: int


def clean_set(workspace: Workspace, dataset_id: str, *, until: int | None = None) -> CleanSet:
    """Apply the decisions that hold now to a data set.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        until: Those that held when the line of the log with this id was the last one.

    Raises:
        WbcError: No such data set.
    """
    dataset = read_dataset(workspace, dataset_id)
    # Read before the decisions: a line written in between makes the set look stale, never newer than it is.
    heeded = head(workspace, dataset.id) if until is None else until
    decided = effective_decisions(workspace, dataset.id, until=until)
    labels = load_table(workspace, dataset.id)["label"].to_numpy(dtype=np.int64)
    return what_is_left(dataset, labels, decided, heeded)


def what_is_left(
    dataset: Dataset, imported: NDArray[np.int64], decided: Mapping[int, Decision], heeded: int
) -> CleanSet:
    """Apply decisions to a data set.

    Args:
        dataset: The data set.
        imported: The label of every row as imported, int64 (n,).
        decided: The decision that holds, by row number.
        heeded: Last line of the log that they come from.
    """
    labels, kept = imported.copy(), np.ones(dataset.images, dtype=bool)
    relabelled: dict[int, int] = {}
    for row, decision in decided.items():
        if decision.action == "drop":
            kept[row] = False
        elif decision.label is not None and decision.label != labels[row]:
            relabelled[row] = labels[row] = decision.label
    rows = np.flatnonzero(kept).astype(np.int64)
    payload = {
        "dataset": dataset.id,
        "drop": np.flatnonzero(~kept).tolist(),
        "relabel": sorted(relabelled.items()),
    }
    return CleanSet(
        id=content_id("cl", payload),
        dataset=dataset,
        head=heeded,
        rows=rows,
        labels=labels[rows],
        dropped=dataset.images - len(rows),
    )


def clean_counts(clean: CleanSet) -> dict[str, int]:
    """Images of a clean set per class, in class order; an empty class counts 0."""
    counts = np.bincount(clean.labels, minlength=len(clean.dataset.class_names))
    return {name: int(count) for name, count in zip(clean.dataset.class_names, counts, strict=True)}
