"""What evaluating costs over a bare `model.predict` on images that lie in memory as one array.

    .venv/bin/python benchmarks/inference.py [--backbone mobilenet_v3_small] [--images 512] [--repeats 5]

*Lab* is what an evaluation calls: it reads the memory-mapped images of a split in batches, reports progress
and can be cancelled. *Bare* is `model.predict` with keras's own batch of 32, and with the lab's. Rounds
alternate in one process. Processor time is what to look at on a machine with other work. The first call
counts on its own: it compiles the model.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from wbc_core.backbones.model import build_model
from wbc_core.training.predict import BATCH, predict_probabilities

SIDE, CLASSES = 96, 8


def spread(values: list[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds and processor seconds of a call."""
    started, before = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - started, time.process_time() - before


def mapped_images(folder: Path, images: int) -> np.ndarray:
    """Memory-mapped noise, uint8 (2 n, 96, 96, 3)."""
    path = folder / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (2 * images, SIDE, SIDE, 3), dtype=np.uint8))
    return np.load(path, mmap_mode="r")


def measure(backbone: str, images: int, repeats: int, folder: Path) -> None:
    stored = mapped_images(folder, images)
    rows = np.sort(np.random.default_rng(1).permutation(len(stored))[:images])
    in_memory = np.asarray(stored[rows])
    model = build_model(backbone, (SIDE, SIDE, 3), CLASSES, dropout=0.2)
    calls = {
        "lab": lambda: predict_probabilities(model, stored, rows=rows),
        "bare, batches of 32": lambda: model.predict(in_memory, batch_size=32, verbose=0),
        f"bare, batches of {BATCH}": lambda: model.predict(in_memory, batch_size=BATCH, verbose=0),
    }
    first = {name: timed(call) for name, call in calls.items()}
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            rounds[name].append(timed(call))
    print(f"{backbone}, {images:,} images, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| by | first call, s | s | CPU s | lab's CPU s over it |\n|---|---|---|---|---|")
    for name, pairs in rounds.items():
        wall, processor = ([pair[place] for pair in pairs] for place in (0, 1))
        ratios = [own / theirs for (_, own), (_, theirs) in zip(rounds["lab"], pairs, strict=True)]
        cells = [f"{first[name][0]:.2f}", spread(wall), spread(processor), spread(ratios)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="mobilenet_v3_small")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options.backbone, options.images, options.repeats, Path(folder))


if __name__ == "__main__":
    main()
