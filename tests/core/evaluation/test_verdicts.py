"""Decisions on a report's images: their reasons name the run, and those after a clean set are counted."""

import numpy as np
import pytest

from tests.results_lab import NAMES, RUN, add_report, add_run, build_dataset, build_split
from wbc_core.curation.clean import clean_set
from wbc_core.curation.review import decide, decide_each, effective_decisions, undo
from wbc_core.errors import WbcError
from wbc_core.evaluation.reports import load_predictions
from wbc_core.evaluation.verdicts import decided_since, verdicts
from wbc_core.workspace import Workspace

IMPORTED = np.repeat([0, 1, 2], [30, 20, 10])


def test_a_verdict_says_what_the_run_took_for_what(workspace: Workspace) -> None:
    dataset = build_dataset(workspace)
    decide(workspace, dataset.id, {0: ("keep", None)}, who="Ada")
    split, prepared = build_split(workspace, dataset)
    add_report(workspace, add_run(workspace, prepared, RUN), right=0.6)
    predictions = load_predictions(workspace, RUN)
    wrong = predictions[predictions["label"] != predictions["predicted"]].iloc[0]
    right = predictions[predictions["label"] == predictions["predicted"]].iloc[0]
    rows = [int(wrong["row"]), int(right["row"])]
    found = verdicts(predictions, RUN, NAMES, IMPORTED, rows, "drop")
    assert found[rows[0]].reason == (
        f"{RUN}: {NAMES[wrong['label']]} taken for {NAMES[wrong['predicted']]}, the image is not usable"
    )
    assert found[rows[1]].reason == f"{RUN}: {NAMES[right['label']]} recognised, the image is not usable"
    # What was decided before the split is part of its clean set.
    assert decided_since(effective_decisions(workspace, dataset.id), split.decisions_head) == {
        "keep": 0,
        "drop": 0,
        "relabel": 0,
    }
    decide_each(workspace, dataset.id, found.items(), who="Ada")
    relabelled = verdicts(predictions, RUN, NAMES, IMPORTED, rows[:1], "relabel", int(wrong["predicted"]))
    decide_each(workspace, dataset.id, relabelled.items(), who="Ada")
    counts = decided_since(effective_decisions(workspace, dataset.id), split.decisions_head)
    assert counts == {"keep": 0, "drop": 1, "relabel": 1}
    undo(workspace, dataset.id, 2, who="Ada")
    assert not any(decided_since(effective_decisions(workspace, dataset.id), split.decisions_head).values())


def test_what_the_report_does_not_know_is_refused(workspace: Workspace) -> None:
    _, prepared = build_split(workspace, build_dataset(workspace))
    add_report(workspace, add_run(workspace, prepared, RUN), right=0.6)
    predictions = load_predictions(workspace, RUN)
    learnt = next(row for row in range(60) if row not in set(predictions["row"]))
    with pytest.raises(WbcError, match=f"not about row {learnt}"):
        verdicts(predictions, RUN, NAMES, IMPORTED, [learnt], "keep")
    with pytest.raises(WbcError, match="unknown"):
        verdicts(predictions, RUN, NAMES, IMPORTED, [int(predictions["row"][0])], "burn")


def test_to_say_that_the_label_is_right_leaves_what_it_was_relabelled_to(workspace: Workspace) -> None:
    dataset = build_dataset(workspace)
    decide(workspace, dataset.id, dict.fromkeys(range(10), ("relabel", 2)), who="Ada", check="label_errors")
    _, prepared = build_split(workspace, dataset)
    add_report(workspace, add_run(workspace, prepared, RUN), right=0.6)
    predictions = load_predictions(workspace, RUN)
    rows = predictions["row"].tolist()
    found = verdicts(predictions, RUN, NAMES, IMPORTED, rows, "keep")
    changed = {row for row, verdict in found.items() if (verdict.action, verdict.label) == ("relabel", 2)}
    assert changed == {row for row in rows if row < 10} != set()
    assert all(verdict.action == "keep" for row, verdict in found.items() if row not in changed)
    before = clean_set(workspace, dataset.id).id
    decide_each(workspace, dataset.id, found.items(), who="Ben")
    assert clean_set(workspace, dataset.id).id == before
