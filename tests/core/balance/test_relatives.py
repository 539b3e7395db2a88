"""Borderline-SMOTE and ADASYN, against imbalanced-learn; the samplers that it runs itself."""

import numpy as np
import pytest
from imblearn.over_sampling import ADASYN, SVMSMOTE, BorderlineSMOTE

from wbc_core.balance import draw_plan, target_counts
from wbc_core.balance.neighbours import PixelSpace
from wbc_core.balance.relatives import draw_adasyn, draw_borderline, foreign_neighbours
from wbc_core.balance.smote import interpolate

NAMES = ["large", "small"]


@pytest.fixture
def images() -> np.ndarray:
    """100 images of two classes whose colours overlap in part."""
    generator = np.random.default_rng(3)
    brightness = np.concatenate([generator.integers(0, 120, 70), generator.integers(80, 200, 30)])
    noise = generator.integers(0, 40, (100, 3, 3, 3))
    return (brightness[:, None, None, None] + noise).astype(np.uint8)


ROWS = [np.arange(70), np.arange(70, 100)]
LABELS = np.repeat([0, 1], [70, 30])


def test_those_in_danger_are_those_of_imbalanced_learn(images: np.ndarray) -> None:
    sampler = BorderlineSMOTE(random_state=0)
    sampler.fit_resample(images.reshape(100, -1).astype(float), LABELS)
    foreign, m = foreign_neighbours(PixelSpace(images), ROWS, 1, 10)
    danger = np.flatnonzero((2 * foreign >= m) & (foreign < m))
    assert 3 < len(danger) < 27
    np.testing.assert_array_equal(ROWS[1][danger], sampler.in_danger_indices[1])


def test_borderline_samples_are_those_of_imbalanced_learn(images: np.ndarray) -> None:
    flat = images.reshape(100, -1).astype(float)
    theirs = BorderlineSMOTE(random_state=7).fit_resample(flat, LABELS)[0][100:]
    foreign, m = foreign_neighbours(PixelSpace(images), ROWS, 1, 10)
    danger = np.flatnonzero((2 * foreign >= m) & (foreign < m))

    class Theirs:
        """Draws as the legacy generator of imbalanced-learn does."""

        def __init__(self) -> None:
            self.state = np.random.RandomState(7)

        def integers(self, low: int, high: int, size: int) -> np.ndarray:
            assert high == 5 * len(danger)
            return self.state.randint(low, high, size)

        def random(self, size: int) -> np.ndarray:
            return self.state.uniform(size=size)

    drawn = draw_borderline(PixelSpace(images), ROWS, 1, 40, Theirs())  # type: ignore[arg-type]
    np.testing.assert_array_equal(interpolate(images, drawn, 0, 40).reshape(40, -1), np.rint(theirs))


def test_adasyn_starts_where_imbalanced_learn_does(images: np.ndarray) -> None:
    flat = images.reshape(100, -1).astype(float)
    theirs = ADASYN(random_state=1).fit_resample(flat, LABELS)[0]
    drawn = draw_adasyn(PixelSpace(images), ROWS, 1, 40, np.random.default_rng(1))
    assert len(drawn) == 40
    foreign, _ = foreign_neighbours(PixelSpace(images), ROWS, 1, 5)
    rounded = np.rint(foreign / foreign.sum() * 40).astype(int)
    assert len(theirs) - 100 == rounded.sum()
    ours = np.bincount(drawn.base - 70, minlength=30)
    assert np.abs(ours - rounded).max() <= 1
    assert ours[foreign == 0].sum() == 0


@pytest.mark.parametrize("plan", ["borderline_smote", "adasyn"])
def test_classes_far_apart_get_plain_smote(plan: str, images: np.ndarray) -> None:
    apart = images.copy()
    apart[:70] //= 8
    apart[70:] = 200 + images[70:] // 8
    drawn = draw_plan(plan, apart, ROWS, 0, NAMES)[1]
    assert len(drawn) == 70
    assert len(set(drawn.base[30:].tolist())) > 15


@pytest.mark.parametrize("space", ["pixels", "features"])
def test_what_imbalanced_learn_makes_is_traced_to_its_parents(images: np.ndarray, space: str) -> None:
    parameters = {} if space == "pixels" else {"neighbours": "features"}
    drawn = draw_plan("svm_smote", images, ROWS, 5, NAMES, parameters=parameters)[1]
    made = drawn.neighbour >= 0
    assert made.sum() > 10
    assert (drawn.factor[made] < 1).all()
    assert len(drawn) <= target_counts("svm_smote", [70, 30])[1]


def test_traced_samples_are_those_of_imbalanced_learn(images: np.ndarray) -> None:
    flat = images.reshape(100, -1).astype(np.float32)
    seed = int(np.random.default_rng(np.random.SeedSequence(5, spawn_key=(0, 2, 0))).integers(2**31))
    theirs = SVMSMOTE(random_state=seed).fit_resample(flat, LABELS)[0][100:]
    drawn = draw_plan("svm_smote", images, ROWS, 5, NAMES)[1]
    ours = interpolate(images, drawn, 30, len(drawn)).reshape(-1, 27)
    # Theirs is computed in float32: a value at a half may round to the other side.
    assert np.abs(ours - np.clip(theirs, 0, 255)).max() <= 0.5 + 1e-4
