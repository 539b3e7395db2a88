"""What drawing the images anew in every epoch costs beside the training, and what more threads would change.

    .venv/bin/python benchmarks/online.py [--recipe robust] [--backbone wbcnet] [--rounds 3]

First the online stage alone on 1, 2 and 4 threads, which must give the same bytes; then one epoch of the
backbone with and without it, by turns: images a second, processor time an image, and the loader's part of it.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import gettempdir

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from wbc_core.augment.online import OnlineStage
from wbc_core.augment.recipe import load_recipe
from wbc_core.backbones.model import build_model
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.freed_memory import keep_freed_memory
from wbc_core.training.data import Batches, as_keras_data
from wbc_core.workspace import Workspace

CLASSES = 8
IMAGES = 768


class Timed(Batches):
    """Batches that add up the processor time of the thread that makes them."""

    spent = 0.0

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        began = time.thread_time()
        batch = super().__getitem__(index)
        self.spent += time.thread_time() - began
        return batch


def batches_of(recipe: str, batch_size: int, *, anew: bool = True) -> Timed:
    labels = np.arange(IMAGES) % CLASSES
    images = draw_cells(np.random.default_rng(0), labels)
    loaded = load_recipe(Workspace(Path(gettempdir()) / "no-workspace"), recipe)
    names = tuple(f"class {number}" for number in range(CLASSES))
    online = OnlineStage(loaded.online, loaded.seed, images, labels, names) if anew else None
    rows = np.arange(IMAGES)
    return Timed(images, rows, labels, batch_size=batch_size, seed=1, online=online, shares_of=CLASSES)


def threads(recipe: str, rounds: int) -> None:
    """Print the images a second of the stage alone, the best round of each."""
    for batch_size in (32, 128):
        batches = batches_of(recipe, batch_size)
        seconds: dict[int, float] = {}
        made = set()
        for _ in range(rounds):
            for count in (1, 2, 4):
                with ThreadPoolExecutor(count) as pool:
                    began = time.perf_counter()
                    drawn = list(pool.map(batches.__getitem__, range(len(batches))))
                took = time.perf_counter() - began
                seconds[count] = min(took, seconds.get(count, took))
                made.add(b"".join(images.tobytes() for images, _ in drawn))
        assert len(made) == 1, "the bytes depend on the number of threads"
        rates = ", ".join(f"{count}: {IMAGES / took:,.0f}" for count, took in seconds.items())
        print(f"batches of {batch_size}, images/s by threads: {rates}")


def epoch(model: keras.Model, batches: Timed) -> str:
    """Train an epoch, and say what it took."""
    wall, processor = time.perf_counter(), time.process_time()
    model.fit(as_keras_data(batches), epochs=1, shuffle=False, verbose=0)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return (
        f"{IMAGES / wall:.1f} images/s, {1000 * processor / IMAGES:.2f} ms of processor time an image, "
        f"{1000 * batches.spent / IMAGES:.3f} of them the loader's ({batches.spent / processor:.1%})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="robust")
    parser.add_argument("--backbone", default="wbcnet")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    keep_freed_memory()
    threads(options.recipe, options.rounds)
    model = build_model(options.backbone, (96, 96, 3), CLASSES, dropout=0.2)
    model.compile("adamw", "categorical_crossentropy")
    epoch(model, batches_of(options.recipe, 32))
    for _ in range(options.rounds):
        for anew in (True, False):
            print(
                "drawn anew:" if anew else "as they are:",
                epoch(model, batches_of(options.recipe, 32, anew=anew)),
            )


if __name__ == "__main__":
    main()
