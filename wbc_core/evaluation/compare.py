"""Compare runs on the same held-out images, and say in words whether a difference was shown."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wbc_core.errors import WbcError
from wbc_core.evaluation.cost_decisions import kept_cost
from wbc_core.evaluation.intervals import percentile_interval
from wbc_core.evaluation.latency import load_latency
from wbc_core.evaluation.metrics import Floats, defined
from wbc_core.evaluation.pairs import group_pairs, run_pairs
from wbc_core.evaluation.reports import list_reports, load_predictions, load_report
from wbc_core.evaluation.resampling import ResampledScores, resampled_scores
from wbc_core.evaluation.run_groups import RunGroup, differing_settings, group_runs, run_names, run_settings
from wbc_core.records import Json
from wbc_core.training.runs import Run, load_run
from wbc_core.workspace import Workspace

FITTED_HERE = "its weights were fitted on these very images, so that its figures are a little hopeful."
"""What is said of such an ensemble."""

_COMPARABLE = ("test", "validation", "test-tta", "validation-tta")
_FIGURES = ("parameters", "accuracy", "accuracy_ci", "macro_f1", "macro_f1_ci", "ece", "training_seconds")


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


def _latency(workspace: Workspace, run_id: str) -> Json:
    """Median milliseconds of one image and the machine they were measured on; None where nobody measured."""
    measured = load_latency(workspace, run_id)
    if measured is None:
        return {"latency_ms": None, "latency_on": None}
    return {"latency_ms": measured["batches"]["1"]["median_ms"], "latency_on": measured["processor"]}


def _first_latency(entries: Sequence[Json]) -> Json:
    """Seeds share one network: what was measured on any of them is true of all."""
    measured = next((entry for entry in entries if entry["latency_ms"] is not None), entries[0])
    return {name: measured[name] for name in ("latency_ms", "latency_on")}


def _over_seeds(scores: Floats) -> Json:
    """Mean, standard deviation and range of a score over seeds, (seeds, 1 + draws), and its interval."""
    own = scores[:, 0]
    ends = percentile_interval(scores[:, 1:].mean(axis=0))
    return {
        "": defined(own.mean()),
        "_ci": ends and list(ends),
        "_sd": defined(own.std(ddof=1)) if len(own) > 1 else None,
        "_range": [float(own.min()), float(own.max())] if np.isfinite(own).all() else None,
    }


def _pooled(group: RunGroup) -> str:
    first, *others = group.runs
    if first.members:
        return f"ensemble of {len(first.members)}"
    # The same seed twice does not give the same run on every device, but it is no other seed.
    again = len(set(group.seeds)) <= len(others)
    return f"{1 + len(others)} {'runs' if again else 'seeds'}" if others else "one seed"


def _group(group: RunGroup, entries: dict[str, Json], scores: ResampledScores, settings: Json) -> Json:
    """One way of training: its figures as means over its seeds."""
    own = [entries[run.id] for run in group.runs]
    places = [list(entries).index(run.id) for run in group.runs]
    pooled = {
        name + end: value
        for name, values in (("accuracy", scores.accuracy), ("macro_f1", scores.macro_f1))
        for end, value in _over_seeds(values[places]).items()
    }
    if len(own) == 1:
        # What its report says, so that a run has one interval wherever it is shown.
        pooled |= {name: own[0][name] for name in ("accuracy", "accuracy_ci", "macro_f1", "macro_f1_ci")}
    return {
        "name": group.name,
        "backbone": group.runs[0].backbone,
        "leaky": own[0]["leaky"],
        "runs": [run.id for run in group.runs],
        "seeds": group.seeds,
        "pooled": _pooled(group),
        **pooled,
        "parameters": own[0]["parameters"],
        "training_seconds": float(np.mean([entry["training_seconds"] for entry in own])),
        **_first_latency(own),
        "settings": settings,
    }


def _compare_split(workspace: Workspace, runs: Sequence[Run]) -> Json:
    run_ids = [run.id for run in runs]
    part = comparable_part(workspace, run_ids)
    tables = {run_id: load_predictions(workspace, run_id, part) for run_id in run_ids}
    _same_images(tables)
    reports = {run_id: load_report(workspace, run_id, part) for run_id in run_ids}
    settings = run_settings(workspace, runs)
    names, differing, groups = (
        run_names(runs, settings),
        differing_settings(settings),
        group_runs(runs, settings),
    )
    labels = tables[run_ids[0]]["label"].to_numpy()
    predicted = np.stack([table["predicted"].to_numpy() for table in tables.values()])
    scores = resampled_scores(labels, predicted, len(runs[0].class_names), np.random.default_rng(0))
    entries: dict[str, Json] = {
        run.id: {
            "run": run.id,
            "name": names[run.id],
            "backbone": run.backbone,
            "seed": run.spec.seed,
            "leaky": run.leaky,
            **{figure: reports[run.id][figure] for figure in (*_FIGURES, "file_size_bytes")},
            "weights_fitted_here": run.member_weighting == "validation" and part.startswith("validation"),
            **_latency(workspace, run.id),
            **kept_cost(workspace, run.class_names, labels, tables[run.id]["predicted"].to_numpy()),
            "members": [
                {"run": member, "weight": weight}
                for member, weight in zip(run.members, run.member_weights, strict=True)
            ],
            "settings": {setting: values.get(run.id) for setting, values in differing.items()},
        }
        for run in runs
    }
    told = differing_settings({group.name: group.settings for group in groups})
    return {
        "dataset": runs[0].dataset,
        "split": runs[0].split,
        "part": part,
        "images": len(labels),
        "classes": list(runs[0].class_names),
        "leaky": any(run.leaky for run in runs),
        "runs": list(entries.values()),
        "groups": [
            _group(group, entries, scores, {name: values.get(group.name) for name, values in told.items()})
            for group in groups
        ],
        "differing": differing,
        "pairs": run_pairs(names, predicted, labels, scores),
        "group_pairs": group_pairs(
            groups, {run_id: place for place, run_id in enumerate(run_ids)}, predicted, labels, scores
        ),
    }


def compare_splits(workspace: Workspace, run_ids: Sequence[str]) -> list[Json]:
    """Compare runs by their saved predictions, those of each split among themselves.

    Every pair is tested with McNemar's test on the held-out images, Holm-adjusted over all pairs of the
    split, and the differences of accuracy and macro-F1 get 95 % intervals from a paired bootstrap with seed
    0. Runs that differ in their seed alone are also pooled, and the groups compared by `pairs.group_pairs`.

    Args:
        workspace: The lab.
        run_ids: At least two runs.

    Returns:
        One comparison a split, in the order of the runs:

        - `dataset`, `split`, `part`, `images`, `classes`.
        - `leaky`: whether held-out images helped make what any of the runs learnt from.
        - `runs`: one entry a run with its figures, intervals, cost and differing settings; of an ensemble its
          `members`, and whether their weights were fitted on these images (`weights_fitted_here`).
        - `groups`: one entry a way of training with its runs and seeds, and mean, interval (`_ci`), standard
          deviation (`_sd`) and range (`_range`) over the seeds.
        - `differing`: setting to values by run.
        - `pairs`, `group_pairs`: one entry a pair, b minus a as shares, with the verdict in `words`; both
          empty for a run that is alone on its split.

    Raises:
        WbcError: Fewer than two runs, a missing report, or reports on different images.
    """
    if len(run_ids) < 2 or len(set(run_ids)) < len(run_ids):
        raise WbcError(
            "A comparison needs runs to compare.",
            expected="at least two different runs",
            got=", ".join(run_ids) or "none",
            fix="Name two runs of the same split: `wbc compare RUN RUN`.",
        )
    by_split: dict[str, list[Run]] = {}
    for run_id in run_ids:
        run = load_run(workspace, run_id)
        by_split.setdefault(run.split, []).append(run)
    return [_compare_split(workspace, runs) for runs in by_split.values()]


def apart_in_words(comparisons: Sequence[Json]) -> str:
    """Why runs of several splits are compared apart."""
    alone = [comparison["runs"][0]["run"] for comparison in comparisons if len(comparison["runs"]) == 1]
    words = (
        f"The runs were trained on {len(comparisons)} splits, which hold out different images: no paired "
        "test applies across them, so the runs of each split are compared among themselves."
    )
    return words + (f" Alone on their split: {', '.join(alone)}." if alone else "")


def compare(workspace: Workspace, run_ids: Sequence[str]) -> Json:
    """Compare runs by their saved predictions.

    Args:
        workspace: The lab.
        run_ids: At least two runs.

    Returns:
        For runs of one split, its entry of `compare_splits`; else `comparisons`, one entry a split, and
        `apart`: in words, why.

    Raises:
        WbcError: As `compare_splits`.
    """
    return one_comparison(compare_splits(workspace, run_ids))


def one_comparison(comparisons: Sequence[Json]) -> Json:
    """What `compare` returns, of what `compare_splits` found."""
    if len(comparisons) == 1:
        return comparisons[0]
    return {"comparisons": list(comparisons), "apart": apart_in_words(comparisons)}
