"""Import and scan seconds beside a bare pass over the pixels, and how the scan grows with the set.

    python benchmarks/scan.py [DATA]                            # each step three times
    python benchmarks/scan.py [DATA] --sizes 10000 50000 100000 # once a size, on a set tiled from the images

Without DATA, 2,000 painted cells are measured. Every step is a process of its own, and so is its peak.
Tiles beyond the first copy are bent (a smooth displacement of some 4 pixels), turned by any angle, scaled by
90 to 115 %, shifted in hue by up to 7 degrees and in brightness by up to 8 %, and grained by 3 grey levels:
enough that they are no near duplicates, and the table says how many images are flagged as such.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from curation_tools import peak_megabytes
from numpy.typing import NDArray

RUNS = 3
STEPS = {
    "import": "import",
    "bare": "average of every pixel",
    "cold": "scan, nothing measured",
    "cached": "scan, measured before",
}
SCALED_STEPS = {
    "bare": "average of every pixel",
    "cold": "scan, nothing measured",
    "cached": "scan, measured before",
    "added": "scan with 5 % more images",
}
ADDED = 0.05
CHUNK = 512


def step(name: str, source: Path, home: Path) -> None:
    """Do one step and print its seconds, CPU seconds, peak in MB and images flagged as near duplicates."""
    from wbc_core.curation.scan import scan
    from wbc_core.datasets.importers import import_source
    from wbc_core.datasets.store import list_datasets, open_images
    from wbc_core.workspace import Workspace

    workspace = Workspace(home)
    datasets = sorted(list_datasets(workspace), key=lambda dataset: dataset.images)
    found = None
    started, worked = time.perf_counter(), time.process_time()
    if name == "import":
        import_source(workspace, source)
    elif name == "bare":
        images = open_images(workspace, datasets[0].id)
        for start in range(0, len(images), CHUNK):
            # Mapped anew, so that pages already read do not count as memory in use.
            np.array(open_images(workspace, datasets[0].id)[start : start + CHUNK]).mean(axis=(1, 2, 3))
    else:
        found = scan(workspace, datasets[-1 if name == "added" else 0].id)
    seconds, cpu, peak = time.perf_counter() - started, time.process_time() - worked, peak_megabytes()
    copies = found["checks"]["near_duplicates"]["flagged"] if found else 0
    print(json.dumps([seconds, cpu, peak, copies, found["checks"] if found else {}]))


def jittered(generator: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Another cell much like this one: bent, turned, scaled, recoloured and grained."""
    height, width = image.shape[:2]
    angle, scale = generator.uniform(0, 360), generator.uniform(0.9, 1.15)
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
    bent = cv2.resize(generator.normal(0, 6, (5, 5, 2)), (width, height), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:height, :width]
    place = np.stack([x, y, np.ones_like(x)], axis=-1) @ turn.T + bent
    warped = cv2.remap(image, place.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    colours = cv2.cvtColor(warped, cv2.COLOR_RGB2HSV)
    # OpenCV counts hue in steps of 2 degrees.
    colours[..., 0] = (colours[..., 0].astype(int) + generator.integers(-3, 4)) % 180
    warped = cv2.cvtColor(colours, cv2.COLOR_HSV2RGB) * np.float32(generator.uniform(0.92, 1.08))
    warped += generator.normal(0, 3, image.shape).astype(np.float32)
    return np.clip(warped, 0, 255).astype(np.uint8)


def tile(source: Path, home: Path, size: int) -> None:
    """Write two data sets: `size` images tiled from the source, and the same with 5 % more."""
    from wbc_core.datasets.importers import import_source
    from wbc_core.datasets.store import DatasetWriter, load_table, open_images
    from wbc_core.workspace import Workspace

    with tempfile.TemporaryDirectory(dir=home.parent) as name:
        imported = Workspace(Path(name))
        dataset = import_source(imported, source).dataset
        images, labels = (
            open_images(imported, dataset.id),
            load_table(imported, dataset.id)["label"].to_numpy(),
        )
        generator = np.random.default_rng(0)

        def tiles(start: int, stop: int) -> Iterator[NDArray[np.uint8]]:
            for row in range(start, stop):
                image = images[row % len(images)]
                yield image if row < len(images) else jittered(generator, image)

        total = round(size * (1 + ADDED))
        stops = [*range(CHUNK, size, CHUNK), size, *range(size + CHUNK, total, CHUNK), total]
        shape = dataset.image_shape
        small = DatasetWriter(Workspace(home), "tiles", dataset.class_names, shape)
        large = DatasetWriter(Workspace(home), "tiles and more", dataset.class_names, shape)
        with small, large:
            start = 0
            for stop in stops:
                rows = np.arange(start, stop)
                pixels = np.stack(list(tiles(start, stop)))
                sources, sizes = (
                    [f"tile {row}" for row in rows],
                    np.tile([shape[1], shape[0]], (len(rows), 1)),
                )
                for writer in (small, large) if stop <= size else (large,):
                    writer.append(pixels, labels[rows % len(labels)], sources, sizes)
                start = stop
            small.finish("tiles")
            large.finish("tiles and more")


def paint(path: Path) -> None:
    from wbc_core.datasets.synthetic import draw_cells

    labels = np.arange(2_000) % 8
    np.savez(path, images=draw_cells(np.random.default_rng(0), labels), labels=labels)


def child(source: Path, home: Path, *options: str) -> list[float]:
    command = [sys.executable, __file__, str(source), "--home", str(home), *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout or "[]")


def compare_steps(source: Path, folder: Path) -> None:
    results: dict[str, list[list[float]]] = {name: [] for name in STEPS}
    for run in range(RUNS):
        home = folder / f"run-{run}"
        for name in STEPS:
            results[name].append(child(source, home, "--step", name))
        shutil.rmtree(home)
    print("| step | seconds, median (least..most) | CPU seconds, least | peak MB |\n|---|---|---|---|")
    for name, runs in results.items():
        seconds = [run[0] for run in runs]
        spread = f"{statistics.median(seconds):.2f} ({min(seconds):.2f}..{max(seconds):.2f})"
        cpu, peak = min(run[1] for run in runs), max(run[2] for run in runs)
        print(f"| {STEPS[name]} | {spread} | {cpu:.2f} | {peak:,.0f} |")


def compare_sizes(source: Path, folder: Path, sizes: list[int]) -> None:
    print("| images | step | seconds | CPU seconds | peak MB | flagged as near duplicates |")
    print("|---|---|---|---|---|---|")
    slowest = []
    for size in sizes:
        home = folder / f"size-{size}"
        child(source, home, "--tile", str(size))
        for name, title in SCALED_STEPS.items():
            seconds, cpu, peak, copies, checks = child(source, home, "--step", name)
            shown = "" if name == "bare" else f"{copies:,}"
            images = round(size * (1 + ADDED)) if name == "added" else size
            print(f"| {images:,} | {title} | {seconds:.2f} | {cpu:.2f} | {peak:,.0f} | {shown} |", flush=True)
            if name == "cold":
                worst = sorted(checks, key=lambda check: -checks[check]["seconds"])[:4]
                listed = ", ".join(f"{check} {checks[check]['seconds']:.1f} s" for check in worst)
                slowest.append(f"- {size:,} images: {listed}.")
        shutil.rmtree(home)
    print("\nThe longest checks of the first scan, side by side after measuring:\n\n" + "\n".join(slowest))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="images: an npz file, a zip archive or a folder")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of images to tile and scan")
    parser.add_argument("--step", choices=STEPS | SCALED_STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--tile", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options.step, options.data, options.home)
        return
    if options.tile:
        tile(options.data, options.home, options.tile)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = options.data or folder / "cells.npz"
        if options.data is None:
            paint(source)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.\n")
        if options.sizes:
            compare_sizes(source, folder, options.sizes)
        else:
            compare_steps(source, folder)


if __name__ == "__main__":
    main()
