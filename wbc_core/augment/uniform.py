"""Random numbers of a few images of a set, without drawing those of all that come before them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def uniform_at(
    sequence: np.random.SeedSequence, positions: Sequence[int] | NDArray[np.integer], width: int
) -> NDArray[np.float64]:
    """Rows of `np.random.default_rng(sequence).random((n, width))`, each found by jumping to it.

    Args:
        sequence: Seed of the generator.
        positions: Rows, int (m,), from 0, in any order.
        width: Numbers a row.

    Returns:
        Uniform in [0, 1), float64 (m, width).

    Example:
        >>> every = np.random.default_rng(np.random.SeedSequence(7)).random((5, 3))
        >>> bool((uniform_at(np.random.SeedSequence(7), [4, 1], 3) == every[[4, 1]]).all())
        True
    """
    rows = np.empty((len(positions), width))
    bits = np.random.PCG64(sequence)
    generator, at = np.random.Generator(bits), 0
    for place in np.argsort(positions, kind="stable"):
        position = int(positions[place])
        # A double takes one step of the generator; to go back to where a row began is a jump as well.
        bits.advance(position * width - at)
        generator.random(out=rows[place])
        at = (position + 1) * width
    return rows
