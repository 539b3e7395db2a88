"""What every balance plan promises."""

import numpy as np
import pytest

from wbc_core.balance import PLANS, check_parameters, draw_plan, smote_examples, target_counts
from wbc_core.balance.samplers import check_memory
from wbc_core.errors import WbcError

COUNTS = [27, 42, 0, 12]
NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def images() -> np.ndarray:
    generator = np.random.default_rng(0)
    # The classes overlap, but each is at home somewhere: k-means SMOTE asks for that.
    brightness = generator.integers(0, 60, (110, 1, 1, 3))
    brightness[order()[:27]] += 90
    return (brightness + generator.integers(0, 100, (110, 4, 4, 3))).astype(np.uint8)


def order() -> np.ndarray:
    # Rows 81.. are held out.
    return np.random.default_rng(1).permutation(81)


@pytest.fixture
def rows() -> list[np.ndarray]:
    return [np.sort(part) for part in np.split(order(), np.cumsum(COUNTS)[:-1])]


@pytest.mark.parametrize("name", PLANS.names())
class TestPlan:
    def test_draws_the_counts_it_foretold(self, name: str, images: np.ndarray, rows: list) -> None:
        drawn = [len(draw) for draw in draw_plan(name, images, rows, 0, NAMES)]
        foretold = target_counts(name, COUNTS)
        if PLANS.get(name).about:
            assert drawn[2] == 0
            assert sum(drawn) <= sum(foretold) + 8
        else:
            assert drawn == foretold

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
            if len(drawn) >= len(own) and not PLANS.get(name).about:
                np.testing.assert_array_equal(drawn.base[: len(own)], own)
            real = drawn.base[drawn.neighbour < 0]
            assert len(set(real.tolist())) == min(len(real), len(own))
            assert (drawn.neighbour[len(real) :] >= 0).all()

    def test_every_parameter_is_heeded(self, name: str, images: np.ndarray, rows: list) -> None:
        settings = {"cap": 20, "targets": {"d": 16}}
        for parameter in PLANS.get(name).parameters:
            settings[parameter] = {"neighbours": "features", "beta": 0.9}[parameter]
        checked = check_parameters(name, settings)
        assert checked == settings
        foretold = target_counts(name, COUNTS, checked, NAMES)
        assert foretold[3] == 16
        assert max(foretold) <= 20
        drawn = draw_plan(name, images, rows, 0, NAMES, parameters=checked)
        if not PLANS.get(name).about:
            assert [len(draw) for draw in drawn] == foretold
        for own, draw in zip(rows, drawn, strict=True):
            assert np.isin(draw.base, own).all()

    def test_has_words_for_the_page(self, name: str, images: np.ndarray, rows: list) -> None:
        plan = PLANS.get(name)
        assert plan.title
        assert plan.description.endswith(".")
        assert plan.source


def test_over_sampling_spreads_its_copies(images: np.ndarray, rows: list) -> None:
    copies = draw_plan("random_over", images, rows, 0, NAMES)[3].base[12:]
    assert set(np.unique(copies, return_counts=True)[1].tolist()) == {2, 3}


def test_an_unknown_plan_lists_the_valid_ones() -> None:
    with pytest.raises(WbcError, match="none, random_under, random_over, smote"):
        target_counts("adasin", COUNTS)


def test_a_class_of_one_image_says_what_to_do(images: np.ndarray) -> None:
    with pytest.raises(WbcError, match=r"Class 'b': .*random_over"):
        draw_plan("smote", images, [np.arange(5), np.array([9])], 0, NAMES)


@pytest.mark.parametrize("parameters", [{}, {"neighbours": "features", "targets": {"a": 40}}])
def test_the_examples_are_the_first_that_the_plan_draws(
    images: np.ndarray, rows: list, parameters: dict
) -> None:
    planned = draw_plan("smote", images, rows, 2, NAMES, parameters=parameters)[0]
    shown = smote_examples(images, rows, 0, 2, 4, parameters, NAMES)
    np.testing.assert_array_equal(shown.base, planned.base[27:31])
    np.testing.assert_array_equal(shown.neighbour, planned.neighbour[27:31])
    np.testing.assert_array_equal(shown.factor, planned.factor[27:31])
    assert len(smote_examples(images, rows, 1, 2, 4)) == 4  # the largest class needs none


@pytest.mark.parametrize(
    ("plan", "parameters", "word"),
    [
        ("none", [], "JSON object"),
        ("none", {"neighbours": "features"}, "'neighbours'"),
        ("smote", {"neighbours": "colours"}, "pixels, features"),
        ("smote", {"cap": 0}, "'cap'"),
        ("smote", {"cap": True}, "'cap'"),
        ("smote", {"cap": 10**9}, "'cap'"),
        ("smote", {"targets": {"a": "many"}}, "'targets' of 'a'"),
        ("smote", {"targets": [3]}, "'targets'"),
        ("effective_number", {"beta": 1}, "'beta'"),
        ("effective_number", {"beta": float("nan")}, "'beta'"),
    ],
)
def test_hostile_parameters_are_named(plan: str, parameters: object, word: str) -> None:
    with pytest.raises(WbcError, match=word):
        check_parameters(plan, parameters)


def test_defaults_are_not_written_down() -> None:
    assert check_parameters("smote", {"neighbours": "pixels", "targets": {}}) == {}
    assert check_parameters("effective_number", {"beta": 0.999}) == {}


@pytest.mark.parametrize("name", ["c", "nobody"])
def test_a_target_for_a_class_without_images_is_refused(name: str) -> None:
    with pytest.raises(WbcError, match=name):
        target_counts("smote", COUNTS, {"targets": {name: 5}}, NAMES)


def test_imbalanced_learn_is_refused_what_it_has_no_memory_for() -> None:
    with pytest.raises(WbcError, match="features"):
        check_memory(10**6, 3 * 224 * 224)
