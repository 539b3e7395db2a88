"""Slices of held-out images on which a run does worse than on the rest, with false discoveries controlled."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from wbc_core.datasets.store import read_dataset
from wbc_core.errors import WbcError
from wbc_core.evaluation.intervals import Interval, wilson
from wbc_core.evaluation.reports import load_predictions, load_report, name_of
from wbc_core.evaluation.slicing import KINDS, slice_images
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Json
from wbc_core.wording import counted
from wbc_core.workspace import Workspace

MINIMUM = 20
"""Images of a slice: with fewer, only a collapse of accuracy could be told from chance."""
FALSE_DISCOVERY_RATE = 0.05


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that those below q hold a share of at most q of false discoveries on average.

    Benjamini and Hochberg, J. R. Statist. Soc. B 57, 1995: the i-th smallest of m becomes p m / i, made
    monotone from the largest down and capped at 1.

    Example:
        >>> benjamini_hochberg([0.01, 0.04, 0.03])
        [0.03, 0.04, 0.04]
    """
    count = len(p_values)
    adjusted = [0.0] * count
    smallest = 1.0
    for place, index in enumerate(sorted(range(count), key=p_values.__getitem__, reverse=True)):
        smallest = min(smallest, p_values[index] * count / (count - place))
        adjusted[index] = smallest
    return adjusted


def difference_interval(right: int, images: int, rest_right: int, rest: int) -> Interval:
    """95 % interval of the difference of two independent rates (Newcombe, Statistics in Medicine 17, 1998).

    His method 10: with the Wilson limits l, u of either rate p, the limits are
    d - sqrt((p1 - l1)^2 + (u2 - p2)^2) and d + sqrt((u1 - p1)^2 + (p2 - l2)^2).

    Args:
        right: Successes of the first, 0..images.
        images: Trials of the first, at least 1.
        rest_right: Successes of the second.
        rest: Trials of the second, at least 1.

    Example:
        >>> [round(end, 4) for end in difference_interval(56, 70, 48, 80)]
        [0.0524, 0.3339]
    """
    one, other = right / images, rest_right / rest
    (low, high), (rest_low, rest_high) = wilson(right, images) or (0, 1), wilson(rest_right, rest) or (0, 1)
    below = math.hypot(one - low, rest_high - other)
    above = math.hypot(high - one, other - rest_low)
    return one - other - below, one - other + above


def _entry(
    inside: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_], labels: npt.NDArray[np.int64]
) -> Json:
    """The figures of one slice against the rest."""
    from scipy.stats import fisher_exact

    images, hits = int(inside.sum()), int(right[inside].sum())
    rest, rest_hits = len(right) - images, int(right[~inside].sum())
    counts = np.bincount(labels[inside])
    return {
        "images": images,
        "right": hits,
        "accuracy": hits / images,
        "accuracy_ci": list(wilson(hits, images) or ()),
        "rest_accuracy": rest_hits / rest,
        "difference": hits / images - rest_hits / rest,
        "difference_ci": list(difference_interval(hits, images, rest_hits, rest)),
        "p": float(fisher_exact([[hits, images - hits], [rest_hits, rest - rest_hits]]).pvalue),
        "commonest_class": int(counts.argmax()),
        "commonest_class_share": float(counts.max() / images),
    }


def compare_slices(
    membership: pd.DataFrame,
    right: npt.NDArray[np.bool_],
    labels: npt.NDArray[np.int64],
    class_names: Sequence[str],
    minimum: int = MINIMUM,
) -> Json:
    """Test for each slice whether its accuracy differs from that of all other images.

    Fisher's exact test, two-sided; all slices of all kinds are adjusted together.

    Args:
        membership: One column a kind with the name of each image's slice, n lines.
        right: Whether each image was named right, (n,).
        labels: True classes, integers (n,).
        class_names: Class names.
        minimum: Slices with fewer images are not tested.

    Returns:
        `slices`, significantly worse ones first, then by difference: kind, slice, images, right, accuracy and
        `accuracy_ci` (Wilson, 95 %), rest_accuracy, difference with `difference_ci` (Newcombe), p, q (p after
        Benjamini and Hochberg), `worse` and `better` (significantly at 5 %), commonest_class and its share;
        `too_small`, by kind how many slices were not tested; `undivided`, kinds with only one slice.
    """
    entries: list[Json] = []
    too_small: dict[str, int] = {}
    undivided = []
    for kind in KINDS:
        counts = membership[kind].value_counts()
        if len(counts) == 1:
            undivided.append(kind)
            continue
        for name in sorted(counts.index[counts >= minimum]):
            inside = (membership[kind] == name).to_numpy()
            entries.append({"kind": kind, "slice": name, **_entry(inside, right, labels)})
        if number := int((counts < minimum).sum()):
            too_small[kind] = number
    for entry, q in zip(entries, benjamini_hochberg([entry["p"] for entry in entries]), strict=True):
        significant = q <= FALSE_DISCOVERY_RATE
        entry["q"] = q
        entry["worse"] = significant and entry["difference"] < 0
        entry["better"] = significant and entry["difference"] > 0
        entry["commonest_class"] = class_names[entry["commonest_class"]]
    entries.sort(key=lambda entry: (not entry["worse"], entry["difference"], entry["kind"], entry["slice"]))
    return {"slices": entries, "too_small": too_small, "undivided": undivided}


def _paths(workspace: Workspace, run_id: str, name: str) -> tuple[Path, Path]:
    folder = workspace.run_dir(run_id) / "slices"
    return folder / f"{name}.json", folder / f"{name}.parquet"


def slice_report(
    workspace: Workspace,
    run_id: str,
    name: str | None = None,
    *,
    minimum: int = MINIMUM,
    progress: Progress = silent,
) -> Json:
    """Find the slices on which a run does worse, from a report's predictions, and keep what was found.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        name: Name of the report; by default the one that `load_report` takes.
        minimum: Slices with fewer images are not tested.
        progress: Where to report.

    Returns:
        What `compare_slices` finds, and run, report, images, accuracy, minimum_images, false_discovery_rate
        and `report_created`, by which it is known to be of the report as it is now.

    Raises:
        WbcError: No such report, or one of a file, whose images are not kept.
    """
    report = load_report(workspace, run_id, name)
    predictions = load_predictions(workspace, run_id, name)
    if report["part"] == "file":
        raise WbcError(
            "The images of a file that was evaluated are not kept, so they cannot be sliced.",
            expected="a report on held-out images",
            fix="Import the file as a data set.",
        )
    if minimum < 1:
        raise WbcError("A slice needs an image.", expected="a minimum of at least 1", got=minimum)
    own = name_of(report)
    dataset = read_dataset(workspace, report["dataset"])
    rows = predictions["row"].to_numpy(dtype=np.int64)
    membership = slice_images(workspace, dataset, rows, minimum, part_of(progress, 0.0, 0.95))
    labels = predictions["label"].to_numpy(dtype=np.int64)
    right = predictions["predicted"].to_numpy() == labels
    found = {
        "run": run_id,
        "report": own,
        "report_created": report["created"],
        "images": len(rows),
        "accuracy": float(right.mean()),
        "minimum_images": minimum,
        "false_discovery_rate": FALSE_DISCOVERY_RATE,
        **compare_slices(membership, right, labels, report["classes"], minimum),
    }
    path, table = _paths(workspace, run_id, own)
    with workspace.atomic_path(table) as scratch:
        membership.to_parquet(scratch, index=False)
    workspace.write_json(path, found)
    progress(1.0, f"Tested {counted(len(found['slices']), 'slice')}")
    return found


def load_slices(workspace: Workspace, run_id: str, name: str) -> tuple[Json, pd.DataFrame] | None:
    """What `slice_report` kept of a report, with the slices of each image; None where there is nothing.

    What was found on an earlier evaluation counts as nothing.

    Raises:
        WbcError: A file is damaged, or there is no such report.
    """
    path, table = _paths(workspace, run_id, name)
    if not path.exists() or not table.exists():
        return None
    found = workspace.read_json(path, f"slices of run {run_id}")
    if found["report_created"] != load_report(workspace, run_id, name)["created"]:
        return None
    return found, pd.read_parquet(table)
