"""The real images around a synthetic one, for every factor at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbc_core.balance.neighbours import Images, Rows, gather
from wbc_core.datasets.store import release_pages

_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Squared distances from the parents of a synthetic image to other real images of its class.

    Attributes:
        rows: Rows of the other images, int64 (m,); neither parent is among them.
        to_base: Squared distance of each to the base, in grey levels, float64 (m,).
        to_neighbour: The same to the neighbour.
        apart: Squared distance of the parents.
        size: Numbers in an image.
    """

    rows: Rows
    to_base: NDArray[np.float64]
    to_neighbour: NDArray[np.float64]
    apart: float
    size: int

    def nearest(self, factor: float) -> tuple[int, float] | None:
        """The real image nearest to the synthetic one at a factor, its parents left out.

        By Stewart's theorem, for x = (1 - f) b + f n: |x - r|^2 = (1 - f) |b - r|^2 + f |n - r|^2
        - f (1 - f) |n - b|^2, so that no pixel is looked at again when the factor moves.

        Args:
            factor: How far towards the neighbour, 0..1.

        Returns:
            Its row, and its distance as the root mean square over the pixels, in grey levels; None where the
            class has no other image.
        """
        if not len(self.rows):
            return None
        squares = (1 - factor) * self.to_base + factor * self.to_neighbour
        place = int(squares.argmin())
        square = max(0.0, float(squares[place]) - factor * (1 - factor) * self.apart)
        return int(self.rows[place]), float(np.sqrt(square / self.size))

    def candidates(self, steps: int = 101) -> NDArray[np.int64]:
        """Positions in `rows` of those that are the nearest at some factor: a handful.

        Args:
            steps: Number of factors looked at, evenly spaced from 0 to 1.
        """
        if not len(self.rows):
            return np.empty(0, dtype=np.int64)
        factors = np.linspace(0, 1, steps)
        best = [((1 - factor) * self.to_base + factor * self.to_neighbour).argmin() for factor in factors]
        return np.unique(np.array(best, dtype=np.int64))


def surroundings(images: Images, rows: Rows, base: int, neighbour: int) -> Surroundings:
    """Measure how far the other images of a class are from two parents.

    Args:
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        rows: Train rows of the class, int64 (c,).
        base: Row of the image that synthetic ones start from.
        neighbour: Row of its neighbour.
    """
    others = np.setdiff1d(rows, [base, neighbour])
    parents = gather(images, np.array([base, neighbour])).astype(np.float32)
    squares = np.empty((2, len(others)))
    for start in range(0, len(others), _CHUNK):
        chunk = gather(images, others[start : start + _CHUNK]).astype(np.float32)
        for own, parent in zip(squares, parents, strict=True):
            change = chunk - parent
            own[start : start + len(chunk)] = np.einsum("ij,ij->i", change, change)
    release_pages(images)
    between = (parents[1] - parents[0]).astype(np.float64)
    return Surroundings(others, squares[0], squares[1], float(between @ between), parents.shape[1])
