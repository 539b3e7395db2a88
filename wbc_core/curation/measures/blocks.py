"""What no microscope draws: bars along the sides, and edges that are straight, hard and flat on one side.

A pasted block, a cutout, a grid, a mask or a stamp is constant in itself and ends within one pixel. A cell
never does both: its edges are curved and take several pixels, and a bright empty ground ends in none. Two
sieves look for such edges along rows and columns: one for pixels as they were drawn, and a tolerant one, with
higher jumps and longer runs, for what was saved as JPEG afterwards.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.base import Chunk, Measure, batch_of, in_batches

_BAR_RANGE = 20
"""Most that a bar's luminance may vary, in grey levels: JPEG ripples up to that much."""
_BAR_JUMP = 12.0
"""How far a pixel beside a bar must lie from it, in grey levels."""
_BAR_SHARE = 0.7
"""Share of the pixels beside a bar that must lie so far from it: a plain ground before a cell is no bar."""


@dataclass(frozen=True)
class _Sieve:
    """What counts as a hard edge: flatness and jump in grey levels, run in pixels along the edge.

    Of a run `forgiven` pixels do not count: real pictures hold a few runs hardly longer than the shortest.
    """

    flat: int
    jump: int
    run: int
    forgiven: int


_SIEVES = (_Sieve(flat=0, jump=20, run=5, forgiven=0), _Sieve(flat=8, jump=40, run=12, forgiven=11))

Bits = NDArray[np.bool_]
Counts = NDArray[np.int64]


def _all_along(bits: Bits, stride: int, length: int, spare: Bits) -> Bits:
    """Whether each position and the next `length - 1`, `stride` apart, are all true; overwrites both."""
    covered = 1
    while covered < length:
        step = min(covered, length - covered)
        longer = spare[: len(bits) - step * stride]
        np.logical_and(bits[: len(longer)], bits[step * stride :], out=longer)
        bits, spare, covered = longer, bits, covered + step
    return bits


def _steps(flat: NDArray[np.uint8], across: int, out: NDArray[np.uint8], spare: NDArray[np.uint8]) -> None:
    """Absolute difference of each pixel and the one `across` positions on."""
    np.maximum(flat[across:], flat[:-across], out=out)
    np.minimum(flat[across:], flat[:-across], out=spare)
    np.subtract(out, spare, out=out)


def _starts(steps: NDArray[np.uint8], sieve: _Sieve, across: int, along: int, buffers: Bits) -> Counts:
    """Positions at which a run of hard edge starts; neighbours lie `across`, the edge runs `along`."""
    size = len(steps)
    jump, calm, two, edge = buffers[:, :size]
    np.greater_equal(steps, sieve.jump, out=jump)
    np.less_equal(steps, sieve.flat, out=calm)
    two, edge = two[: size - across], edge[: size - 2 * across]
    np.logical_and(calm[:-across], calm[across:], out=two)
    np.logical_and(two[:-across], jump[2 * across :], out=edge)
    other = np.logical_and(jump[: -2 * across], two[across:], out=calm[: len(edge)])
    np.logical_or(edge, other, out=edge)
    return np.flatnonzero(_all_along(edge, along, sieve.run, two))


def _hard_edges(grey: NDArray[np.uint8]) -> Counts:
    """Length of the hard straight edges of images, uint8 (n, height, width): int64 (n,), in pixels."""
    count, height, width = grey.shape
    total = np.zeros(count, dtype=np.int64)
    if min(height, width) < 4 or max(height, width) < min(sieve.run for sieve in _SIEVES):
        return total
    size = min(count, batch_of(grey)) * height * width
    bytes_, bits = np.empty((2, size), dtype=np.uint8), np.empty((4, size), dtype=bool)
    for batch in in_batches(grey):
        flat = grey[batch].reshape(-1)
        images = len(flat) // (height * width)
        for across, along in ((1, width), (width, 1)):
            steps, spare = bytes_[:, : len(flat) - across]
            _steps(flat, across, steps, spare)
            for sieve in _SIEVES:
                rows, columns = (sieve.run, 4) if across == 1 else (4, sieve.run)
                if rows > height or columns > width:
                    continue
                starts = _starts(steps, sieve, across, along, bits)
                # Positions run through all images without a gap: those that reach over a border do not count.
                inside = (starts // width % height <= height - rows) & (starts % width <= width - columns)
                starts = starts[inside]
                first = starts[~np.isin(starts - along, starts)]
                total[batch] += np.bincount(starts // (height * width), minlength=images)
                whole_runs = np.bincount(first // (height * width), minlength=images)
                total[batch] += whole_runs * (sieve.run - 1 - sieve.forgiven)
    return total


def _bars(lines: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Width of the bar along the first lines of images, uint8 (n, lines, pixels): int16 (n,)."""
    widths = np.zeros(len(lines), dtype=np.int16)
    first = lines[:, 0]
    likely = np.flatnonzero(first.max(axis=1) - first.min(axis=1) <= _BAR_RANGE)
    if not len(likely):
        return widths
    chosen = lines[likely]
    most, least = chosen.max(axis=2), chosen.min(axis=2)
    ranges = np.maximum.accumulate(most, axis=1) - np.minimum.accumulate(least, axis=1)
    found = (ranges <= _BAR_RANGE).sum(axis=1)
    # The line next to the bar may mix both: the one after it tells what lies beside.
    after = np.minimum(found + 1, lines.shape[1] - 1)
    beside = chosen[np.arange(len(likely)), after].astype(np.float32)
    level = chosen[:, 0].astype(np.float32).mean(axis=1)
    away = (np.abs(beside - level[:, None]) >= _BAR_JUMP).mean(axis=1)
    widths[likely] = np.where((found <= lines.shape[1] // 2) & (away >= _BAR_SHARE), found, 0)
    return widths


def _borders(grey: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Widths of the bars at the top, bottom, left and right, int16 (n, 4), in pixels."""
    turned = grey.transpose(0, 2, 1)
    return np.stack([_bars(lines) for lines in (grey, grey[:, ::-1], turned, turned[:, ::-1])], axis=1)


def _compute(chunk: Chunk) -> dict[str, NDArray[Any]]:
    grey = chunk.grey
    borders, edges = _borders(grey), _hard_edges(grey)
    for index in np.flatnonzero(borders.any(axis=1) & (edges > 0)):
        # The inner edge of a bar is a matter of the bar alone.
        top, bottom, left, right = borders[index].tolist()
        inner = grey[index, top : grey.shape[1] - bottom, left : grey.shape[2] - right]
        edges[index] = _hard_edges(np.ascontiguousarray(inner)[None])[0]
    return {"borders": borders, "hard_edges": edges.astype(np.float32)}


BLOCKS = Measure("blocks", ("borders", "hard_edges"), _compute)
"""`borders`: width of the bars of one luminance along the top, bottom, left and right side, int16 (n, 4), in
pixels. `hard_edges`: length of the edges inside them that are straight, flat on one side and one pixel wide,
float32 (n,), in pixels."""
