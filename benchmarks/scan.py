"""Import and scan seconds beside a bare pass over the pixels: `python benchmarks/scan.py [FILE.npz]`.

Without a file, 2,000 painted cells are measured. Every run is a process of its own, and so is its peak.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RUNS = 3
STEPS = {
    "import": "import",
    "bare": "average of every pixel",
    "cold": "scan, nothing measured",
    "cached": "scan, measured before",
}


def step(name: str, source: Path, home: Path) -> None:
    """Do one step and print its seconds and the peak memory of the process in MB."""
    from wbc_core.curation.scan import scan
    from wbc_core.datasets.importers import import_source
    from wbc_core.datasets.store import list_datasets, open_images
    from wbc_core.workspace import Workspace

    workspace = Workspace(home)
    started = time.perf_counter()
    if name == "import":
        import_source(workspace, source)
    elif name == "bare":
        images = open_images(workspace, list_datasets(workspace)[0].id)
        for start in range(0, len(images), 512):
            np.array(images[start : start + 512]).mean(axis=(1, 2, 3))
    else:
        scan(workspace, list_datasets(workspace)[0].id)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([seconds, peak]))


def paint(path: Path) -> None:
    from wbc_core.datasets.synthetic import draw_cells

    labels = np.arange(2_000) % 8
    np.savez(path, images=draw_cells(np.random.default_rng(0), labels), labels=labels)


def measure(source: Path, folder: Path) -> dict[str, list[list[float]]]:
    results: dict[str, list[list[float]]] = {name: [] for name in STEPS}
    for run in range(RUNS):
        home = folder / f"run-{run}"
        for name in STEPS:
            command = [sys.executable, __file__, str(source), "--step", name, "--home", str(home)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results[name].append(json.loads(done.stdout))
        shutil.rmtree(home)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options.step, options.file, options.home)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = options.file or folder / "cells.npz"
        if options.file is None:
            paint(source)
        results = measure(source, folder)
    print(f"{'step':26}{'min s':>8}{'median s':>10}{'max s':>8}{'peak MB':>9}")
    for name, runs in results.items():
        seconds = [run[0] for run in runs]
        low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
        print(f"{STEPS[name]:26}{low:8.2f}{middle:10.2f}{high:8.2f}{max(run[1] for run in runs):9.0f}")


if __name__ == "__main__":
    main()
