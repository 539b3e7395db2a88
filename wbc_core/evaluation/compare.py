"""Compare runs on the same held-out images, and say in words whether a difference was shown."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from wbc_core.augment.prepare import load_prepared
from wbc_core.errors import WbcError
from wbc_core.evaluation.reports import list_reports, load_predictions, load_report
from wbc_core.evaluation.significance import McNemar, PairedDifference, holm, mcnemar, paired_bootstrap
from wbc_core.records import Json
from wbc_core.training.runs import Run, load_run
from wbc_core.workspace import Workspace

SIGNIFICANCE = 0.05
_MARKS = 2
_COMPARABLE = ("test", "validation", "test-tta", "validation-tta")


def _names(workspace: Workspace, runs: Sequence[Run]) -> dict[str, str]:
    """A name a run: its backbone; with up to two differing settings, or its id, where several share that."""
    names: dict[str, str] = {}
    for run in runs:
        same = [other for other in runs if other.backbone == run.backbone]
        differing = spec_differences(workspace, same)
        told = {setting: values for setting, values in differing.items() if setting != "prepared"}
        marks = [f"{setting.replace('_', ' ')} {values[run.id]}" for setting, values in told.items()]
        names[run.id] = run.backbone if len(same) == 1 else f"{run.backbone} ({', '.join(marks)})"
        if len(same) > 1 and not 0 < len(marks) <= _MARKS:
            names[run.id] = f"{run.backbone} {run.id}"
        if run.leaky:
            names[run.id] += " (leaky order)"
    return names


def _checked_runs(workspace: Workspace, run_ids: Sequence[str]) -> list[Run]:
    if len(run_ids) < 2 or len(set(run_ids)) < len(run_ids):
        raise WbcError(
            "A comparison needs runs to compare.",
            expected="at least two different runs",
            got=", ".join(run_ids) or "none",
            fix="Name two runs of the same split: `wbc compare RUN RUN`.",
        )
    runs = [load_run(workspace, run_id) for run_id in run_ids]
    for run in runs[1:]:
        if run.split != runs[0].split:
            raise WbcError(
                f"{runs[0].id} and {run.id} were trained on different splits: they hold out different "
                "images, so that no paired test applies.",
                expected=f"the split {runs[0].split}",
                got=run.split,
                fix="Train both on one split, or compare the runs of each split among themselves.",
            )
    return runs


def comparable_part(workspace: Workspace, run_ids: Sequence[str]) -> str:
    """The held-out part that all runs have a report of, the test part first.

    Raises:
        WbcError: There is none; the message names the commands that make the missing reports.
    """
    reports = {run_id: list_reports(workspace, run_id) for run_id in run_ids}
    for part in _COMPARABLE:
        if all(part in there for there in reports.values()):
            return part
    missing = [run_id for run_id, there in reports.items() if not set(there) & set(_COMPARABLE)]
    commands = "; ".join(f"`wbc evaluate {run_id}`" for run_id in missing or run_ids)
    raise WbcError(
        f"{len(missing)} of the {len(run_ids)} runs have no report yet."
        if missing
        else "The runs' reports are of different parts.",
        fix=f"Run {commands} first.",
    )


def _same_images(tables: dict[str, pd.DataFrame]) -> None:
    first_id, first = next(iter(tables.items()))
    for run_id, table in tables.items():
        if not first[["row", "image_id", "label"]].equals(table[["row", "image_id", "label"]]):
            raise WbcError(
                f"{first_id} and {run_id} were evaluated on different images or labels, so that "
                "no paired test applies.",
                expected=f"the {len(first):,} images of {first_id}",
                got=f"{len(table):,} images, not all the same",
                fix=f"Run `wbc evaluate {first_id}` and `wbc evaluate {run_id}` again.",
            )


def _p_in_words(p: float) -> str:
    """A p-value as in print: `p = .41`, `p < .001`, `p = 1`."""
    if p < 0.001:
        return "p < .001"
    rounded = f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
    return f"p = {rounded.lstrip('0') if p < 0.995 else '1'}"


def _verdict(first: str, second: str, difference: PairedDifference, p: float) -> str:
    """One sentence a pair, with the adjusted p-value and the difference in percentage points."""
    if difference.accuracy is None or difference.accuracy_ci is None:
        return f"{first} and {second}: nothing to compare, no image is held out"
    # A better run is named first, so that the difference reads as a gain.
    flipped = p < SIGNIFICANCE and difference.accuracy < 0
    one, two, sign = (second, first, -1) if flipped else (first, second, 1)
    low, high = sorted(sign * end for end in difference.accuracy_ci)
    numbers = (
        f"{_p_in_words(p)}; {two} - {one} = {100 * sign * difference.accuracy:+.1f} points, "
        f"{100 * low:+.1f} to {100 * high:+.1f}"
    )
    if p < SIGNIFICANCE:
        return f"{two} is better than {one}: {numbers}"
    return f"{one} and {two}: no difference shown ({numbers})"


def _pairs(tables: dict[str, pd.DataFrame], names: dict[str, str], classes: int) -> list[Json]:
    labels = next(iter(tables.values()))["label"].to_numpy()
    predicted = {run_id: table["predicted"].to_numpy() for run_id, table in tables.items()}
    couples = list(combinations(tables, 2))
    tests: list[McNemar] = []
    for a, b in couples:
        right_a, right_b = predicted[a] == labels, predicted[b] == labels
        tests.append(mcnemar(int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())))
    pairs = []
    for (a, b), test, adjusted in zip(couples, tests, holm([test.p for test in tests]), strict=True):
        # One seed and one order for a pair, so that its interval depends neither on the other runs nor on
        # which of the two was named first.
        one, two = sorted((a, b))
        difference = paired_bootstrap(
            labels, predicted[one], predicted[two], classes, np.random.default_rng(0)
        )
        difference = difference if one == a else difference.turned()
        pairs.append(
            {
                "a": a,
                "b": b,
                "accuracy_difference": difference.accuracy,
                "accuracy_difference_ci": difference.accuracy_ci and list(difference.accuracy_ci),
                "macro_f1_difference": difference.macro_f1,
                "macro_f1_difference_ci": difference.macro_f1_ci and list(difference.macro_f1_ci),
                "only_a_right": test.only_first,
                "only_b_right": test.only_second,
                "mcnemar_p": test.p,
                "mcnemar_method": test.method,
                "holm_p": adjusted,
                "words": _verdict(names[a], names[b], difference, adjusted),
            }
        )
    return pairs


def _settings(workspace: Workspace, run: Run) -> Json:
    return {"recipe": load_prepared(workspace, run.spec.prepared).recipe.name, **run.spec.to_json()}


def spec_differences(workspace: Workspace, runs: Sequence[Run]) -> dict[str, dict[str, object]]:
    """The settings in which runs differ.

    Returns:
        Setting name to {run id: value}, only settings that are not the same in all runs.
    """
    settings = {run.id: _settings(workspace, run) for run in runs}
    names = dict.fromkeys(name for values in settings.values() for name in values)
    columns = {name: {run_id: values.get(name) for run_id, values in settings.items()} for name in names}
    return {
        name: column
        for name, column in columns.items()
        if any(value != next(iter(column.values())) for value in column.values())
    }


def compare(workspace: Workspace, run_ids: Sequence[str]) -> Json:
    """Compare runs of one split by their saved predictions.

    Every pair is tested with McNemar's test on the held-out images, Holm-adjusted over all pairs, and the
    differences of accuracy and macro-F1 get 95 % intervals from a paired bootstrap with seed 0.

    Args:
        workspace: The lab.
        run_ids: At least two runs.

    Returns:
        `split`, `part`, `images`, `classes`; `leaky`: whether held-out images helped make what any of the
        runs learnt from; `runs`: one entry a run with its figures, intervals, cost and differing settings;
        `differing`: setting to values by run; `pairs`: one entry a pair, b minus a
        as shares, with the verdict in `words`.

    Raises:
        WbcError: Fewer than two runs, runs of different splits, a missing report, or reports on different
            images.
    """
    runs = _checked_runs(workspace, run_ids)
    part = comparable_part(workspace, run_ids)
    tables = {run.id: load_predictions(workspace, run.id, part) for run in runs}
    _same_images(tables)
    reports = {run.id: load_report(workspace, run.id, part) for run in runs}
    names, differing = _names(workspace, runs), spec_differences(workspace, runs)
    figures = ("parameters", "accuracy", "accuracy_ci", "macro_f1", "macro_f1_ci", "ece", "training_seconds")
    entries = [
        {
            "run": run.id,
            "name": names[run.id],
            "backbone": run.spec.backbone,
            "leaky": run.leaky,
            **{figure: reports[run.id][figure] for figure in (*figures, "file_size_bytes")},
            "settings": {setting: values[run.id] for setting, values in differing.items()},
        }
        for run in runs
    ]
    return {
        "split": runs[0].split,
        "part": part,
        "images": len(tables[runs[0].id]),
        "classes": list(runs[0].class_names),
        "leaky": any(run.leaky for run in runs),
        "runs": entries,
        "differing": differing,
        "pairs": _pairs(tables, names, len(runs[0].class_names)),
    }
