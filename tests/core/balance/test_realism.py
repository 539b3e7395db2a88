"""The ghost score ranks two nuclei blended above what a cell could look like."""

import numpy as np
import pytest

from wbc_core.balance.realism import GHOST, ghost_scores, nucleus_mask
from wbc_core.balance.smote import SmoteDraw
from wbc_core.datasets.synthetic import draw_cells


def moved(image: np.ndarray, distance: float, angle: float) -> np.ndarray:
    shift = (round(distance * np.sin(angle)), round(distance * np.cos(angle)))
    return np.roll(image, shift, (0, 1))


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    generator = np.random.default_rng(0)
    # Drawn platelets are the last class: too small to overlap with themselves two pixels on.
    return draw_cells(generator, np.repeat(np.arange(7), 6))


def test_hand_made_ghosts_rank_above_what_a_cell_could_look_like(cells: np.ndarray) -> None:
    generator = np.random.default_rng(1)
    count = len(cells)
    far = np.stack([moved(cell, generator.uniform(20, 40), generator.uniform(0, 6.3)) for cell in cells])
    near = np.stack([moved(cell, generator.uniform(1, 2), generator.uniform(0, 6.3)) for cell in cells])
    images = np.concatenate([cells, far, near])
    factor = generator.uniform(0.3, 0.7, count)
    base = np.arange(count)
    ghosts = ghost_scores(images, SmoteDraw(base, base + count, factor))
    likely = ghost_scores(images, SmoteDraw(base, base + 2 * count, factor))
    assert (ghosts[:, None] > likely[None]).mean() > 0.98
    assert (ghosts >= GHOST).mean() > 0.9
    assert (likely >= GHOST).mean() < 0.1


def test_the_ends_of_the_factor_and_copies_are_no_ghosts(cells: np.ndarray) -> None:
    images = np.stack([cells[0], moved(cells[0], 40, 0.0)])
    base, neighbour = np.zeros(5, dtype=int), np.array([1, 1, 1, 1, -1])
    scores = ghost_scores(images, SmoteDraw(base, neighbour, np.array([0.0, 0.1, 0.5, 1.0, 0.5])))
    assert scores[0] == scores[3] == scores[4] == 0
    assert 0 < scores[1] < scores[2] <= 1


def test_a_nucleus_is_found_without_colour(cells: np.ndarray) -> None:
    grey = cells[0].mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    coloured, dark = nucleus_mask(cells[0]), nucleus_mask(grey)
    assert coloured.any()
    assert (coloured & dark).sum() > 0.5 * coloured.sum()
    flat = np.full((8, 8, 3), 90, np.uint8)
    assert (
        ghost_scores(np.stack([flat, flat]), SmoteDraw(np.array([0]), np.array([1]), np.array([0.5])))[0] == 0
    )
