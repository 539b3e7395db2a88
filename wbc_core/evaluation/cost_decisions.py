"""What a run's mix-ups cost, and what deciding by least expected cost saves."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wbc_core.evaluation.confidence import labels_and_probabilities, report_temperature
from wbc_core.evaluation.intervals import DRAWS, percentile_interval, wilson
from wbc_core.evaluation.metrics import Floats, Integers, confusion_matrix
from wbc_core.evaluation.mixup_costs import checked_costs, equal_costs, load_costs
from wbc_core.evaluation.reports import load_predictions, load_report
from wbc_core.evaluation.temperature import with_temperature
from wbc_core.records import Json
from wbc_core.workspace import Workspace

_PER = 100
"""Images that the expected cost is given for."""


def least_cost_decisions(probabilities: npt.ArrayLike, costs: npt.ArrayLike) -> Integers:
    """The class whose expected cost is least: argmin over j of sum_i p_i C[i, j].

    Elkan, "The foundations of cost-sensitive learning", IJCAI 2001, equation 1.

    Args:
        probabilities: Floats (n, K), rows summing to 1; calibrated, since their size counts and not only
            their order.
        costs: Floats (K, K), [true][predicted].

    Returns:
        Integers (n,). Of equal expected costs the more probable class.

    Example:
        >>> least_cost_decisions([[0.7, 0.3], [0.9, 0.1]], [[0, 1], [5, 0]]).tolist()
        [1, 0]
    """
    table = np.asarray(probabilities, dtype=np.float64)
    expected = table @ np.asarray(costs, dtype=np.float64)
    # Two sums that are equal on paper differ in the last digit.
    near = expected <= expected.min(axis=1, keepdims=True) * (1 + 1e-9) + 1e-12
    return np.asarray(np.where(near, table, -1.0).argmax(axis=1), dtype=np.int64)


def _ranked_mixups(confusion: Integers, costs: Floats, class_names: Sequence[str]) -> list[Json]:
    """The mix-ups that cost something, the dearest in all first."""
    spent = confusion * costs
    total, images = spent.sum(), max(int(confusion.sum()), 1)
    cells = [(int(i), int(j)) for i, j in np.argwhere(spent > 0)]
    return [
        {
            "true": class_names[i],
            "predicted": class_names[j],
            "images": int(confusion[i, j]),
            "cost": float(costs[i, j]),
            "per_100_images": float(_PER * spent[i, j] / images),
            "share": float(spent[i, j] / total),
        }
        for i, j in sorted(cells, key=lambda cell: (-spent[cell], cell))
    ]


def _drawn_costs(
    labels: Integers, first: Integers, second: Integers, costs: Floats, generator: np.random.Generator
) -> Floats:
    """Costs per 100 images of two ways to decide, floats (2, draws), in every draw of a stratified bootstrap.

    All that counts of an image is its class and the two decisions, so one multinomial draw over the observed
    pairs of a class replaces drawing its images one by one.
    """
    sums, size = np.zeros((2, DRAWS)), len(costs)
    for label in np.unique(labels):
        chosen = labels == label
        pairs, counts = np.unique(first[chosen] * size + second[chosen], return_counts=True)
        drawn = generator.multinomial(counts.sum(), counts / counts.sum(), size=DRAWS)
        sums += [drawn @ costs[label, pairs // size], drawn @ costs[label, pairs % size]]
    return np.asarray(_PER * sums / max(1, len(labels)))


def kept_cost(
    workspace: Workspace, class_names: Sequence[str], labels: Integers, predicted: Integers
) -> Json:
    """What predictions cost by the matrix that the lab has set.

    Returns:
        `mixup_cost`, per 100 images, and its 95 % bootstrap interval `mixup_cost_ci`; None where the lab has
        set no costs for these classes.
    """
    costs = load_costs(workspace, class_names)
    if costs is None or not len(labels):
        return {"mixup_cost": None, "mixup_cost_ci": None}
    drawn = _drawn_costs(labels, predicted, predicted, costs, np.random.default_rng(0))
    interval = percentile_interval(drawn[0])
    return {
        "mixup_cost": float(_PER * costs[labels, predicted].mean()),
        "mixup_cost_ci": list(interval) if interval else None,
    }


def cost_figures(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    costs: npt.ArrayLike,
    class_names: Sequence[str],
    *,
    seed: int = 0,
) -> Json:
    """Compute what the mix-ups of predictions cost, decided by probability and by least expected cost.

    Args:
        labels: True labels, integers (n,).
        probabilities: Floats (n, K), rows summing to 1; calibrated where they can be.
        costs: Floats (K, K), [true][predicted], zeros on the diagonal.
        class_names: K names, in class order.
        seed: Seed of the bootstrap.

    Returns:
        Per 100 images, each with the 95 % interval `NAME_ci` of one stratified bootstrap: `most_probable`
        and `least_cost`, the cost of either way to decide; `saved`, the first minus the second on the same
        images. `changed`, images that are decided otherwise; `accuracy` and `accuracy_least_cost` with
        Wilson's intervals; `mixups` and `mixups_least_cost`, each ranked by what they cost in all.

    Raises:
        WbcError: The costs are refused by `mixup_costs.checked_costs`.
    """
    truth, table = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    matrix = checked_costs(costs, class_names)
    probable, cheapest = table.argmax(axis=1), least_cost_decisions(table, matrix)
    figures: Json = {"images": len(truth), "costs": matrix.tolist()}
    drawn = _drawn_costs(truth, probable, cheapest, matrix, np.random.default_rng(seed))
    spent = [
        float(_PER * matrix[truth, decided].mean()) if len(truth) else 0.0 for decided in (probable, cheapest)
    ]
    values = {"most_probable": spent[0], "least_cost": spent[1], "saved": spent[0] - spent[1]}
    for name, draws in zip(values, (drawn[0], drawn[1], drawn[0] - drawn[1]), strict=True):
        interval = percentile_interval(draws) if len(truth) else None
        figures[name] = values[name] if len(truth) else None
        figures[f"{name}_ci"] = list(interval) if interval else None
    figures["changed"] = int((probable != cheapest).sum())
    for end, decided in (("", probable), ("_least_cost", cheapest)):
        hits = int((decided == truth).sum())
        interval = wilson(hits, len(truth))
        figures[f"accuracy{end}"] = hits / len(truth) if len(truth) else None
        figures[f"accuracy{end}_ci"] = list(interval) if interval else None
        confusion = confusion_matrix(truth, decided, len(class_names))
        figures[f"mixups{end}"] = _ranked_mixups(confusion, matrix, class_names)
    return figures


def report_costs(
    workspace: Workspace, run_id: str, name: str | None = None, costs: npt.ArrayLike | None = None
) -> Json:
    """What the mix-ups of a report cost; see `cost_figures`.

    Args:
        workspace: The lab.
        run_id: Id of the run.
        name: Name of the report; the most telling one by default.
        costs: Floats (K, K), [true][predicted]; by default those that the lab has set for these classes, and
            1 for every mix-up where it has set none.

    Returns:
        Those figures, and `temperature`: the one that the probabilities were calibrated with, None where no
        honest one is to be had, so that they are as trained.

    Raises:
        WbcError: The run has no such report, or the costs are refused.
    """
    report = load_report(workspace, run_id, name)
    classes = report["classes"]
    labels, probabilities = labels_and_probabilities(load_predictions(workspace, run_id, name))
    temperature = report_temperature(workspace, report)
    if temperature is not None:
        probabilities = with_temperature(probabilities, temperature)
    if costs is None:
        kept = load_costs(workspace, classes)
        costs = equal_costs(len(classes)) if kept is None else kept
    return {"temperature": temperature, **cost_figures(labels, probabilities, costs, classes)}
