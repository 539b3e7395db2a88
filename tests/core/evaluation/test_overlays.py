"""Overlays and the mix-ups behind them: colour where a map says something, nothing where it is silent."""

import numpy as np
import pandas as pd

from tests.results_lab import pictures
from wbc_core.evaluation.browsing import commonest_mix_ups
from wbc_core.evaluation.overlays import GRAD_CAM, OCCLUSION, overlay, ramp


def test_a_silent_map_leaves_the_grey_image() -> None:
    image = pictures([1])[0]
    for scale in (GRAD_CAM, OCCLUSION):
        drawn = overlay(image, np.zeros((32, 32), np.float32), scale, 0.0)
        assert (drawn == drawn[..., :1]).all()
        grey = image @ np.array([0.299, 0.587, 0.114])
        assert np.abs(drawn[..., 0] - grey).max() <= 0.5 + 1e-3


def test_gains_are_blue_losses_are_orange_and_the_scale_saturates() -> None:
    image = np.full((1, 3, 3), 150, np.uint8)
    low, high, beyond = overlay(image, np.array([[-0.2, 0.2, 9.0]], np.float32), OCCLUSION, 0.2)[0].astype(
        int
    )
    assert low[2] > low[0]
    assert high[0] > high[2]
    np.testing.assert_array_equal(high, beyond)


def test_the_ramp_runs_from_the_lowest_value_to_the_highest() -> None:
    drawn = ramp(OCCLUSION, width=41).astype(int)
    assert drawn.shape == (12, 41, 3)
    assert (drawn[0, 20] == 150).all()
    assert drawn[0, 0, 2] > drawn[0, 0, 0]
    assert (ramp(GRAD_CAM)[:, 0] == 150).all()


def test_the_fullest_cells_off_the_diagonal_come_first() -> None:
    cells = [(0, 1)] * 2 + [(1, 1)] * 9 + [(2, 0)] * 3 + [(1, 0)] * 2
    predictions = pd.DataFrame(cells, columns=["label", "predicted"])
    predictions["image_id"] = [f"id{row}" for row in range(len(cells))]
    found = commonest_mix_ups(predictions, 2)
    assert [(cell.true, cell.predicted, len(cell.image_ids)) for cell in found] == [(2, 0, 3), (0, 1, 2)]
    assert found[1].image_ids == ("id0", "id1")
    assert commonest_mix_ups(predictions[predictions["label"] == 1].head(9), 2) == []
