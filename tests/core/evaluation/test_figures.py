"""The bootstrap of every figure: stratified, seeded, in blocks, and spread as theory says."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from wbc_core.evaluation import resampling
from wbc_core.evaluation.figures import WeightedFigures, bootstrap_figures


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    """Labels (90,) of three unequal classes and probabilities (90, 3) in hundredths, which tie."""
    generator = np.random.default_rng(5)
    labels = np.repeat(np.arange(3), (50, 30, 10))
    table = generator.dirichlet(np.ones(3), 90) + np.eye(3)[labels] / 2
    return labels, (table / 1.5).round(2)


def test_every_draw_keeps_the_size_of_each_class(
    predictions: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, table = predictions
    monkeypatch.setattr(resampling, "_BLOCK", 90 * 64)
    weighted, seen = WeightedFigures(labels, table), []

    def remembered(weights: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(weights.copy())
        return weighted(weights)

    drawn = bootstrap_figures(labels, remembered, np.random.default_rng(0), 150)
    weights = np.concatenate(seen, axis=1)
    assert [part.shape[1] for part in seen] == [64, 64, 22]
    assert {name: len(values) for name, values in drawn.items()} == dict.fromkeys(drawn, 150)
    for label, size in enumerate((50, 30, 10)):
        assert (weights[labels == label].sum(axis=0) == size).all()
    # No image is drawn more readily than another of its class.
    assert weights.mean(axis=1) == pytest.approx(np.ones(90), abs=0.35)


def test_a_draw_scores_as_its_images_do_in_scikit_learn(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    labels, table = predictions
    weights = np.random.default_rng(1).multinomial(90, np.full(90, 1 / 90), size=4).T.astype(float)
    ours = WeightedFigures(labels, table)(weights)
    for place in range(4):
        rows = np.repeat(np.arange(90), weights[:, place].astype(int))
        true, chances = labels[rows], table[rows]
        f1 = f1_score(true, chances.argmax(axis=1), average=None)
        assert ours["f1"][place] == pytest.approx(f1, abs=1e-12)
        for k in range(3):
            area, average = (
                score(true == k, chances[:, k]) for score in (roc_auc_score, average_precision_score)
            )
            assert ours["auc"][place, k] == pytest.approx(area, abs=1e-12)
            assert ours["average_precision"][place, k] == pytest.approx(average, abs=1e-12)


def test_recall_is_drawn_from_its_binomial_distribution(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    labels, table = predictions
    weighted = WeightedFigures(labels, table)
    drawn = bootstrap_figures(labels, weighted, np.random.default_rng(0), 4000)["recall"]
    share = float(weighted(np.ones((90, 1)))["recall"][0, 0])
    assert 0 < share < 1
    expected = stats.binom(50, share)
    assert drawn[:, 0].mean() == pytest.approx(share, abs=4 * expected.std() / 50 / 4000**0.5)
    assert drawn[:, 0].std() == pytest.approx(expected.std() / 50, rel=0.1)


def test_the_same_seed_gives_the_same_bytes(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    labels, table = predictions
    weighted = WeightedFigures(labels, table)
    one, two, other = (
        bootstrap_figures(labels, weighted, np.random.default_rng(seed), 50) for seed in (7, 7, 8)
    )
    assert all(values.tobytes() == two[name].tobytes() for name, values in one.items())
    assert one["auc"].tobytes() != other["auc"].tobytes()
