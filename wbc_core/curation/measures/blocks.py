"""What no microscope draws: bars along the sides, and edges that are straight, hard and flat on one side.

A pasted block, a cutout, a grid, a mask or a stamp is constant in itself and ends within one pixel. A cell
never does both: its edges are curved and take several pixels, and a bright empty ground ends in none. Two
sieves look for such edges along rows and columns: one for pixels as they were drawn, and a tolerant one, with
higher jumps and longer runs, for what was saved as JPEG afterwards.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.measures.base import Chunk, Measure
from wbc_core.curation.measures.pixel_loops import measure_hard_edges

_BAR_RANGE = 20
"""Most that a bar's luminance may vary, in grey levels: JPEG ripples up to that much."""
_BAR_JUMP = 12.0
"""How far a pixel beside a bar must lie from it, in grey levels."""
_BAR_SHARE = 0.7
"""Share of the pixels beside a bar that must lie so far from it: a plain ground before a cell is no bar."""


_SIEVES = np.array([[0, 20, 5, 0], [8, 40, 12, 11]])
"""What counts as a hard edge, a row each: flatness and jump in grey levels, run in pixels along the edge.

The last one says how many pixels of a run do not count: real pictures hold a few runs hardly longer than the
shortest.
"""


def _hard_edges(grey: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Length of the hard straight edges of images, uint8 (n, height, width): int64 (n,), in pixels."""
    lengths = np.zeros(len(grey), dtype=np.int64)
    if min(grey.shape[1:]) >= 4:
        measure_hard_edges(grey, _SIEVES, lengths)
    return lengths


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
