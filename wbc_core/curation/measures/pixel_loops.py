"""Loops over the pixels of pictures, compiled by Numba: each pixel is read once, and Python's lock is let go.

A picture's numbers depend on it alone, whatever lies beside it in the arrays.
"""

import numpy as np
from numpy.typing import NDArray

from wbc_core.curation.compiled import compiled

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Counts = NDArray[np.int64]

_STRIP = 1024
"""Pixels whose squared second differences, of at most 1,020, still add up in 32 bits."""


@compiled
def count_levels(pictures: Bytes, counts: Counts) -> None:
    """Add to `counts`, (n, 256), how many pixels of each picture (n, pixels) have each level."""
    # Four tables: adding to an entry waits for the addition before, if that was to the same one.
    tables = np.empty((4, 256), dtype=np.int32)
    for index in range(len(pictures)):
        picture = pictures[index]
        tables[:] = 0
        last = len(picture) // 4 * 4
        for place in range(0, last, 4):
            tables[0, picture[place]] += 1
            tables[1, picture[place + 1]] += 1
            tables[2, picture[place + 2]] += 1
            tables[3, picture[place + 3]] += 1
        for place in range(last, len(picture)):
            tables[0, picture[place]] += 1
        for level in range(256):
            counts[index, level] += tables[0, level] + tables[1, level] + tables[2, level] + tables[3, level]


def prepare_loops() -> None:
    """Have Numba load what its first call needs, a third of a second in which no thread could call a loop."""
    count_levels(np.zeros((1, 1), dtype=np.uint8), np.zeros((1, 256), dtype=np.int64))


@compiled
def sum_second_differences(
    pictures: Bytes, tall: int, wide: int, sums: Counts, squares: Counts, blocks: Counts
) -> None:
    """Sum up second differences of pictures (n, height, width) over all pixels that have neighbours.

    Args:
        pictures: uint8.
        tall: Height of a block, in pixels.
        wide: Width of a block.
        sums: Filled with the sum of the Laplacian, int64 (n,).
        squares: Filled with the sum of its squares, int64 (n,).
        blocks: Zeros (n, rows, columns), to which the absolute second differences across of those down are
            added, a sum for each whole block.
    """
    count, height, width = pictures.shape
    _, rows, columns = blocks.shape
    mixed = np.empty(width - 2, dtype=np.int32)
    for index in range(count):
        total, power = np.int64(0), np.int64(0)
        for y in range(height - 2):
            for start in range(0, width - 2, _STRIP):
                stop = min(start + _STRIP, width - 2)
                above, here, below = (
                    pictures[index, y, start : stop + 2],
                    pictures[index, y + 1, start : stop + 2],
                    pictures[index, y + 2, start : stop + 2],
                )
                out = mixed[start:stop]
                part, part_power = np.int32(0), np.int32(0)
                for x in range(stop - start):
                    middle = np.int32(here[x + 1])
                    sides = np.int32(above[x + 1]) + np.int32(below[x + 1])
                    sides += np.int32(here[x]) + np.int32(here[x + 2])
                    corners = np.int32(above[x]) + np.int32(above[x + 2])
                    corners += np.int32(below[x]) + np.int32(below[x + 2])
                    laplacian = np.int32(sides - 4 * middle)
                    out[x] = abs(np.int32(corners + 4 * middle - 2 * sides))
                    part += laplacian
                    part_power += np.int32(laplacian * laplacian)
                total += part
                power += part_power
            row = y // tall
            if row < rows:
                for column in range(columns):
                    part = np.int32(0)
                    for x in range(wide):
                        part += mixed[column * wide + x]
                    blocks[index, row, column] += part
        sums[index], squares[index] = total, power


@compiled
def _find_steps(picture: Bytes, across: Bytes, down: Bytes) -> None:
    """Absolute differences of neighbours in a row (height, width - 1) and in a column (height - 1, width)."""
    height, width = picture.shape
    for y in range(height):
        line, out = picture[y], across[y]
        for x in range(width - 1):
            out[x] = max(line[x], line[x + 1]) - min(line[x], line[x + 1])
    for y in range(height - 1):
        line, after, out = picture[y], picture[y + 1], down[y]
        for x in range(width):
            out[x] = max(line[x], after[x]) - min(line[x], after[x])


@compiled
def _find_edges(first: Bytes, second: Bytes, third: Bytes, sieve: Counts, edges: Bytes) -> None:
    """Which of some places have two steps that are flat, and one before or after them that is a jump."""
    flat, jump = np.uint8(sieve[0]), np.uint8(sieve[1])
    for x in range(len(edges)):
        rising = (first[x] <= flat) & (third[x] >= jump)
        falling = (first[x] >= jump) & (third[x] <= flat)
        edges[x] = (second[x] <= flat) & (rising | falling)


@compiled
def measure_hard_edges(pictures: Bytes, sieves: Counts, lengths: Counts) -> None:
    """Measure how long the hard straight edges of pictures (n, height, width) are.

    Two steps up to `flat` beside one of at least `jump`, across the edge, make a hard edge; `run` of them one
    after the other count, less `forgiven` once a run.

    Args:
        pictures: uint8, of at least 4 x 4 pixels.
        sieves: Rows of flat, jump, run, forgiven, (k, 4); what passes any of them adds up.
        lengths: Filled, int64 (n,), in pixels.
    """
    count, height, width = pictures.shape
    across = np.empty((height, width - 1), dtype=np.uint8)
    down = np.empty((height - 1, width), dtype=np.uint8)
    edges = np.empty(width, dtype=np.uint8)
    reached = np.empty(width, dtype=np.int32)
    for index in range(count):
        total = np.int64(0)
        _find_steps(pictures[index], across, down)
        for sieve in sieves:
            run, forgiven = np.int32(sieve[2]), sieve[3]
            reached[:] = 0
            for y in range(height):
                step = across[y]
                _find_edges(step[:-2], step[1:-1], step[2:], sieve, edges[: width - 3])
                whole, longer = np.int32(0), np.int32(0)
                for x in range(width - 3):
                    length = np.int32(reached[x] + 1) if edges[x] else np.int32(0)
                    reached[x] = length
                    whole += np.int32(length == run)
                    longer += np.int32(length > run)
                total += whole * (run - forgiven) + longer
            for y in range(height - 3):
                _find_edges(down[y], down[y + 1], down[y + 2], sieve, edges)
                found = np.int32(0)
                for x in range(width):
                    found += edges[x]
                if found < run:
                    continue
                length = np.int32(0)
                for x in range(width):
                    length = np.int32(length + 1) if edges[x] else np.int32(0)
                    if length >= run:
                        total += run - forgiven if length == run else 1
        lengths[index] = total


@compiled
def describe_colours(
    pictures: Bytes, positions: Counts, percentiles: Floats, sums: Counts, products: Counts
) -> None:
    """Describe the channels of pictures (n, pixels, 3).

    Args:
        pictures: uint8.
        positions: Which of the sorted values to pick, rising, (p,).
        percentiles: Filled with these values, (n, 3, p).
        sums: Filled with the sums of the channels, (n, 3).
        products: Filled with the sums of the products of two channels, (n, 3, 3).
    """
    counts = np.empty((3, 256), dtype=np.int32)
    for index in range(len(pictures)):
        picture = pictures[index]
        counts[:] = 0
        sums[index] = 0
        products[index] = 0
        for place in range(len(picture)):
            for one in range(3):
                value = np.int64(picture[place, one])
                counts[one, value] += 1
                sums[index, one] += value
                for other in range(3):
                    products[index, one, other] += value * picture[place, other]
        for channel in range(3):
            _pick(counts[channel], positions, percentiles[index, channel])


@compiled
def _pick(counts: NDArray[np.int32], positions: Counts, values: Floats) -> None:
    """Fill `values` with those at some positions of the sorted values, of which there are `counts` each."""
    level, below = 0, np.int64(counts[0])
    for place in range(len(positions)):
        while below <= positions[place]:
            level += 1
            below += counts[level]
        values[place] = level


@compiled
def describe_edges(pictures: Bytes, positions: Counts, quarters: Floats, moments: Counts) -> None:
    """Describe the edges of pictures (n, height, width) by the differences of each pixel's neighbours.

    Args:
        pictures: uint8.
        positions: Which of the sorted strengths to pick, rising, (p,).
        quarters: Filled with these, in whole quarters of a grey level, (n, p).
        moments: Filled with the sums of the squares across, of those down, and of the products, (n, 3).
    """
    count, height, width = pictures.shape
    counts = np.empty(4 * 361, dtype=np.int32)  # The strongest edge is 255 times the square root of 2.
    strengths = np.empty(width, dtype=np.float32)
    for index in range(count):
        picture = pictures[index]
        counts[:] = 0
        horizontal, vertical, mixed = np.int64(0), np.int64(0), np.int64(0)
        for y in range(1, height - 1):
            line, above, below = picture[y], picture[y - 1], picture[y + 1]
            for x in range(1, width - 1):
                across = np.int32(line[x + 1]) - np.int32(line[x - 1])
                down = np.int32(below[x]) - np.int32(above[x])
                squared = np.int32(across * across + down * down)
                strengths[x] = np.float32(4.0) * np.sqrt(np.float32(squared))
                horizontal += across * across
                vertical += down * down
                mixed += across * down
            for x in range(1, width - 1):
                counts[np.int32(strengths[x])] += 1
        moments[index, 0], moments[index, 1], moments[index, 2] = horizontal, vertical, mixed
        _pick(counts, positions, quarters[index])


@compiled
def _moments(values: Floats, covariance: Floats, means: Floats) -> None:
    """Covariance (k, k) and means (k,) of values (k, pixels), which are centred."""
    size, pixels = values.shape
    for one in range(size):
        total = np.float32(0)
        for place in range(pixels):
            total += values[one, place]
        means[one] = total / np.float32(pixels)
        for place in range(pixels):
            values[one, place] -= means[one]
    for one in range(size):
        for other in range(one, size):
            total = np.float32(0)
            for place in range(pixels):
                total += values[one, place] * values[other, place]
            covariance[one, other] = covariance[other, one] = total / np.float32(pixels)


@compiled
def _describe_pixels(
    lab: Bytes,
    local: Bytes,
    distance: Floats,
    direction: Floats,
    planes: Floats,
    values: Floats,
    edges: Floats,
) -> None:
    """Fill values (11, inner, inner) and edges (3, inner, inner) of the inner pixels; `planes` is spare."""
    side = len(lab)
    inner = side - 2
    for y in range(side):
        for x in range(side):
            for channel in range(3):
                planes[channel, y, x] = lab[y, x, channel]
                planes[3 + channel, y, x] = local[y, x, channel]
    for channel in range(3):
        for y in range(inner):
            for x in range(inner):
                down = planes[channel, y + 2, x + 1] - planes[channel, y, x + 1]
                across = planes[channel, y + 1, x + 2] - planes[channel, y + 1, x]
                colour = planes[channel, y + 1, x + 1]
                values[channel, y, x] = colour
                values[3 + channel, y, x] = np.sqrt(down * down + across * across)
                values[7 + channel, y, x] = abs(colour - planes[3 + channel, y + 1, x + 1])
    for y in range(inner):
        for x in range(inner):
            above, below = planes[0, y, x + 1], planes[0, y + 2, x + 1]
            left, right = planes[0, y + 1, x], planes[0, y + 1, x + 2]
            bend = np.float32(4.0) * planes[0, y + 1, x + 1] - (above + below + left + right)
            values[6, y, x] = abs(bend)
            values[10, y, x] = distance[y, x]
            down, across = below - above, right - left
            darkening = down * direction[0, y, x] + across * direction[1, y, x]
            edges[0, y, x] = abs(darkening)
            edges[1, y, x] = abs(across * direction[0, y, x] - down * direction[1, y, x])
            edges[2, y, x] = darkening


@compiled
def _average_rings(edges: Floats, rings: Floats, means: Floats) -> None:
    """Means (3, r) of the rows of edges (3, pixels) over rings, which are shares (r, pixels)."""
    first, second, third = edges[0], edges[1], edges[2]
    for ring in range(len(rings)):
        shares = rings[ring]
        one, two, three = np.float32(0), np.float32(0), np.float32(0)
        for place in range(len(shares)):
            one += shares[place] * first[place]
            two += shares[place] * second[place]
            three += shares[place] * third[place]
        means[0, ring], means[1, ring], means[2, ring] = one, two, three


@compiled
def describe_regions(
    labs: Bytes,
    locals_: Bytes,
    distance: Floats,
    direction: Floats,
    rings: Floats,
    border: int,
    covariances: Floats,
    means: Floats,
    ring_means: Floats,
) -> None:
    """Describe how eleven descriptions of a pixel vary together, see `features`.

    Args:
        labs: uint8 (n, side, side, 3).
        locals_: Mean of each pixel's surroundings, uint8 (n, side, side, 3).
        distance: Distance of each inner pixel from the middle, (side - 2, side - 2).
        direction: Its direction from the middle, down and across, (2, side - 2, side - 2).
        rings: The share of each inner pixel in the mean of each ring, (r, pixels).
        border: How far the inner region lies inside, in pixels of the inner ones.
        covariances: Filled, of the whole and of the inner region, (n, 2, 11, 11).
        means: Filled, (n, 2, 11).
        ring_means: Filled with the mean of each edge in each ring, (n, 3, r).
    """
    count, side = labs.shape[:2]
    inner = side - 2
    narrow = inner - 2 * border
    planes = np.empty((6, side, side), dtype=np.float32)
    values = np.empty((11, inner * inner), dtype=np.float32)
    edges = np.empty((3, inner * inner), dtype=np.float32)
    pictures, edge_pictures = values.reshape(11, inner, inner), edges.reshape(3, inner, inner)
    middle = np.empty((11, narrow * narrow), dtype=np.float32)
    for index in range(count):
        _describe_pixels(labs[index], locals_[index], distance, direction, planes, pictures, edge_pictures)
        for row in range(11):
            for y in range(narrow):
                for x in range(narrow):
                    middle[row, y * narrow + x] = pictures[row, y + border, x + border]
        _average_rings(edges, rings, ring_means[index])
        _moments(values, covariances[index, 0], means[index, 0])
        _moments(middle, covariances[index, 1], means[index, 1])
