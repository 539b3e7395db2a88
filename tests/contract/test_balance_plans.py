"""What every balance plan promises."""

import numpy as np
import pytest

from wbc_core.balance import PLANS, draw_plan, smote_examples, target_counts
from wbc_core.errors import WbcError

COUNTS = [7, 12, 0, 3]
NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)


@pytest.fixture
def rows() -> list[np.ndarray]:
    # Rows 22.. are held out.
    order = np.random.default_rng(1).permutation(22)
    return [np.sort(part) for part in np.split(order, np.cumsum(COUNTS)[:-1])]


@pytest.mark.parametrize("name", PLANS.names())
class TestPlan:
    def test_draws_the_counts_it_foretold(self, name: str, images: np.ndarray, rows: list) -> None:
        assert [len(drawn) for drawn in draw_plan(name, images, rows, 0, NAMES)] == target_counts(
            name, COUNTS
        )

    def test_touches_train_rows_of_the_class_only(self, name: str, images: np.ndarray, rows: list) -> None:
        for own, drawn in zip(rows, draw_plan(name, images, rows, 0, NAMES), strict=True):
            assert np.isin(drawn.base, own).all()
            assert np.isin(drawn.neighbour[drawn.neighbour >= 0], own).all()

    def test_same_seed_same_draw(self, name: str, images: np.ndarray, rows: list) -> None:
        once, again = draw_plan(name, images, rows, 3, NAMES), draw_plan(name, images, rows, 3, NAMES)
        for left, right in zip(once, again, strict=True):
            np.testing.assert_array_equal(left.base, right.base)
            np.testing.assert_array_equal(left.neighbour, right.neighbour)
            np.testing.assert_array_equal(left.factor, right.factor)

    def test_keeps_every_real_image_first_unless_it_must_drop(
        self, name: str, images: np.ndarray, rows: list
    ) -> None:
        for own, drawn in zip(rows, draw_plan(name, images, rows, 0, NAMES), strict=True):
            if len(drawn) >= len(own):
                np.testing.assert_array_equal(drawn.base[: len(own)], own)
            else:
                assert len(set(drawn.base.tolist())) == len(drawn)

    def test_has_words_for_the_page(self, name: str, images: np.ndarray, rows: list) -> None:
        plan = PLANS.get(name)
        assert plan.title
        assert plan.description.endswith(".")
        assert plan.source


def test_over_sampling_spreads_its_copies(images: np.ndarray, rows: list) -> None:
    copies = draw_plan("random_over", images, rows, 0, NAMES)[3].base[3:]
    assert sorted(np.unique(copies, return_counts=True)[1].tolist()) == [3, 3, 3]


def test_an_unknown_plan_lists_the_valid_ones() -> None:
    with pytest.raises(WbcError, match="none, random_under, random_over, smote"):
        target_counts("adasyn", COUNTS)


def test_a_class_of_one_image_says_what_to_do(images: np.ndarray) -> None:
    with pytest.raises(WbcError, match=r"Class 'b': .*random_over"):
        draw_plan("smote", images, [np.arange(5), np.array([9])], 0, NAMES)


def test_the_examples_are_the_first_that_the_plan_draws(images: np.ndarray, rows: list) -> None:
    planned = draw_plan("smote", images, rows, 2, NAMES)[0]
    shown = smote_examples(images, rows, 0, 2, 4)
    np.testing.assert_array_equal(shown.base, planned.base[7:11])
    np.testing.assert_array_equal(shown.neighbour, planned.neighbour[7:11])
    np.testing.assert_array_equal(shown.factor, planned.factor[7:11])
    assert len(smote_examples(images, rows, 1, 2, 4)) == 4  # the largest class needs none
