"""Every registered shift: the same row, the same picture; the stronger, the farther from the original."""

import numpy as np
import pytest
from numpy.typing import NDArray

from wbc_core.augment.operations import OPERATIONS
from wbc_core.augment.shifts import SHIFTS, STRENGTHS, ShiftedImages, shift_images
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.errors import WbcError

names = pytest.mark.parametrize("name", SHIFTS.names())


@pytest.fixture(scope="module")
def cells() -> NDArray[np.uint8]:
    return draw_cells(np.random.default_rng(0), np.arange(48) % 8)


@names
def test_a_row_becomes_the_same_picture_in_any_company(name: str, cells: NDArray[np.uint8]) -> None:
    rows = np.arange(100, 148)
    whole = shift_images(cells, rows, name, 3)
    assert whole.shape == cells.shape
    assert whole.dtype == np.uint8
    some = np.array([40, 7, 7])
    np.testing.assert_array_equal(shift_images(cells[some], rows[some], name, 3), whole[some])
    assert (shift_images(cells, rows + 1, name, 3) != whole).any()


@names
def test_it_grows_with_the_strength(name: str, cells: NDArray[np.uint8]) -> None:
    distances = [
        np.abs(shift_images(cells, range(48), name, strength).astype(float) - cells).mean()
        for strength in STRENGTHS
    ]
    assert 0 < distances[0] < distances[2] < distances[4]


@names
def test_its_changes_are_valid_operations(name: str) -> None:
    shift = SHIFTS.get(name)
    assert shift.name == name
    assert shift.effect.endswith(".")
    for changes in shift.rounds:
        for change in changes:
            for strength in STRENGTHS:
                OPERATIONS.get(change.operation).checked(change.parameters(strength))


def test_what_is_read_is_shifted_and_the_data_set_is_not(cells: NDArray[np.uint8]) -> None:
    before = cells.copy()
    shifted = ShiftedImages(cells, "combined", 2)
    assert len(shifted) == 48
    assert shifted.shape == cells.shape
    rows = np.array([9, 2])
    np.testing.assert_array_equal(shifted[rows], shift_images(cells[rows], rows, "combined", 2))
    np.testing.assert_array_equal(cells, before)


@pytest.mark.parametrize(("name", "strength"), [("foggy", 1), ("combined", 0), ("combined", 6)])
def test_an_unknown_shift_or_strength_is_refused(name: str, strength: int, cells: NDArray[np.uint8]) -> None:
    with pytest.raises(WbcError, match="shift"):
        ShiftedImages(cells, name, strength)
