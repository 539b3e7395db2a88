"""SMOTE on images: samples as uint8, every draw kept."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wbc_core.balance.neighbours import Images, Rows, Space
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent


@dataclass(frozen=True)
class SmoteDraw:
    """What was drawn for each new image, before any pixel is computed.

    Attributes:
        base: Row of the image that the new one starts from, int64 (m,).
        neighbour: Row of its neighbour in the same class, int64 (m,); -1 makes a plain copy of the base.
        factor: How far towards the neighbour, 0..1, float64 (m,).
    """

    base: Rows
    neighbour: Rows
    factor: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.base)

    @classmethod
    def copies(cls, rows: Rows) -> Self:
        """The draw that copies these rows unchanged."""
        rows = np.asarray(rows, dtype=np.int64)
        return cls(rows, np.full(len(rows), -1, dtype=np.int64), np.zeros(len(rows)))

    @classmethod
    def join(cls, draws: list[Self]) -> Self:
        """Put draws one after the other."""
        return cls(
            np.concatenate([draw.base for draw in draws]),
            np.concatenate([draw.neighbour for draw in draws]),
            np.concatenate([draw.factor for draw in draws]),
        )


def refuse_single(rows: Rows) -> None:
    """Refuse a class in which no image has a neighbour.

    Raises:
        WbcError: It has fewer than two images.
    """
    if len(rows) < 2:
        raise WbcError(
            "SMOTE cannot make images for a class of fewer than two.",
            expected="at least 2 train images, better 6 or more",
            got=len(rows),
            fix="Import more images of it, or choose the plan random_over, which copies.",
        )


def draw(
    space: Space,
    rows: Rows,
    count: int,
    generator: np.random.Generator,
    *,
    bases: Rows | None = None,
    k_neighbors: int = 5,
    progress: Progress = silent,
    first: int | None = None,
) -> SmoteDraw:
    """Draw the parents and factors of new images of one class.

    The rule of Chawla et al. 2002 (SMOTE, JAIR 16, section 4.2) as imbalanced-learn draws it: one of the
    class's (image, neighbour) pairs, each as likely, and a factor uniform in [0, 1). Neighbours are searched
    only for the images that were drawn.

    Args:
        space: Where distances are taken.
        rows: Rows of one class, int64 (c,).
        count: How many new images.
        generator: Source of the randomness.
        bases: Positions in `rows` that new images may start from; all of them where None.
        k_neighbors: Neighbours considered; falls to c - 1 in a smaller class.
        progress: Told how far the search for neighbours is.
        first: Return only the first so many of the draw, which spares the search for all the others.

    Raises:
        WbcError: The class has a single image, so that there is no neighbour, or none at all.
    """
    rows = np.asarray(rows, dtype=np.int64)
    if count == 0:
        return SmoteDraw.copies(rows[:0])
    refuse_single(rows)
    k = min(k_neighbors, len(rows) - 1)
    bases = np.arange(len(rows)) if bases is None else bases
    base, rank = np.divmod(generator.integers(0, len(bases) * k, size=count)[:first], k)
    factor = generator.random(count)[:first]
    asked, place = np.unique(bases[base], return_inverse=True)
    neighbour = space.neighbours(rows, asked, k, progress)[place, rank]
    return SmoteDraw(rows[bases[base]], rows[neighbour], factor)


def interpolate(images: Images, drawn: SmoteDraw, start: int, stop: int) -> Images:
    """Compute the images start..stop of a draw: base + factor * (neighbour - base), rounded to even.

    Computed in float64 per pixel, because uint8 differences would wrap round.

    Args:
        images: All images, uint8 (n, H, W, 3); may be memory-mapped.
        drawn: What was drawn; a factor outside 0..1 extrapolates, cut off at 0 and 255.
        start: First image of the draw.
        stop: One past the last.

    Returns:
        uint8 (stop - start, H, W, 3).

    Example:
        >>> pair = np.array([10, 20], dtype=np.uint8).reshape(2, 1, 1, 1).repeat(3, axis=3)
        >>> drawn = SmoteDraw(np.array([0]), np.array([1]), np.array([0.26]))
        >>> interpolate(pair, drawn, 0, 1).ravel()
        array([13, 13, 13], dtype=uint8)
    """
    result = images[drawn.base[start:stop]]
    change = np.empty(images.shape[1:], dtype=np.int16)
    value = np.empty(images.shape[1:])
    for position in np.flatnonzero(drawn.neighbour[start:stop] >= 0):
        factor = drawn.factor[start + position]
        np.subtract(images[drawn.neighbour[start + position]], result[position], out=change, dtype=np.int16)
        np.multiply(change, factor, out=value)
        value += result[position]
        np.rint(value, out=value)
        if not 0 <= factor <= 1:
            np.clip(value, 0, 255, out=value)
        result[position] = value
    return result
