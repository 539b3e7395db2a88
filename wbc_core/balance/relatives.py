"""Borderline-SMOTE and ADASYN: SMOTE that chooses by the neighbourhood where new images start from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wbc_core.balance import smote
from wbc_core.balance.neighbours import Rows, Space
from wbc_core.balance.smote import SmoteDraw
from wbc_core.datasets.apportionment import largest_remainder
from wbc_core.progress import Progress, part_of, silent


def foreign_neighbours(
    space: Space, rows: Sequence[Rows], label: int, m: int, progress: Progress = silent
) -> tuple[NDArray[np.int64], int]:
    """How many of the nearest train images of any class belong to another, for every image of a class.

    Args:
        space: Where distances are taken.
        rows: Train rows of every class, in class order.
        label: The class.
        m: Neighbours considered; falls to the number of other train images.
        progress: Told the fraction done.

    Returns:
        Numbers, int64 (c,), and how many neighbours were considered.
    """
    everything = np.concatenate(rows).astype(np.int64)
    labels = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    m = min(m, len(everything) - 1)
    found = space.neighbours(everything, np.flatnonzero(labels == label), m, progress)
    return (labels[found] != label).sum(axis=1), m


def draw_borderline(
    space: Space,
    rows: Sequence[Rows],
    label: int,
    count: int,
    generator: np.random.Generator,
    progress: Progress = silent,
) -> SmoteDraw:
    """Draw by Borderline-SMOTE-1 (Han et al. 2005, ICIC, LNCS 3644:878-887, section 3).

    New images start only from those in danger: at least half, but not all, of their 10 nearest train images
    are of another class. Their other parent is one of their 5 nearest of the own class. Where none is in
    danger, new images start from any image of the class.

    Args:
        space: Where distances are taken.
        rows: Train rows of every class, in class order.
        label: The class.
        count: How many new images.
        generator: Source of the randomness.
        progress: Told how far the searches are.

    Raises:
        WbcError: The class has fewer than two images.
    """
    foreign, m = foreign_neighbours(space, rows, label, 10, part_of(progress, 0.0, 0.9))
    danger = np.flatnonzero((2 * foreign >= m) & (foreign < m))
    return smote.draw(
        space,
        rows[label],
        count,
        generator,
        bases=danger if len(danger) else None,
        progress=part_of(progress, 0.9, 1.0),
    )


def draw_adasyn(
    space: Space,
    rows: Sequence[Rows],
    label: int,
    count: int,
    generator: np.random.Generator,
    progress: Progress = silent,
) -> SmoteDraw:
    """Draw by ADASYN (He et al. 2008, IJCNN, 1322-1328, algorithm 1).

    An image starts as many new ones as its share of foreigners among its 5 nearest train images asks for;
    their other parent is one of its 5 nearest of the own class. Fractions go by the largest remainder, so
    that the class gets exactly what was foreseen (imbalanced-learn rounds each). Where no image has a
    foreigner near, all start as many.

    Args:
        space: Where distances are taken.
        rows: Train rows of every class, in class order.
        label: The class.
        count: How many new images.
        generator: Source of the randomness.
        progress: Told how far the searches are.

    Raises:
        WbcError: The class has fewer than two images.
    """
    own = np.asarray(rows[label], dtype=np.int64)
    smote.refuse_single(own)
    foreign, _ = foreign_neighbours(space, rows, label, 5, part_of(progress, 0.0, 0.9))
    shares = foreign / foreign.sum() if foreign.any() else np.full(len(own), 1 / len(own))
    base = np.repeat(np.arange(len(own)), largest_remainder(count, shares.tolist()))
    k = min(5, len(own) - 1)
    rank, factor = generator.integers(0, k, size=count), generator.random(count)
    asked, place = np.unique(base, return_inverse=True)
    neighbour = space.neighbours(own, asked, k, part_of(progress, 0.9, 1.0))[place, rank]
    return SmoteDraw(own[base], own[neighbour], factor)
