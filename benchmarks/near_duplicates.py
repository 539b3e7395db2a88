"""Cost of the candidate search against the number of images: `python benchmarks/near_duplicates.py FILE.npz`.

Prints seconds, processor seconds and peak memory for 10,000, 100,000 and 1,000,000 descriptors, and the
share of planted copies that is among the pairs. The descriptors are drawn by a smoothed bootstrap
(Silverman, "Density estimation", 1986, 6.4.1) from those of the file's own images: a real one, moved a
third of the way to another and jittered. A thousand of them get a copy that lies one standard deviation
of a learnt sloppy copy away in each coordinate. Beside it, as far as they go in reasonable time: the
exact kd-tree, and all pairs of 64-bit hashes by matrix product, as a user of perceptual hashes would
compare them. Without a file: painted cells.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIZES = (10_000, 100_000, 1_000_000)
PLANTED = 1_000
LARGEST = {"ours": 1_000_000, "kd-tree, exact": 100_000, "64-bit hashes, all pairs": 100_000}


def real_descriptors(source: Path | None) -> NDArray[np.float32]:
    from wbc_core.curation.checks.near_duplicates import NEAR_DUPLICATES
    from wbc_core.curation.measure import Measurements, measure_chunk
    from wbc_core.curation.measures import MEASURES
    from wbc_core.curation.similarity import Similarity

    if source is None:
        from wbc_core.datasets.synthetic import draw_cells

        images = draw_cells(np.random.default_rng(0), np.arange(2_000) % 8)
    else:
        with np.load(source) as archive:
            images = archive["images"]
        _, first = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)
        images = images[np.sort(first)]
    measures = tuple(MEASURES.get(name) for name in NEAR_DUPLICATES.measures)
    parts = [measure_chunk(measures, images[start : start + 512]) for start in range(0, len(images), 512)]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    count = len(images)
    nothing = Measurements(
        ("",) * count, np.zeros(count, np.int64), (), np.zeros((count, 2), np.int64), arrays
    )
    return Similarity(nothing, images, np.arange(count)).descriptors


def draw(real: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Descriptors as the real ones lie, the last thousand copies of the first."""
    generator = np.random.default_rng(0)
    points = np.empty((count, real.shape[1]), dtype=np.float32)
    for start in range(0, count, 100_000):
        some = points[start : start + 100_000]
        one, other = generator.integers(len(real), size=(2, len(some)))
        some[:] = np.rint(real[one] + (real[other] - real[one]) / 3 + generator.normal(0, 4, some.shape))
    copies = points[:PLANTED] + generator.normal(0, 4, (PLANTED, real.shape[1]))
    points[-PLANTED:] = np.rint(copies)
    return np.clip(points, -400, 400)


def peak_mb() -> float:
    """Most memory that this process has held, in MB; `getrusage` would start at what the parent held."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def step(name: str, count: int, descriptors: Path) -> None:
    """Search once, and print seconds, processor seconds, MB added at the peak and the share found."""
    from scipy.spatial import cKDTree

    from wbc_core.curation.nearest import nearest_pairs
    from wbc_core.curation.similarity import NEIGHBOURS

    points = draw(np.load(descriptors), count)
    before = peak_mb()
    started, busy = time.perf_counter(), time.process_time()
    found = float("nan")
    if name == "ours":
        pairs = nearest_pairs(points, NEIGHBOURS, 96.0)
        found = float((pairs[:, 1] - pairs[:, 0] == count - PLANTED).sum()) / PLANTED
    elif name == "kd-tree, exact":
        _, near = cKDTree(points).query(points, k=NEIGHBOURS + 1, distance_upper_bound=96.0, workers=-1)
        found = float(
            (near[:PLANTED] == np.arange(count - PLANTED, count)[:PLANTED, None]).any(axis=1).mean()
        )
    else:
        signs = np.where(np.random.default_rng(1).random((count, 64)) < 0.5, -1, 1).astype(np.float32)
        for start in range(0, count, 1_024):
            (signs[start : start + 1_024] @ signs.T > 64 - 2 * 10).sum()
    seconds, processor = time.perf_counter() - started, time.process_time() - busy
    print(json.dumps([seconds, processor, peak_mb() - before, found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options.step[0], int(options.step[1]), options.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        descriptors = Path(folder) / "descriptors.npy"
        np.save(descriptors, real_descriptors(options.file))
        print(f"{'search':28}{'descriptors':>12}{'s':>8}{'CPU s':>8}{'MB more':>9}{'found':>8}", flush=True)
        for name, largest in LARGEST.items():
            for count in (size for size in SIZES if size <= largest):
                command = [sys.executable, __file__, str(descriptors), "--step", name, str(count)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                seconds, processor, peak, found = json.loads(done.stdout)
                shown = f"{found:8.3f}" if np.isfinite(found) else f"{'':8}"
                print(f"{name:28}{count:12,}{seconds:8.2f}{processor:8.2f}{peak:9.0f}{shown}", flush=True)


if __name__ == "__main__":
    main()
