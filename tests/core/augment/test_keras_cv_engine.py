"""KerasCV's layers in place of the lab's operations: the same bytes again, and what the layer is for."""

import numpy as np
import pytest

from wbc_core.augment.keras_cv_engine import BATCH, LAYERS, keras_cv_transforms
from wbc_core.augment.recipe import check_operations
from wbc_core.records import Operation

# KerasCV and TensorFlow warn of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

SHAPE = (32, 32, 3)


@pytest.mark.parametrize("name", ["random_cutout", "grid_mask", "auto_contrast", "hue"])
def test_a_seed_gives_the_same_bytes(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (BATCH + 6, *SHAPE), dtype=np.uint8)
    operations = check_operations([Operation(name)])
    first, again = (keras_cv_transforms(operations, 7, SHAPE)[0](images, {}) for _ in range(2))
    assert first.shape == images.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    if name != "auto_contrast":
        assert (first != keras_cv_transforms(operations, 8, SHAPE)[0](images, {})).any()


def test_parameters_reach_the_layer() -> None:
    white = np.full((20, *SHAPE), 255, np.uint8)
    cutout = Operation("random_cutout", {"height_factor": 0.3, "width_factor": 0.3, "fill_value": 9.0})
    covered = keras_cv_transforms(check_operations([cutout]), 0, SHAPE)[0](white, {})
    assert set(np.unique(covered)) == {9, 255}
    assert 0 < (covered == 9).mean() <= 0.09 + 0.05


def test_every_operation_it_offers_is_in_the_registry() -> None:
    assert len(check_operations([Operation(name) for name in LAYERS])) == len(LAYERS)
