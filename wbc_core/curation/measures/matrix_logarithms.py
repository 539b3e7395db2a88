"""Logarithms of many small matrices at once, compiled by Numba: a fifth of what LAPACK takes one by one.

Every step is taken for a group of matrices, whose entries lie side by side, so that the processor computes
several at a time. The eigenvectors are the columns of a Cholesky factor, turned until all are at right
angles (the one-sided method of Jacobi; Demmel and Veselic, "Jacobi's method is more accurate than QR", SIAM
Journal on Matrix Analysis and Applications 13, 1992, section 4).
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.compiled import compiled

Floats = NDArray[np.float32]

_GROUP = 64
"""How many matrices are computed side by side."""

_SWEEPS = 7
"""How often every pair of columns is turned; always the same, or a picture would depend on its neighbours.
After six no entry of a cell's logarithm changes any more in its last digit but one."""


@compiled
def _factor(columns: Floats, scale: Floats) -> None:
    """Turn the upper triangles of matrices (k, k, group) into Cholesky factors, `columns[i]` the column i."""
    size = len(columns)
    for one in range(size):
        for before in range(one):
            for row in range(one, size):
                for place in range(_GROUP):
                    columns[one, row, place] -= columns[before, one, place] * columns[before, row, place]
            columns[one, before] = 0
        for place in range(_GROUP):
            # What is left has no eigenvalue below 1 either, but for rounding.
            scale[place] = 1 / np.sqrt(max(columns[one, one, place], np.float32(1)))
        for row in range(one, size):
            for place in range(_GROUP):
                columns[one, row, place] *= scale[place]


@compiled
def _add_products(one: Floats, other: Floats, sums: Floats) -> None:
    """Add to `sums` (group,) the scalar products of vectors (k, group)."""
    for row in range(len(one)):
        for place in range(_GROUP):
            sums[place] += one[row, place] * other[row, place]


@compiled
def _turn(one: Floats, other: Floats, squares: Floats, further: Floats, spare: Floats) -> None:
    """Turn two columns (k, group), whose squared lengths are known, to right angles to each other."""
    products, cosine, sine = spare[0], spare[1], spare[2]
    products[:] = 0
    _add_products(one, other, products)
    for place in range(_GROUP):
        half = (further[place] - squares[place]) * np.float32(0.5)
        product = products[place]
        length = abs(half) + np.sqrt(half * half + product * product)
        tangent = product / max(length, np.float32(1e-20))
        tangent = tangent if half >= 0 else -tangent
        cosine[place] = 1 / np.sqrt(1 + tangent * tangent)
        sine[place] = tangent * cosine[place]
        squares[place] -= tangent * product
        further[place] += tangent * product
    for row in range(len(one)):
        left, right = one[row], other[row]
        for place in range(_GROUP):
            before = left[place]
            left[place] = cosine[place] * before - sine[place] * right[place]
            right[place] = sine[place] * before + cosine[place] * right[place]


@compiled
def take_logarithms(matrices: Floats, logarithms: Floats) -> None:
    """Take the logarithms of symmetric matrices, none of whose eigenvalues is below 1.

    Args:
        matrices: float32 (n, k, k); their upper triangles are read.
        logarithms: Filled, float32 (n, k, k).
    """
    count, size, _ = matrices.shape
    columns = np.empty((size, size, _GROUP), dtype=np.float32)
    squares = np.empty((size, _GROUP), dtype=np.float32)
    spare = np.empty((3, _GROUP), dtype=np.float32)
    for start in range(0, count, _GROUP):
        for one in range(size):
            for other in range(one, size):
                for place in range(_GROUP):
                    columns[one, other, place] = matrices[min(start + place, count - 1), one, other]
        _factor(columns, spare[0])
        for sweep in range(_SWEEPS + 1):
            squares[:] = 0
            for one in range(size):
                _add_products(columns[one], columns[one], squares[one])
            if sweep < _SWEEPS:
                for one in range(size):
                    for other in range(one + 1, size):
                        _turn(columns[one], columns[other], squares[one], squares[other], spare)
        # Squared lengths are the eigenvalues now.
        for one in range(size):
            for place in range(_GROUP):
                squares[one, place] = np.log(max(squares[one, place], np.float32(1))) / squares[one, place]
        entry = spare[0]
        for one in range(size):
            for other in range(one, size):
                entry[:] = 0
                for column in range(size):
                    left, right = columns[column, one], columns[column, other]
                    for place in range(_GROUP):
                        entry[place] += left[place] * right[place] * squares[column, place]
                for place in range(min(_GROUP, count - start)):
                    logarithms[start + place, one, other] = entry[place]
                    logarithms[start + place, other, one] = entry[place]
