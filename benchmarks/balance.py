"""SMOTE to equal classes: ours beside imbalanced-learn in float64 and float32, seconds and peak memory.

Every measurement is a process of its own that reads the images from the same file; the methods take turns, so
that a ratio compares what happened under the same load. Reading and imports are not counted in the seconds;
everything is in the peak. CPU seconds are those of all threads, which wait actively where other work holds a
core. Ours writes the balanced set to a file; imbalanced-learn, which keeps it in memory, does not.

    .venv/bin/python benchmarks/balance.py [--repeats 3] [--scale 1.0] [--data IMAGES.npz]
    .venv/bin/python benchmarks/balance.py --methods ours "ours, features" --sizes 64 96 128 224
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from wbc_core.augment.prepare import CHUNK_BYTES, peak_megabytes
from wbc_core.balance import draw_plan
from wbc_core.balance.smote import SmoteDraw, interpolate
from wbc_core.datasets.store import release_pages
from wbc_core.datasets.synthetic import draw_cells

METHODS = ("ours", "ours, features", "imblearn float64", "imblearn float32")
COUNTS = (852, 2181, 1085, 2026, 849, 993, 2330, 1643)
"""Images of each class in the public training set."""

SIDE = 96
SIZES = (64, 96, 128, 224)
"""Image sides in pixels; imbalanced-learn is measured at `SIDE` alone."""


def smote_ours(folder: Path, parameters: dict[str, str]) -> tuple[float, int]:
    """Draw, interpolate and write the balanced set to a file, as preparing does."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    labels = np.load(folder / "labels.npy")
    rows = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    started = time.perf_counter()
    names = [str(label) for label in range(len(rows))]
    balanced = SmoteDraw.join(draw_plan("smote", images, rows, 0, names, parameters=parameters))
    chunk = max(1, CHUNK_BYTES // images[0].nbytes)
    with (folder / "balanced.bin").open("wb") as file:
        for start in range(0, len(balanced), chunk):
            file.write(interpolate(images, balanced, start, min(start + chunk, len(balanced))).data)
            release_pages(images)
    return time.perf_counter() - started, len(balanced)


def smote_imblearn(folder: Path, dtype: str) -> tuple[float, int]:
    """Balance in memory, as imbalanced-learn does; nothing is rounded or written."""
    from imblearn.over_sampling import SMOTE

    pixels = np.load(folder / "images.npy", mmap_mode="r")
    pixels = pixels.reshape(len(pixels), -1).astype(dtype)
    labels = np.load(folder / "labels.npy")
    started = time.perf_counter()
    balanced, _ = SMOTE(k_neighbors=5, random_state=0).fit_resample(pixels, labels)
    return time.perf_counter() - started, len(balanced)


def measure(method: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--methods", method, "--child", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def child(method: str, folder: Path) -> None:
    before = time.process_time()
    if method.startswith("ours"):
        seconds, images = smote_ours(folder, {"neighbours": "features"} if "features" in method else {})
    else:
        seconds, images = smote_imblearn(folder, method.split()[1])
    cpu = time.process_time() - before
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak_megabytes(), "images": images}))


def write_images(folder: Path, side: int, data: Path | None, scale: float) -> int:
    """Write the images that every method reads; real ones, or drawn in the public set's proportions."""
    if data:
        with np.load(data, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"].reshape(-1).astype(np.int64)
        chosen = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
        rows = np.sort(np.concatenate([own[: max(6, round(scale * len(own)))] for own in chosen]))
        images, labels = images[rows], labels[rows]
    else:
        labels = np.repeat(np.arange(len(COUNTS)), [max(6, round(scale * count)) for count in COUNTS])
        images = draw_cells(np.random.default_rng(0), labels)
    store = np.lib.format.open_memmap(
        folder / "images.npy", mode="w+", dtype=np.uint8, shape=(len(labels), side, side, 3)
    )
    for position, image in enumerate(images):
        store[position] = image if side == SIDE else cv2.resize(image, (side, side))
    np.save(folder / "labels.npy", labels)
    return len(labels)


def compare(side: int, methods: list[str], options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = write_images(folder, side, options.data, options.scale)
        found: dict[str, list[dict[str, float]]] = {method: [] for method in methods}
        for _ in range(options.repeats):
            for method in methods:
                found[method].append(measure(method, folder))
    for method, results in found.items():
        seconds = [result["seconds"] for result in results]
        cells = [f"{side} px", method, f"{count:,} to {results[0]['images']:,.0f}"]
        cells.append(f"{statistics.median(seconds):.1f} ({min(seconds):.1f}..{max(seconds):.1f})")
        cells.append(f"{statistics.median(result['cpu'] for result in results):.1f}")
        cells.append(f"{max(result['peak_mb'] for result in results):,.0f}")
        if method.startswith("imblearn") and "ours" in found:
            pairs = zip(seconds, found["ours"], strict=True)
            ratios = sorted(theirs / ours["seconds"] for theirs, ours in pairs)
            cells.append(f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}..{ratios[-1]:.1f})")
        else:
            cells.append("")
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of each class, for a quick look")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="image sides in pixels")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--data", type=Path, help="npz with `images` and `labels`; else drawn cells")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.methods[0], options.child)
        return
    print(f"{options.repeats} repeats, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n")
    print("| size | method | images | seconds, median (least..most) | CPU s | peak MB | theirs over ours |")
    print("|---" * 7 + "|")
    for side in options.sizes:
        ours = [method for method in options.methods if side == SIDE or method.startswith("ours")]
        compare(side, ours, options)
    print(f"\nload {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
