"""What came of a study of balance plans: each against the first, in words and with intervals."""

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
from wbc_core.jobs.balance_study import study_runs
from wbc_core.records import Job, Json
from wbc_core.workspace import Workspace


def study_comparison(workspace: Workspace, job_id: str) -> Json:
    """Compare every plan of a study with its first, on the same held-out images, averaged over the seeds.

    Args:
        workspace: The lab.
        job_id: Id of the job of `start_balance_study`.

    Returns:
        `part`, `images`, `seeds`; `plans`: one entry a plan with mean `accuracy` and `macro_f1` and its
        `runs`; `differences`: one entry for each plan but the first, as shares: `accuracy`, `accuracy_ci`,
        `macro_f1`, `macro_f1_ci`, `by_seed`, `p`, `holm_p` and the verdict in `words`.

    Raises:
        WbcError: There is no such study, or a run of it is not finished or has no report.
    """
    jobs = study_runs(workspace, job_id)
    seeds = _finished_seeds(jobs)
    runs = {plan: [job.id for job in own] for plan, own in jobs.items()}
    part = comparable_part(workspace, [run for own in runs.values() for run in own])
    tables = {plan: [load_predictions(workspace, run, part) for run in own] for plan, own in runs.items()}
    reports = {plan: [load_report(workspace, run, part) for run in own] for plan, own in runs.items()}
    first, *others = runs
    found = [_difference(tables[first], tables[plan], reports[first][0]) for plan in others]
    adjusted = holm([difference.p for difference in found])
    return {
        "part": part,
        "images": len(tables[first][0]),
        "seeds": seeds,
        "plans": [
            {
                "plan": plan,
                "accuracy": float(np.mean([report["accuracy"] for report in reports[plan]])),
                "macro_f1": float(np.mean([report["macro_f1"] for report in reports[plan]])),
                "runs": runs[plan],
            }
            for plan in runs
        ],
        "differences": [
            {
                "plan": plan,
                "against": first,
                "accuracy": difference.accuracy,
                "accuracy_ci": difference.accuracy_ci and list(difference.accuracy_ci),
                "macro_f1": difference.macro_f1,
                "macro_f1_ci": difference.macro_f1_ci and list(difference.macro_f1_ci),
                "by_seed": list(difference.by_seed),
                "p": difference.p,
                "holm_p": p,
                "words": _words(plan, first, difference, p, len(others)),
            }
            for plan, difference, p in zip(others, found, adjusted, strict=True)
        ],
    }


def _finished_seeds(jobs: Mapping[str, Sequence[Job]]) -> list[int]:
    waiting = [job.id for own in jobs.values() for job in own if job.state != "succeeded"]
    if not jobs or waiting:
        raise WbcError(
            "The comparison of balance plans is not finished.",
            got=f"{len(waiting)} runs to go" if jobs else "its sets are not prepared",
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


def _words(plan: str, first: str, difference: RepeatedDifference, p: float, tests: int) -> str:
    """One sentence: which plan is better by how much, or that none was shown to be."""
    title, other = PLANS.get(plan).title, PLANS.get(first).title
    words = difference.words(title, f'"{other}"', significance=SIGNIFICANCE, p=p)
    if tests < 2:
        return words
    closed = words.removesuffix(")")
    return f"{closed} adjusted for {tests} plans" + ")" * (closed != words)
