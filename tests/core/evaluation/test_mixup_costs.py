"""Costs of mix-ups: the matrix, its record and its CSV file, and decisions by least expected cost."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.results_lab import NAMES, RUN, add_report, add_run, build_dataset, build_split
from wbc_core.errors import WbcError
from wbc_core.evaluation.cost_decisions import cost_figures, least_cost_decisions, report_costs
from wbc_core.evaluation.mixup_costs import (
    checked_costs,
    costs_as_csv,
    costs_from_csv,
    equal_costs,
    keep_costs,
    load_costs,
    missing_costs,
    rarity_costs,
    read_costs,
)
from wbc_core.workspace import Workspace

COSTS = np.array([[0, 1, 2.5], [30, 0, 1], [1, 1, 0]])


def test_costs_are_kept_for_a_list_of_classes(workspace: Workspace) -> None:
    assert load_costs(workspace, NAMES) is None
    record = keep_costs(workspace, COSTS, NAMES)
    assert load_costs(workspace, NAMES).tolist() == COSTS.tolist() == record["costs"]
    assert load_costs(workspace, NAMES[::-1]) is None
    assert keep_costs(workspace, equal_costs(3), NAMES)["id"] == record["id"]
    assert load_costs(workspace, NAMES)[1, 0] == 1


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        (np.eye(3), "Recognising basophil must cost nothing"),
        (-COSTS, "cost of taking basophil for lymphocyte"),
        (COSTS * np.nan, "cannot be used"),
        (COSTS[:2], "do not fit the classes"),
        (COSTS * 0, "No mix-up costs anything"),
        ([["0", "x", "1"]] * 3, "no number"),
        ([[0, 1], [1]], "no number"),
    ],
)
def test_costs_without_sense_are_refused(workspace: Workspace, costs: object, told: str) -> None:
    with pytest.raises(WbcError, match=told):
        keep_costs(workspace, costs, NAMES)
    assert load_costs(workspace, NAMES) is None


def test_a_table_of_costs_goes_out_and_comes_back_in_any_order(tmp_path: Path) -> None:
    names = ("=a", "b, c", "d")
    text = costs_as_csv(COSTS, names)
    assert costs_from_csv(text, names).tolist() == COSTS.tolist()
    head, *rows = text.splitlines()
    path = tmp_path / "costs.csv"
    path.write_text("\n".join([head, *rows[::-1]]), encoding="utf-8-sig")
    assert read_costs(path, names).tolist() == COSTS.tolist()
    for wrong in (
        "",
        "x",
        text.replace("d", "e"),
        text + "d,1,1,0\n",
        text.replace("30", ""),
        "," + "x" * 140_000,
    ):
        with pytest.raises(WbcError):
            costs_from_csv(wrong, names)
    with pytest.raises(WbcError, match="cannot be read"):
        read_costs(tmp_path / "none.csv", names)


def test_presets_say_what_they_are_called() -> None:
    assert missing_costs(3, 1, 10).tolist() == [[0, 1, 1], [10, 0, 10], [1, 1, 0]]
    assert rarity_costs([100, 50, 0]).tolist() == [[0, 1, 1], [2, 0, 2], [100, 100, 0]]
    assert checked_costs(equal_costs(1), ["only"]).tolist() == [[0.0]]


tables = st.lists(st.tuples(*[st.floats(0.01, 1)] * 3), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_no_other_decision_has_a_smaller_expected_cost(drawn: list[tuple[float, ...]]) -> None:
    table = np.array(drawn) / np.sum(drawn, axis=1, keepdims=True)
    decided = least_cost_decisions(table, COSTS)
    for line, chosen in zip(table, decided, strict=True):
        each = [sum(line[i] * COSTS[i, j] for i in range(3)) for j in range(3)]
        assert each[chosen] == pytest.approx(min(each), abs=1e-9)
    assert least_cost_decisions(table, equal_costs(3)).tolist() == table.argmax(axis=1).tolist()


def test_figures_follow_from_the_confusion_and_saving_is_paired() -> None:
    generator = np.random.default_rng(0)
    table = generator.dirichlet([0.5] * 3, 600)
    labels = (table.cumsum(axis=1) > generator.random((600, 1))).argmax(axis=1)
    figures = cost_figures(labels, table, COSTS, NAMES)
    spent = COSTS[labels, table.argmax(axis=1)]
    assert figures["most_probable"] == pytest.approx(100 * spent.mean(), abs=1e-9)
    low, high = figures["most_probable_ci"]
    assert low < figures["most_probable"] < high
    # The probabilities are the true ones, so that least expected cost must save.
    assert 0 < figures["saved_ci"][0] < figures["saved"] < figures["saved_ci"][1]
    assert figures["accuracy_least_cost"] < figures["accuracy"]
    dearest = figures["mixups"][0]
    assert (dearest["true"], dearest["predicted"], dearest["cost"]) == ("lymphocyte", "basophil", 30)
    assert sum(entry["per_100_images"] for entry in figures["mixups"]) == pytest.approx(
        figures["most_probable"]
    )
    assert sum(entry["share"] for entry in figures["mixups"]) == pytest.approx(1)
    assert cost_figures(labels, table, COSTS, NAMES) == figures
    assert cost_figures([], np.empty((0, 3)), COSTS, NAMES)["saved"] is None


def test_a_report_is_costed_with_what_the_lab_has_set(workspace: Workspace) -> None:
    _, prepared = build_split(workspace, build_dataset(workspace), fractions=(0.4, 0.3, 0.3))
    run = add_run(workspace, prepared, RUN)
    report = add_report(workspace, run, right=0.7)
    figures = report_costs(workspace, RUN)
    assert figures["most_probable"] == pytest.approx(100 * (1 - report["accuracy"]))
    assert (figures["saved"], figures["changed"], figures["temperature"]) == (0, 0, None)
    add_report(workspace, run, right=0.6, seed=1, part="validation")
    keep_costs(workspace, COSTS, NAMES)
    figures = report_costs(workspace, RUN)
    assert figures["costs"] == COSTS.tolist()
    assert figures["temperature"] > 0
    assert report_costs(workspace, RUN, "validation")["temperature"] is None
