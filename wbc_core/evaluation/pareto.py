"""Which ways of training nothing beats in both score and cost."""

from collections.abc import Mapping, Sequence
from typing import Any


def costs_compare(groups: Sequence[Mapping[str, Any]], cost: str) -> bool:
    """Whether the costs of ways of training compare: times of different machines do not.

    Args:
        groups: `groups` of a comparison.
        cost: One of their costs: `parameters`, `latency_ms`, `training_seconds`.
    """
    machines = {group["latency_on"] for group in groups if group["latency_on"]}
    return cost != "latency_ms" or len(machines) < 2


def pareto_front(costs: Sequence[float | None], scores: Sequence[float | None]) -> list[int]:
    """The points that no other beats (Pareto efficiency; Censor, Appl. Math. Optim. 4, 1977).

    One point beats another if it costs no more and scores no worse, and is better in one of the two.

    Args:
        costs: Cost of each point, lower is better; None where unknown.
        scores: Score of each point, higher is better; None where undefined.

    Returns:
        Places of the front's points, cheapest first; a point that lacks either is on no front.

    Example:
        >>> pareto_front([1, 2, 3, None], [0.7, 0.9, 0.8, 0.99])
        [0, 1]
    """
    known = [
        (cost, -score, place)
        for place, (cost, score) in enumerate(zip(costs, scores, strict=True))
        if cost is not None and score is not None
    ]
    front: list[tuple[float, float, int]] = []
    for point in sorted(known):
        # Equal in both to what is there already is no worse than it.
        if not front or point[1] < front[-1][1] or point[:2] == front[-1][:2]:
            front.append(point)
    return [place for _, _, place in front]
