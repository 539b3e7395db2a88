"""One tool run on one contaminated set, in a process of its own: `curation.py` starts it, once a tool.

    python benchmarks/curation_tools.py TOOL FOLDER

FOLDER holds images.npy, labels.npy, png/CLASS/ROW.png and, for `ours`, lab/ with the set imported. What was
found goes to FOLDER/TOOL.npz: `score:CHECK` (float, n; higher is worse) and `flag:CHECK` (bool, n) by row,
`pair:rows` (k, 2) with `pair:score`, `pair:flagged` (j, 2), or `hashes` (uint64, n) whose distance ranks.
Seconds leave out what it takes to import the tool itself, and what is only computed for the ranking.
"""

import contextlib
import importlib.metadata
import itertools
import json
import os
import resource
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLEANVISION_KINDS = (
    "exact_duplicates",
    "near_duplicates",
    "exposure",
    "low_information",
    "blur",
    "colour_cast",
    "odd_size",
)
"""Our checks for what CleanVision's default ones look for: dark, light, grey, blurry, odd in size, copies."""

FOLDS = 5


@dataclass
class Found:
    """What a tool found, its seconds on the clock and of all cores (after imports), and its peak."""

    seconds: float = 0.0
    cpu: float = 0.0
    megabytes: float = 0.0
    version: str = ""
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Count the seconds of a block, and note the peak at its end."""
        started, worked = time.perf_counter(), sum(os.times()[:4])
        yield
        self.seconds = time.perf_counter() - started
        self.cpu = sum(os.times()[:4]) - worked
        self.megabytes = peak_megabytes()


def peak_megabytes() -> float:
    """Largest resident memory of this process, and of the largest process that it started, in MB."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20 + children
    # Not ru_maxrss: on Linux a new process inherits the peak of the one that started it.
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024 + children


def bare_pass(folder: Path) -> Found:
    """Average every pixel, chunk by chunk: what merely reading the images costs."""
    found = Found()
    with found.timed():
        images = np.load(folder / "images.npy", mmap_mode="r")
        for start in range(0, len(images), 512):
            np.array(images[start : start + 512]).mean(axis=(1, 2, 3))
    return found


def ours_from_files(folder: Path) -> Found:
    """Import of the PNG files and scan."""
    from wbc_core.curation.scan import scan
    from wbc_core.datasets.importers import import_source
    from wbc_core.workspace import Workspace

    found = Found()
    with found.timed():
        workspace = Workspace(folder / "lab-of-files")
        dataset = import_source(workspace, folder / "png").dataset
        scan(workspace, dataset.id)
    return found


def ours_same_kinds(folder: Path) -> Found:
    """Scan of the imported set for what CleanVision looks for, and nothing else."""
    from wbc_core.curation.scan import scan
    from wbc_core.datasets.store import list_datasets
    from wbc_core.workspace import Workspace

    found = Found()
    workspace = Workspace(folder / "lab")
    dataset = list_datasets(workspace)[0]
    with found.timed():
        scan(workspace, dataset.id, CLEANVISION_KINDS)
    shutil.rmtree(workspace.findings_dir(dataset.id))  # The whole scan measures everything itself.
    return found


def ours(folder: Path) -> Found:
    """Scan of the imported set; then, untimed, every score that the findings leave out."""
    from wbc_core.curation.scan import load_findings, scan, scanned_checks
    from wbc_core.datasets.store import list_datasets
    from wbc_core.workspace import Workspace

    found = Found()
    workspace = Workspace(folder / "lab")
    dataset = list_datasets(workspace)[0]
    with found.timed():
        scan(workspace, dataset.id)
    acted = np.zeros(dataset.images, dtype=bool)
    pairs: list[tuple[int, int]] = []
    for check in scanned_checks(workspace, dataset.id):
        flags = found.arrays[f"flag:{check}"] = np.zeros(dataset.images, dtype=bool)
        for finding in load_findings(workspace, dataset.id, check):
            if finding.flagged:
                flags[list(finding.rows)] = True
                acted[[int(row) for row, action in finding.suggested.items() if action != "keep"]] = True
                if check in ("exact_duplicates", "near_duplicates"):
                    pairs += itertools.combinations(sorted(finding.rows), 2)
    found.arrays["pair:flagged"] = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    found.arrays["acted"] = acted
    measurements, scores = _every_score(workspace, dataset)
    found.arrays |= scores
    name = "features" if "features" in measurements.arrays else "appearance"
    np.save(folder / "features.npy", measurements[name])
    return found


def _every_score(workspace: Any, dataset: Any) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Scores of all rows and pairs over the threshold of each check: 1 is the default threshold."""
    from wbc_core.curation.checks import CHECKS
    from wbc_core.curation.measure import measure
    from wbc_core.datasets.store import open_images

    measurements, images = measure(workspace, dataset), open_images(workspace, dataset.id)
    arrays: dict[str, NDArray[Any]] = {}
    for name in CHECKS:
        check = CHECKS.get(name)
        if check.scope == "set" or name == "exact_duplicates":
            continue
        if name == "near_duplicates":
            # Above every score nothing is joined into groups: one finding a pair.
            findings = check.find(measurements, images, 1e6, 0.0)
            arrays["pair:rows"] = np.array([finding.rows for finding in findings]).reshape(-1, 2)
            arrays["pair:score"] = np.array([finding.score / check.threshold for finding in findings])
            continue
        scores = arrays[f"score:{name}"] = np.zeros(dataset.images)
        for finding in check.find(measurements, images, check.threshold, 0.0):
            rows = list(finding.rows)
            scores[rows] = np.maximum(scores[rows], finding.score / check.threshold)
    return measurements, arrays


def _row(path: object) -> int:
    return int(Path(str(path)).stem)


def cleanvision(folder: Path) -> Found:
    """Imagelab's default checks, one process."""
    from cleanvision import Imagelab

    found = Found(version=importlib.metadata.version("cleanvision"))
    with found.timed():
        lab = Imagelab(data_path=str(folder / "png"), verbose=False)
        lab.find_issues(n_jobs=1, verbose=False)
    rows = np.array([_row(path) for path in lab.issues.index])
    limits = {"dark": 0.32, "light": 0.05, "low_information": 0.3, "blurry": 0.29}
    for column in lab.issues.columns:
        if column.startswith("is_"):
            name = column.removeprefix("is_").removesuffix("_issue")
            flags = found.arrays[f"flag:{name}"] = np.zeros(len(rows), dtype=bool)
            flags[rows] = lab.issues[column].to_numpy(dtype=bool)
            score = 1 - lab.issues[f"{name}_score"].to_numpy(dtype=float)
            scores = found.arrays[f"score:{name}"] = np.zeros(len(rows))
            scores[rows] = score / (1 - limits.get(name, 0.5))
    sets = lab.info["near_duplicates"]["sets"] + lab.info["exact_duplicates"]["sets"]
    pairs = sorted({pair for group in sets for pair in itertools.combinations(sorted(map(_row, group)), 2)})
    found.arrays["pair:flagged"] = found.arrays["pair:rows"] = np.array(pairs, np.int64).reshape(-1, 2)
    found.arrays["pair:score"] = np.ones(len(pairs))
    return found


def imagededup(folder: Path) -> Found:
    """PHash at its default threshold."""
    from imagededup.methods import PHash

    found = Found(version=importlib.metadata.version("imagededup"))
    hasher = PHash(verbose=False)
    with found.timed():
        hashes = hasher.encode_images(image_dir=str(folder / "png"), recursive=True)
        copies = hasher.find_duplicates(encoding_map=hashes)
    found.arrays["hashes"] = np.zeros(len(hashes), dtype=np.uint64)
    for path, digest in hashes.items():
        found.arrays["hashes"][_row(path)] = int(digest, 16)
    pairs = {tuple(sorted((_row(path), _row(other)))) for path, own in copies.items() for other in own}
    found.arrays["pair:flagged"] = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return found


def _cleanlab(labels: NDArray[np.int64], features: Callable[[], NDArray[np.floating]]) -> Found:
    """Label issues of a linear discriminant's out-of-fold probabilities; and outliers of the features."""
    from cleanlab.filter import find_label_issues
    from cleanlab.outlier import OutOfDistribution
    from cleanlab.rank import get_label_quality_scores
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.preprocessing import StandardScaler

    found = Found(version=importlib.metadata.version("cleanlab"))
    with found.timed():
        vectors = StandardScaler().fit_transform(features())
        # As good as logistic regression on pixels, better on our features, and many times faster.
        classifier = LinearDiscriminantAnalysis()
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        chances = cross_val_predict(classifier, vectors, labels, cv=folds, method="predict_proba")
        found.arrays["flag:label_errors"] = find_label_issues(labels, chances)
    found.arrays["score:label_errors"] = 1 - get_label_quality_scores(labels, chances)
    typical = OutOfDistribution().fit_score(features=vectors, verbose=False)
    found.arrays["score:outliers"] = 1 - typical
    return found


def cleanlab_pixels(folder: Path) -> Found:
    """cleanlab on what is at hand without a model: 64 principal components of 32x32 pixels."""

    def features() -> NDArray[np.floating]:
        from sklearn.decomposition import PCA

        images = np.load(folder / "images.npy", mmap_mode="r")
        side = images.shape[1] // 32
        blocks = (image[: 32 * side, : 32 * side].reshape(32, side, 32, side, 3) for image in images)
        small = np.stack([block.mean(axis=(1, 3)) for block in blocks])
        return PCA(64, random_state=0).fit_transform(small.reshape(len(small), -1).astype(np.float32))

    return _cleanlab(np.load(folder / "labels.npy"), features)


def cleanlab_ours(folder: Path) -> Found:
    """cleanlab on the features that our scan computed (their seconds are not in)."""
    return _cleanlab(np.load(folder / "labels.npy"), lambda: np.load(folder / "features.npy"))


TOOLS: dict[str, Callable[[Path], Found]] = {
    "bare pass": bare_pass,
    "ours, CleanVision's kinds": ours_same_kinds,
    "ours": ours,
    "ours from files": ours_from_files,
    "CleanVision": cleanvision,
    "imagededup": imagededup,
    "cleanlab on pixels": cleanlab_pixels,
    "cleanlab on our features": cleanlab_ours,
}
NEEDED = {
    "CleanVision": "cleanvision",
    "imagededup": "imagededup",
    "cleanlab on pixels": "cleanlab",
    "cleanlab on our features": "cleanlab",
}
"""Package that a tool needs besides the lab."""


def main() -> None:
    tool, folder = sys.argv[1], Path(sys.argv[2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = TOOLS[tool](folder)
    np.savez(folder / f"{tool}.npz", allow_pickle=False, **found.arrays)
    summary = {name: getattr(found, name) for name in ("seconds", "cpu", "megabytes", "version")}
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
