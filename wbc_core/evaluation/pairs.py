"""Every pair of runs, and of groups of runs: tests, differences with intervals, and a verdict in words."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.metrics import Integers
from wbc_core.evaluation.resampling import PairedDifference, ResampledScores
from wbc_core.evaluation.run_groups import RunGroup
from wbc_core.evaluation.significance import holm, mcnemar, p_in_words, sign_flip_p_values
from wbc_core.records import Json

SIGNIFICANCE = 0.05
"""Adjusted p-values below this are called a difference."""

SIGN_FLIPS = "sign flips over images"
Hits = npt.NDArray[np.bool_]


def _verdict(first: str, second: str, difference: PairedDifference, p: float) -> str:
    """One sentence a pair, with the adjusted p-value and the difference in percentage points."""
    if difference.accuracy is None or difference.accuracy_ci is None:
        return f"{first} and {second}: nothing to compare, no image is held out"
    # A better run is named first, so that the difference reads as a gain.
    flipped = p < SIGNIFICANCE and difference.accuracy < 0
    one, two, sign = (second, first, -1) if flipped else (first, second, 1)
    low, high = sorted(sign * end for end in difference.accuracy_ci)
    numbers = (
        f"{p_in_words(p)}; {two} - {one} = {100 * sign * difference.accuracy:+.1f} points, "
        f"{100 * low:+.1f} to {100 * high:+.1f}"
    )
    if p < SIGNIFICANCE:
        return f"{two} is better than {one}: {numbers}"
    return f"{one} and {two}: no difference shown ({numbers})"


def _difference(difference: PairedDifference) -> Json:
    return {
        "accuracy_difference": difference.accuracy,
        "accuracy_difference_ci": difference.accuracy_ci and list(difference.accuracy_ci),
        "macro_f1_difference": difference.macro_f1,
        "macro_f1_difference_ci": difference.macro_f1_ci and list(difference.macro_f1_ci),
    }


def run_pairs(
    names: Mapping[str, str], predicted: Integers, labels: Integers, scores: ResampledScores
) -> list[Json]:
    """Compare every two runs.

    Args:
        names: Run id to name, in the order of `predicted`.
        predicted: Predictions, integers (runs, n).
        labels: True labels, integers (n,).
        scores: The runs' scores on the same bootstrap draws.

    Returns:
        One entry a pair, second minus first as shares, p by McNemar's test and Holm-adjusted over all pairs.
    """
    couples = list(combinations(names, 2))
    places = {run_id: place for place, run_id in enumerate(names)}
    right = predicted == labels
    tests = [_mcnemar(right[places[a]], right[places[b]]) for a, b in couples]
    entries = []
    for (a, b), test, adjusted in zip(couples, tests, holm([test["p"] for test in tests]), strict=True):
        # In one order, so that which of two runs was named first changes no digit.
        one, two = sorted((a, b))
        difference = scores.difference([places[one]], [places[two]])
        difference = difference if one == a else difference.turned()
        entries.append(
            {
                "a": a,
                "b": b,
                **_difference(difference),
                "only_a_right": test["only_first"],
                "only_b_right": test["only_second"],
                "mcnemar_p": test["p"],
                "mcnemar_method": test["method"],
                "holm_p": adjusted,
                "words": _verdict(names[a], names[b], difference, adjusted),
            }
        )
    return entries


def group_pairs(
    groups: Sequence[RunGroup],
    places: Mapping[str, int],
    predicted: Integers,
    labels: Integers,
    scores: ResampledScores,
) -> list[Json]:
    """Compare every two groups by the means over their seeds.

    Images are resampled with all their predictions, whatever the seed (a cluster bootstrap; Davison &
    Hinkley, Bootstrap methods, 1997, section 3.8). Between two single runs p is McNemar's; where one has
    several seeds, that of `sign_flip_p_values`.

    Args:
        groups: The groups.
        places: Run id to its row in `predicted`.
        predicted: Predictions, integers (runs, n).
        labels: True labels, integers (n,).
        scores: The runs' scores on the same bootstrap draws.

    Returns:
        One entry a pair, second minus first as shares, Holm-adjusted over all pairs of groups.
    """
    couples = list(combinations(groups, 2))
    rows = {group.name: [places[run.id] for run in group.runs] for group in groups}
    right = predicted == labels
    p_values, methods = _group_tests([(right[rows[a.name]], right[rows[b.name]]) for a, b in couples])
    entries = []
    for (a, b), p, method, adjusted in zip(couples, p_values, methods, holm(p_values), strict=True):
        one, two = sorted((a, b), key=lambda group: group.runs[0].id)
        difference = scores.difference(rows[one.name], rows[two.name])
        difference = difference if one is a else difference.turned()
        entries.append(
            {
                "a": a.name,
                "b": b.name,
                **_difference(difference),
                "p": p,
                "method": method,
                "holm_p": adjusted,
                "words": _verdict(a.name, b.name, difference, adjusted),
            }
        )
    return entries


def _mcnemar(first: Hits, second: Hits) -> Json:
    return vars(mcnemar(int((first & ~second).sum()), int((second & ~first).sum())))


def _group_tests(couples: Sequence[tuple[Hits, Hits]]) -> tuple[list[float], list[str]]:
    """p-value and method of each couple of hits, (seeds, n) each."""
    single = [len(first) == len(second) == 1 for first, second in couples]
    tests = [_mcnemar(first[0], second[0]) for first, second in couples]
    pooled = [second.mean(axis=0) - first.mean(axis=0) for first, second in couples]
    changes = [change for change, alone in zip(pooled, single, strict=True) if not alone]
    flipped = iter(sign_flip_p_values(np.stack(changes), np.random.default_rng(0)) if changes else ())
    p_values = [test["p"] if alone else next(flipped) for test, alone in zip(tests, single, strict=True)]
    methods = [
        f"McNemar, {test['method']}" if alone else SIGN_FLIPS
        for test, alone in zip(tests, single, strict=True)
    ]
    return p_values, methods
