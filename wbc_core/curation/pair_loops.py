"""Loops over pairs of pictures, compiled by Numba; `similarity` and `nearest` say what they compute."""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.compiled import compiled

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


@compiled
def keep_smallest(values: Floats, first: int, places: Indices, smallest: Floats) -> None:
    """Go on looking for the smallest of many values a row, of which these are some.

    Args:
        values: (k, n).
        first: Place of the first column.
        places: Of the smallest so far, smallest first, (k, m); brought up to date. Of equals the earlier
            one stays.
        smallest: The values there, (k, m), infinite where there is none yet; brought up to date.
    """
    last = smallest.shape[1] - 1
    for row in range(len(values)):
        bound = smallest[row, last]
        for column in range(values.shape[1]):
            value = values[row, column]
            if value < bound:
                slot = last
                while slot > 0 and smallest[row, slot - 1] > value:
                    smallest[row, slot], places[row, slot] = smallest[row, slot - 1], places[row, slot - 1]
                    slot -= 1
                smallest[row, slot], places[row, slot] = value, first + column
                bound = smallest[row, last]


@compiled
def find_nearest(
    points: Floats, starts: Indices, around: Indices, leaf: int, nearest: Indices, squares: Floats
) -> None:
    """Find the points nearest to those of a leaf in the leaves around it.

    Args:
        points: Coordinates of all points, leaf by leaf, (d, n); a coordinate a row.
        starts: Where each leaf starts, and the end of the last, (leaves + 1,).
        around: The leaves to search, (k,).
        leaf: Number of the leaf.
        nearest: Filled with the places of the nearest points, (points of the leaf, m), nearest first;
            places that no point takes are left.
        squares: Infinities, filled with their squared distances, (points of the leaf, m).
    """
    size = points.shape[0]
    longest = 0
    for other in around:
        longest = max(longest, starts[other + 1] - starts[other])
    distances = np.empty((1, longest), dtype=np.float32)
    for other in around:
        first, last = starts[other], starts[other + 1]
        some = distances[0, : last - first]
        for index in range(len(nearest)):
            own = starts[leaf] + index
            some[:] = 0
            # Four at a time: a sum is fetched and stored seldom.
            for axis in range(0, size, 4):
                a, b = points[axis, own], points[axis + 1, own]
                c, d = points[axis + 2, own], points[axis + 3, own]
                one, two = points[axis, first:last], points[axis + 1, first:last]
                three, four = points[axis + 2, first:last], points[axis + 3, first:last]
                for place in range(len(some)):
                    e, f = one[place] - a, two[place] - b
                    g, h = three[place] - c, four[place] - d
                    some[place] += (e * e + f * f) + (g * g + h * h)
            keep_smallest(
                distances[:, : last - first], first, nearest[index : index + 1], squares[index : index + 1]
            )


@compiled
def _correlate(one: Floats, other: Floats, correlations: Floats) -> None:
    """Correlation of a spectrum with another one put through each of the eight symmetries."""
    order = len(one)
    sums = np.zeros((2, 2, 2), dtype=np.float32)
    for down in range(order):
        for across in range(order):
            sums[0, down % 2, across % 2] += one[down, across] * other[down, across]
            sums[1, down % 2, across % 2] += one[down, across] * other[across, down]
    for symmetry in range(8):
        part = sums[symmetry // 4]
        up, along = np.float32(1 - (symmetry & 2)), np.float32(1 - 2 * (symmetry & 1))
        correlations[symmetry] = part[0, 0] + along * part[0, 1] + up * part[1, 0] + up * along * part[1, 1]


@compiled
def _turn(layout: Floats, symmetry: int, out: Floats) -> None:
    """Put a layout (k, order, order) through a symmetry, but for the signs of its changes."""
    order = layout.shape[1]
    for part in range(len(layout)):
        for down in range(order):
            for across in range(order):
                value = layout[part, across, down] if symmetry & 4 else layout[part, down, across]
                odd = (symmetry & 2 and down % 2 == 1) != (symmetry & 1 and across % 2 == 1)
                out[part, down, across] = -value if odd else value


@compiled
def _tangent_distance(one: Floats, other: Floats, ridge: np.float32) -> np.float32:
    """Least distance of two layouts (k, order, order), both free to move along all parts but the first."""
    parts, order, _ = one.shape
    own, size = parts - 1, order * order
    count = 2 * own
    # The tangents of both, and what lies between the two.
    lines = np.empty((count + 1, size), dtype=np.float32)
    for place in range(size):
        down, across = place // order, place % order
        for part in range(own):
            lines[part, place] = one[1 + part, down, across]
            lines[own + part, place] = other[1 + part, down, across]
        lines[count, place] = one[0, down, across] - other[0, down, across]
    # Cholesky's decomposition of their products; its last row becomes how far to move along each tangent.
    factor = np.empty((count + 1, count), dtype=np.float32)
    for row in range(count + 1):
        for column in range(min(row + 1, count)):
            total = np.float32(0)
            for place in range(size):
                total += lines[row, place] * lines[column, place]
            for before in range(column):
                total -= factor[row, before] * factor[column, before]
            if row == column:
                factor[row, row] = np.sqrt(total + ridge)
            else:
                factor[row, column] = total / factor[column, column]
    for row in range(count - 1, -1, -1):
        for after in range(row + 1, count):
            factor[count, row] -= factor[after, row] * factor[count, after]
        factor[count, row] /= factor[row, row]
    total = np.float32(0)
    for place in range(size):
        left = lines[count, place]
        for row in range(count):
            left -= factor[count, row] * lines[row, place]
        total += left * left
    return np.float32(np.sqrt(total))


@compiled
def sieve_pairs(
    layouts: Floats,
    pairs: Indices,
    least_correlation: float,
    rival: float,
    rivals_tried_below: float,
    ridge: float,
    symmetries: Indices,
    distances: Floats,
) -> None:
    """Find the symmetry under which two pictures are nearest, and how near they are then.

    Args:
        layouts: float32 (n, k, order, order).
        pairs: Positions, (m, 2).
        least_correlation: Pairs below are left out.
        rival: How far below the best correlation another symmetry is tried.
        rivals_tried_below: Distance by the best correlation from which no other symmetry is tried.
        ridge: Added to the products of the tangents, so that pictures without any have a distance.
        symmetries: Filled, (m,).
        distances: Filled, (m,); infinite for pairs that are left out.
    """
    _, parts, order, _ = layouts.shape
    correlations = np.empty(8, dtype=np.float32)
    turned = np.empty((parts, order, order), dtype=np.float32)
    for index in range(len(pairs)):
        one, other = layouts[pairs[index, 0]], layouts[pairs[index, 1]]
        _correlate(one[0], other[0], correlations)
        best = 0
        for symmetry in range(8):
            if correlations[symmetry] > correlations[best]:
                best = symmetry
        symmetries[index], distances[index] = best, np.inf
        # A crop may be off its place by enough to look more like the original in another symmetry.
        least = max(correlations[best] - rival, least_correlation)
        for turn in range(8):
            symmetry = (best + turn) % 8
            if correlations[symmetry] < least:
                continue
            _turn(other, symmetry, turned)
            distance = _tangent_distance(one, turned, np.float32(ridge))
            if distance < distances[index]:
                symmetries[index], distances[index] = symmetry, distance
            if distances[index] > rivals_tried_below:
                break
