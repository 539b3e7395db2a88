"""Dividing a whole number in given shares, exactly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def largest_remainder(total: int, shares: Sequence[float]) -> NDArray[np.int64]:
    """Divide a whole number in proportion to shares; the parts add up to it.

    What rounding down leaves goes to the largest remainders, one each; the earlier part wins a tie.

    Args:
        total: What is divided, at least 0.
        shares: Positive numbers, in any unit.

    Example:
        >>> largest_remainder(2330, (0.7, 0.3)).tolist(), largest_remainder(5, (0.5, 0.5)).tolist()
        ([1631, 699], [3, 2])
        >>> largest_remainder(10, (1, 1, 2)).tolist()
        [3, 2, 5]
    """
    # Rounded, so that 0.7 of 10 is 7 and not 6.999.. with the largest remainder of all.
    exact = np.round(np.asarray(shares) * total / sum(shares), 9)
    parts = np.floor(exact).astype(np.int64)
    left = total - int(parts.sum())
    parts[np.argsort(-(exact - parts), kind="stable")[:left]] += 1
    return parts
