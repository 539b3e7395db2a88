"""Class weights, against scikit-learn and the numbers of the paper."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from wbc_core.balance.weights import class_weights
from wbc_core.errors import WbcError

COUNTS = [852, 2181, 1085, 2026, 849, 993, 2330, 1643]


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    labels = np.repeat(np.arange(8), COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(8), y=labels)
    ours = class_weights(COUNTS, "balanced")
    assert ours is not None
    np.testing.assert_allclose(list(ours.values()), expected)


@pytest.mark.parametrize("beta", [0.9, 0.99, 0.999, 0.9999])
def test_effective_numbers_follow_equation_2_of_the_paper(beta: float) -> None:
    # E_n = (1 - beta^n) / (1 - beta) is also 1 + beta + .. + beta^(n - 1), lemma 1 of Cui et al. 2019.
    effective = np.array([sum(beta**power for power in range(count)) for count in COUNTS])
    expected = 8 * (1 / effective) / (1 / effective).sum()
    ours = class_weights(COUNTS, "effective_number", beta)
    assert ours is not None
    np.testing.assert_allclose(list(ours.values()), expected)


def test_towards_one_the_effective_number_is_the_number() -> None:
    ours, balanced = class_weights(COUNTS, "effective_number", 1 - 1e-12), class_weights(COUNTS, "balanced")
    assert ours is not None
    assert balanced is not None
    ratio = np.array(list(ours.values())) / np.array(list(balanced.values()))
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_classes_without_images_have_no_weight() -> None:
    assert class_weights([0, 5, 5], "effective_number") == pytest.approx({1: 1, 2: 1})
    assert class_weights([0, 0], "balanced") is None
    assert class_weights([4, 2], "none") is None
    with pytest.raises(WbcError, match="effective_number"):
        class_weights([1], "inverse")
