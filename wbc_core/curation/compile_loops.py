"""Compiles the loops of a scan ahead of the first one: `python -m wbc_core.curation.compile_loops`."""

import numpy as np

from wbc_core.curation.measure import measure_chunk
from wbc_core.curation.measures import MEASURES
from wbc_core.curation.nearest import nearest_pairs, whole_numbers
from wbc_core.curation.pair_loops import keep_smallest
from wbc_core.curation.similarity import may_show


def compile_loops() -> None:
    """Run every compiled loop once, which takes some ten seconds where nothing is compiled yet."""
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    measure_chunk(tuple(one for _, one in MEASURES.items()), pictures)
    may_show(pictures[0], pictures)
    nearest_pairs(whole_numbers(generator.normal(size=(9, 4)), 0.25), 2, 9.0)
    distances = np.zeros((1, 1), dtype=np.float32)
    keep_smallest(distances, 0, np.zeros((1, 1), dtype=np.int64), distances.copy())


if __name__ == "__main__":
    compile_loops()
