"""What came of a study: each way of training against the first, in words and with intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from wbc_core.balance import PLANS
from wbc_core.errors import WbcError
from wbc_core.evaluation.compare import comparable_part
from wbc_core.evaluation.pairs import SIGNIFICANCE
from wbc_core.evaluation.repeated import RepeatedDifference, repeated_difference
from wbc_core.evaluation.reports import load_predictions, load_report
from wbc_core.evaluation.significance import holm
from wbc_core.jobs.paired_study import BALANCE, find_study, study_runs
from wbc_core.records import Job, Json
from wbc_core.wording import counted
from wbc_core.workspace import Workspace

_CLEANING_TITLES = {"raw": "The raw images", "clean": "The clean set"}


def way_title(kind: str, way: str) -> str:
    """What a way of a study is called.

    Example:
        >>> way_title("cleaning_study", "clean")
        'The clean set'
    """
    return PLANS.get(way).title if kind == BALANCE else _CLEANING_TITLES[way]


def study_comparison(workspace: Workspace, job_id: str) -> Json:
    """Compare every way of a study with its first, on the same held-out images, averaged over the seeds.

    Args:
        workspace: The lab.
        job_id: Id of the study's job.

    Returns:
        `kind`, `part`, `images`, `seeds`; `ways`: one entry a way with mean `accuracy` and `macro_f1` and its
        `runs`; `differences`: one entry for each way but the first, as shares: `accuracy`, `accuracy_ci`,
        `macro_f1`, `macro_f1_ci`, `by_seed`, `seeds_ci`, `p`, `holm_p`, `shown` and the verdict in `words`.
        `accuracy_ci` is over held-out images, the seeds as they are; `seeds_ci` over seeds, the images as
        they are: Student's t on the paired differences, None with one seed. A difference is `shown` where
        holm_p is below .05 and `seeds_ci` leaves 0 out.

    Raises:
        WbcError: There is no such study, or a run of it is not finished or has no report.
    """
    kind, jobs = find_study(workspace, job_id).kind, study_runs(workspace, job_id)
    seeds = _finished_seeds(jobs)
    runs = {way: [job.id for job in own] for way, own in jobs.items()}
    part = comparable_part(workspace, [run for own in runs.values() for run in own])
    tables = {way: [load_predictions(workspace, run, part) for run in own] for way, own in runs.items()}
    reports = {way: [load_report(workspace, run, part) for run in own] for way, own in runs.items()}
    first, *others = runs
    found = [_difference(tables[first], tables[way], reports[first][0]) for way in others]
    adjusted = holm([difference.p for difference in found])
    return {
        "kind": kind,
        "part": part,
        "images": len(tables[first][0]),
        "seeds": seeds,
        "ways": [
            {
                "way": way,
                "accuracy": float(np.mean([report["accuracy"] for report in reports[way]])),
                "macro_f1": float(np.mean([report["macro_f1"] for report in reports[way]])),
                "runs": runs[way],
            }
            for way in runs
        ],
        "differences": [
            {
                "way": way,
                "against": first,
                "accuracy": difference.accuracy,
                "accuracy_ci": difference.accuracy_ci and list(difference.accuracy_ci),
                "macro_f1": difference.macro_f1,
                "macro_f1_ci": difference.macro_f1_ci and list(difference.macro_f1_ci),
                "by_seed": list(difference.by_seed),
                "seeds_ci": difference.seeds_ci and list(difference.seeds_ci),
                "p": difference.p,
                "holm_p": p,
                "shown": p < SIGNIFICANCE and difference.beyond_seeds,
                "words": _words(kind, way, first, difference, p, len(others)),
            }
            for way, difference, p in zip(others, found, adjusted, strict=True)
        ],
    }


def _finished_seeds(jobs: Mapping[str, Sequence[Job]]) -> list[int]:
    waiting = [job.id for own in jobs.values() for job in own if job.state != "succeeded"]
    if not jobs or waiting:
        raise WbcError(
            "The study is not finished.",
            got=f"{counted(len(waiting), 'run')} to go" if jobs else "its sets are not prepared",
            fix="Wait for its runs, or resume those that failed.",
        )
    return [job.spec["seed"] for job in next(iter(jobs.values()))]


def _difference(first: list[pd.DataFrame], second: list[pd.DataFrame], report: Json) -> RepeatedDifference:
    tables = [*first, *second]
    if any(not table[["row", "label"]].equals(tables[0][["row", "label"]]) for table in tables[1:]):
        raise WbcError(
            "The runs were evaluated on different images or labels.",
            fix="Evaluate them again, or start anew.",
        )
    one, two = (np.stack([table["predicted"].to_numpy() for table in own]) for own in (first, second))
    labels = tables[0]["label"].to_numpy()
    return repeated_difference(labels, one, two, len(report["classes"]), np.random.default_rng(0))


def _words(kind: str, way: str, first: str, difference: RepeatedDifference, p: float, tests: int) -> str:
    """One sentence: which way is better by how much, over images and over seeds, or that none is shown."""
    title, other = way_title(kind, way), way_title(kind, first)
    against = f'"{other}"' if kind == BALANCE else other.lower()
    return difference.words(title, against, significance=SIGNIFICANCE, p=p, tests=tests)
