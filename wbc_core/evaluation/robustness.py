"""A run under every shift at every strength: evaluated with one model, summed up from the reports."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.augment.shifts import SHIFTS, STRENGTHS, check_shift
from wbc_core.errors import WbcError
from wbc_core.evaluation import corruption_error
from wbc_core.evaluation.corruption_error import Cell, balanced_error
from wbc_core.evaluation.report import evaluate_run, held_out
from wbc_core.evaluation.reports import (
    is_outdated,
    list_reports,
    load_predictions,
    load_report,
    report_name,
)
from wbc_core.progress import Progress, part_of, silent
from wbc_core.records import Json
from wbc_core.training.runs import load_run
from wbc_core.workspace import Workspace

VIEWS = {"single": False, "averaged": True}
"""Whether a view of the summary is that of test-time augmentation."""


def chosen_cells(shifts: Sequence[str] | None, strengths: Sequence[int] | None) -> list[Cell]:
    """Every chosen shift at every chosen strength; all where None.

    Raises:
        WbcError: There is no such shift or strength.
    """
    cells = [
        (shift, strength)
        for shift in dict.fromkeys(shifts or SHIFTS.names())
        for strength in sorted(set(strengths or STRENGTHS))
    ]
    for shift, strength in cells:
        check_shift(shift, strength)
    return cells


@dataclass(frozen=True)
class Measured:
    """What is there of a run's robustness, with or without test-time augmentation.

    Attributes:
        part: Part of the split, `test` or `validation`.
        clean: The report on the images as they are; None where there is none, or an outdated one.
        reports: The reports on shifted images that are not outdated.
        missing: Cells without a report.
        outdated: Cells whose report is older than the model.
    """

    part: str
    clean: Json | None
    reports: dict[Cell, Json]
    missing: tuple[Cell, ...]
    outdated: tuple[Cell, ...]


def measured(workspace: Workspace, run_id: str, cells: Sequence[Cell], *, tta: bool = False) -> Measured:
    """Read what there is of a run's robustness.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        cells: Shifts and strengths that count.
        tta: Whether with test-time augmentation.

    Raises:
        WbcError: There is no such run, or a report is damaged.
    """
    part = held_out(workspace, load_run(workspace, run_id)).part
    there = set(list_reports(workspace, run_id))
    names = {cell: report_name(part, tta=tta, shift=cell[0], strength=cell[1]) for cell in cells}
    outdated = [c for c, name in names.items() if name in there and is_outdated(workspace, run_id, name)]
    clean = report_name(part, tta=tta)
    usable = clean in there and not is_outdated(workspace, run_id, clean)
    return Measured(
        part=part,
        clean=load_report(workspace, run_id, clean) if usable else None,
        reports={
            cell: load_report(workspace, run_id, name)
            for cell, name in names.items()
            if name in there and cell not in outdated
        },
        missing=tuple(cell for cell, name in names.items() if name not in there),
        outdated=tuple(outdated),
    )


def evaluate_under_shifts(
    workspace: Workspace,
    run_id: str,
    *,
    shifts: Sequence[str] | None = None,
    strengths: Sequence[int] | None = None,
    tta: bool = False,
    progress: Progress = silent,
) -> Json:
    """Evaluate a run on its held-out images as they are and under every shift.

    One report a shift and strength is written, as soon as it is known; those that are there and not outdated
    are left as they are, so that work that was stopped goes on where it stood. The model is loaded once.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        shifts: Names of shifts; all by default.
        strengths: 1 to 5; all by default.
        tta: Whether to average over the symmetries of every image (test-time augmentation), 8 times the work.
        progress: Where to report.

    Returns:
        What `summary` says of the chosen shifts and strengths; `evaluated`, how many reports were written.

    Raises:
        WbcError: No such run, shift or strength, or the run has no model yet.
    """
    from wbc_core.training.predict import load_model

    cells = chosen_cells(shifts, strengths)
    there = measured(workspace, run_id, cells, tta=tta)
    waiting = [cell for cell in cells if cell not in there.reports]
    todo: list[Cell | None] = [*([] if there.clean else [None]), *waiting]
    progress(0.0, "Loading the model")
    model = load_model(workspace, run_id) if todo else None
    for place, cell in enumerate(todo):
        shift, strength = cell or (None, STRENGTHS[0])
        title = f"{SHIFTS.get(shift).title}, strength {strength}" if shift else "Images as they are"
        own = part_of(progress, place / len(todo), (place + 1) / len(todo))

        def told(fraction: float, message: str, own: Progress = own, title: str = title) -> None:
            own(fraction, f"{title}: {message}")

        evaluate_run(workspace, run_id, tta=tta, shift=shift, strength=strength, model=model, progress=told)
    progress(1.0, f"Evaluated under {len(waiting)} shifts and strengths")
    return {**summary(workspace, run_id, shifts=shifts, strengths=strengths), "evaluated": len(todo)}


@dataclass(frozen=True, eq=False)
class _Judged:
    """What there is of a run's robustness, image by image.

    Attributes:
        found: The reports.
        labels: Classes of the images, integers (n,).
        right: For each cell with a report whether each image (n,) was named right.
    """

    found: Measured
    labels: NDArray[np.int64]
    right: dict[Cell, NDArray[np.bool_]]


def _judged(workspace: Workspace, run_id: str, cells: Sequence[Cell], tta: bool) -> _Judged:
    found = measured(workspace, run_id, cells, tta=tta)
    labels = np.empty(0, dtype=np.int64)
    right: dict[Cell, NDArray[np.bool_]] = {}
    for shift, strength in found.reports:
        name = report_name(found.part, tta=tta, shift=shift, strength=strength)
        predictions = load_predictions(workspace, run_id, name).sort_values("row")
        labels = predictions["label"].to_numpy(dtype=np.int64)
        right[shift, strength] = predictions["predicted"].to_numpy() == labels
    return _Judged(found, labels, right)


def _figures(report: Json) -> Json:
    error = balanced_error(report["confusion"])
    return {
        "images": report["images"],
        "accuracy": report["accuracy"],
        "accuracy_ci": report["accuracy_ci"],
        "balanced_accuracy": 1 - error,
        "error": error,
    }


def _cells(cells: Sequence[Cell]) -> list[Json]:
    return [{"shift": shift, "strength": strength} for shift, strength in cells]


def _summary(judged: _Judged) -> Json:
    found = judged.found
    figures = {cell: _figures(report) for cell, report in found.reports.items()}
    errors = {cell: own["error"] for cell, own in figures.items()}
    ends = None
    if errors:
        wrong = 1 - corruption_error.share_right(judged.right)
        _, ends = corruption_error.class_mean_interval(wrong, judged.labels)
    return {
        "clean": _figures(found.clean) if found.clean else None,
        "shifts": {
            shift: {str(strength): figures[name, strength] for name, strength in figures if name == shift}
            for shift in dict.fromkeys(name for name, _ in figures)
        },
        "shift_errors": corruption_error.shift_errors(errors),
        "mean_corruption_error": corruption_error.mean_corruption_error(errors),
        "mean_corruption_error_ci": [max(0.0, ends[0]), min(1.0, ends[1])] if ends else None,
        "missing": _cells(found.missing),
        "outdated": _cells(found.outdated),
    }


def _relative(one: _Judged, other: _Judged) -> Json | None:
    """Errors of one run and kind of view against another's, where both were evaluated."""
    clean = [
        balanced_error(judged.found.clean["confusion"]) if judged.found.clean else None
        for judged in (one, other)
    ]
    result = corruption_error.relative(one.labels, one.right, other.right, *clean)
    if result is None:
        return None
    ends = list(result.difference_ci) if result.difference_ci else None
    return {**asdict(result), "cells": _cells(result.cells), "difference_ci": ends}


def summary(
    workspace: Workspace,
    run_id: str,
    *,
    shifts: Sequence[str] | None = None,
    strengths: Sequence[int] | None = None,
) -> Json:
    """Sum up a run's robustness from the reports that are there; nothing is predicted.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        shifts: Names of shifts that count; all by default.
        strengths: Strengths that count; all by default.

    Returns:
        `run`, `part`, and under `views` for `single` and `averaged` (test-time augmentation): `clean` and
        `shifts` (by shift and strength as text) with images, accuracy, `accuracy_ci` (Wilson, 95 %), balanced
        accuracy and error (1 - balanced accuracy); `shift_errors`; `mean_corruption_error` with its interval
        over the reports that are there; which are `missing` and which `outdated`, which count as not there.
        `averaging` holds averaged views against single ones as `compare_with` does, or is None.

    Raises:
        WbcError: No such run, shift or strength.
    """
    cells = chosen_cells(shifts, strengths)
    judged = {name: _judged(workspace, run_id, cells, tta) for name, tta in VIEWS.items()}
    return {
        "run": run_id,
        "part": judged["single"].found.part,
        "views": {name: _summary(one) for name, one in judged.items()},
        "averaging": _relative(judged["averaged"], judged["single"]),
    }


def check_baseline(workspace: Workspace, run_id: str, baseline_id: str) -> None:
    """Refuse a baseline whose held-out images are others than the run's.

    Raises:
        WbcError: There is no such run, or the two were split differently.
    """
    run, baseline = load_run(workspace, run_id), load_run(workspace, baseline_id)
    if run.split != baseline.split:
        raise WbcError(
            "The baseline was judged on other images.",
            expected=f"a run on split {run.split}",
            got=f"{baseline_id} on {baseline.split}",
        )


def compare_with(
    workspace: Workspace,
    run_id: str,
    baseline_id: str,
    *,
    shifts: Sequence[str] | None = None,
    strengths: Sequence[int] | None = None,
    tta: bool = False,
) -> Json:
    """Hold a run's errors under shifts against a baseline run's, in MedMNIST-C's way.

    MedMNIST-C's baseline is AlexNet under corruptions of its own; here it is any run on the same images.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        baseline_id: Id of the baseline.
        shifts: Names of shifts that count; all by default.
        strengths: Strengths that count; all by default.
        tta: Whether with test-time augmentation, both.

    Returns:
        The fields of `corruption_error.Relative`, and `run` and `baseline`.

    Raises:
        WbcError: The runs were split differently, or have no shift and strength in common.
    """
    check_baseline(workspace, run_id, baseline_id)
    cells = chosen_cells(shifts, strengths)
    one, baseline = (_judged(workspace, run, cells, tta) for run in (run_id, baseline_id))
    result = _relative(one, baseline)
    if result is None:
        raise WbcError(
            "The two runs were never evaluated under the same shift and strength.",
            fix=f"Run `wbc robustness {run_id}` and `wbc robustness {baseline_id}`.",
        )
    return {"run": run_id, "baseline": baseline_id, **result}


def long_table(summed: Json) -> pd.DataFrame:
    """A summary as plain columns for a CSV file, one line a view, shift and strength; strength 0 is clean.

    Args:
        summed: From `summary`.

    Returns:
        Columns run, part, views, shift, strength, images, accuracy with its ends, balanced_accuracy, error.
    """
    lines = []
    for view, found in summed["views"].items():
        cells = [("clean", "0", found["clean"])] if found["clean"] else []
        cells += [
            (shift, strength, figures)
            for shift, by_strength in found["shifts"].items()
            for strength, figures in by_strength.items()
        ]
        for shift, strength, figures in cells:
            low, high = figures["accuracy_ci"] or (None, None)
            lines.append(
                {
                    "run": summed["run"],
                    "part": summed["part"],
                    "views": view,
                    "shift": shift,
                    "strength": int(strength),
                    "images": figures["images"],
                    "accuracy": figures["accuracy"],
                    "accuracy_low": low,
                    "accuracy_high": high,
                    "balanced_accuracy": figures["balanced_accuracy"],
                    "error": figures["error"],
                }
            )
    return pd.DataFrame(lines)
