"""Ensembles: runs of their own whose probabilities are the weighted mean of their members'."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import log_loss

from tests.results_lab import add_report, add_run, build_dataset, build_split
from wbc_core.errors import WbcError
from wbc_core.evaluation.compare import compare
from wbc_core.evaluation.embedding import embed
from wbc_core.evaluation.ensemble import build_ensemble, fit_weights
from wbc_core.evaluation.explain import Explainer
from wbc_core.evaluation.report import evaluate_run
from wbc_core.evaluation.reports import list_reports, load_predictions, load_report, probabilities_of
from wbc_core.records import PreparedSet
from wbc_core.training.runs import list_runs, load_run
from wbc_core.workspace import Workspace

ONE, TWO, THREE = "job-00000000000a", "job-00000000000b", "job-00000000000c"


@pytest.fixture
def prepared(workspace: Workspace) -> PreparedSet:
    return build_split(workspace, build_dataset(workspace), fractions=(0.5, 0.25, 0.25))[1]


def test_fitted_weights_have_the_smallest_log_loss() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 300)
    sharpness = np.array([3.0, 2.0, 0.2])
    logits = generator.normal(size=(3, 300, 3)) + sharpness[:, None, None] * np.eye(3)[labels]
    tables = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)

    def loss(weights: np.ndarray) -> float:
        return log_loss(labels, np.tensordot(weights, tables, axes=1), labels=[0, 1, 2])

    ours = fit_weights(labels, tables)
    sums_to_one = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    theirs = minimize(
        loss, np.full(3, 1 / 3), bounds=[(0, 1)] * 3, constraints=[sums_to_one], options={"ftol": 1e-12}
    )
    assert ours.sum() == pytest.approx(1)
    assert loss(ours) <= theirs.fun + 1e-6
    assert ours == pytest.approx(theirs.x, abs=0.01)


def test_an_ensemble_is_a_run_with_a_model_and_reports(workspace: Workspace, prepared: PreparedSet) -> None:
    members = [
        add_run(workspace, prepared, run_id, model=True, seed=seed) for seed, run_id in enumerate((ONE, TWO))
    ]
    for run in members:
        evaluate_run(workspace, run.id)
    made = build_ensemble(workspace, [TWO, ONE], "validation")
    assert made["members"] == [ONE, TWO]
    assert sum(made["weights"]) == pytest.approx(1)
    assert made["parameters"] == 2 * members[0].parameters
    assert (made["part"], made["chosen_on_part"]) == ("test", False)
    for part in ("test", "validation"):
        tables = [probabilities_of(load_predictions(workspace, run_id, part)) for run_id in (ONE, TWO)]
        expected = np.tensordot(made["weights"], np.stack(tables), axes=1)
        ours = probabilities_of(load_predictions(workspace, made["run"], part))
        assert ours == pytest.approx(expected, abs=1e-5)
    run = load_run(workspace, made["run"])
    assert run in list_runs(workspace)
    assert run.val_accuracy == load_report(workspace, run.id, "validation")["accuracy"]
    assert build_ensemble(workspace, [ONE, TWO], "validation") == made

    entry = compare(workspace, [run.id, ONE, TWO])["runs"][0]
    assert entry["name"] == "ensemble"
    assert [member["run"] for member in entry["members"]] == [ONE, TWO]
    with pytest.raises(WbcError, match="is an ensemble, and an embedding needs a single network"):
        embed(workspace, run.dataset, run.id)
    with pytest.raises(WbcError, match=f"Choose one of its members: {ONE}, {TWO}"):
        Explainer(workspace, run.id)


def test_what_cannot_answer_together_leaves_nothing(workspace: Workspace, prepared: PreparedSet) -> None:
    other = build_split(workspace, build_dataset(workspace), seed=1)[1]
    for run_id, learnt in ((ONE, prepared), (TWO, other), (THREE, prepared)):
        add_report(workspace, add_run(workspace, learnt, run_id), right=0.9)
        (workspace.run_dir(run_id) / "best.keras").write_bytes(b"never opened")
    with pytest.raises(WbcError, match="they differ in their split"):
        build_ensemble(workspace, [ONE, TWO])
    with pytest.raises(WbcError, match="at least two different runs"):
        build_ensemble(workspace, [ONE, ONE])
    with pytest.raises(WbcError, match="mean, validation"):
        build_ensemble(workspace, [ONE, THREE], "best")
    with pytest.raises(WbcError, match=f"`wbc evaluate {ONE}`"):
        build_ensemble(workspace, [ONE, THREE], "validation")
    assert [run.id for run in list_runs(workspace) if run.members] == []
    assert list_reports(workspace, ONE) == ["test"]
