"""The clean set: what the decisions leave of a data set, and its way out of the lab."""

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.review import decision_log, effective_decisions, head
from wbc_core.datasets.store import load_table, open_images, read_dataset
from wbc_core.records import Dataset, content_id
from wbc_core.workspace import Workspace, whole_file

_CHUNK = 512


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


def clean_set(workspace: Workspace, dataset_id: str) -> CleanSet:
    """Apply the decisions that hold now to a data set.

    Raises:
        WbcError: No such data set.
    """
    dataset = read_dataset(workspace, dataset_id)
    # Read before the decisions: a line written in between makes the set look stale, never newer than it is.
    heeded = head(workspace, dataset.id)
    labels = load_table(workspace, dataset.id)["label"].to_numpy(dtype=np.int64, copy=True)
    kept = np.ones(dataset.images, dtype=bool)
    relabelled: dict[int, int] = {}
    for row, decision in effective_decisions(workspace, dataset.id).items():
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


def export_npz(workspace: Workspace, clean: CleanSet, path: Path) -> None:
    """Write a clean set as one npz file that `wbc import` and `numpy.load` read without pickle.

    It holds `images` uint8 (n, height, width, 3), `labels` int64 (n,), `image_ids` (n,) and
    `class_names` (classes,), in row order. Images are copied in chunks.

    Args:
        workspace: The lab.
        clean: The clean set.
        path: The file to write; an older one is replaced once the new one is whole.

    Raises:
        WbcError: The folder does not exist.
    """
    images = open_images(workspace, clean.dataset.id)
    image_ids = load_table(workspace, clean.dataset.id)["image_id"].to_numpy(dtype=np.str_)[clean.rows]
    small = {
        "labels": clean.labels,
        "image_ids": image_ids,
        "class_names": np.array(clean.dataset.class_names, dtype=np.str_),
    }
    header = {
        "descr": "|u1",
        "fortran_order": False,
        "shape": (len(clean.rows), *clean.dataset.image_shape),
    }
    with whole_file(path) as scratch, zipfile.ZipFile(scratch, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for start in range(0, len(clean.rows), _CHUNK):
                stream.write(images[clean.rows[start : start + _CHUNK]].tobytes())
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def export_decisions_csv(workspace: Workspace, dataset_id: str, path: Path) -> None:
    """Write the whole decision log of a data set as CSV, oldest line first, labels by their class names.

    Raises:
        WbcError: No such data set, or the folder does not exist.
    """
    dataset = read_dataset(workspace, dataset_id)
    columns = (
        "id",
        "row",
        "image_id",
        "action",
        "label",
        "reason",
        "who",
        "at",
        "check",
        "step",
        "undoes",
    )
    with whole_file(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for line in decision_log(workspace, dataset.id):
            names = {"label": "" if line.label is None else dataset.class_names[line.label]}
            writer.writerow([names.get(column, getattr(line, column)) for column in columns])
