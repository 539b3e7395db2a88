"""The nearest real image of a synthetic one, without looking at a pixel again."""

import numpy as np
import pytest

from wbc_core.balance.surroundings import surroundings


@pytest.mark.parametrize("factor", [0.0, 0.31, 0.5, 1.0])
def test_it_is_what_the_pixels_say(factor: float) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 3), dtype=np.uint8)
    rows = np.arange(2, 25)
    row, distance = surroundings(images, rows, 5, 9).nearest(factor) or (-1, 0.0)
    made = (1 - factor) * images[5].astype(float) + factor * images[9]
    others = np.setdiff1d(rows, [5, 9])
    known = np.sqrt(((images[others] - made) ** 2).mean(axis=(1, 2, 3)))
    assert row == others[known.argmin()]
    assert distance == pytest.approx(known.min())


def test_the_candidates_are_the_nearest_at_every_factor() -> None:
    images = np.random.default_rng(1).integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
    around = surroundings(images, np.arange(60), 5, 9)
    rows = set(around.rows[around.candidates()].tolist())
    assert rows == {around.nearest(factor)[0] for factor in np.linspace(0, 1, 101)}


def test_a_class_of_two_has_no_other() -> None:
    images = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    around = surroundings(images, np.arange(2), 0, 1)
    assert around.nearest(0.5) is None
    assert len(around.candidates()) == 0
