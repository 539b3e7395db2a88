"""Ways to cut held-out images into slices: source, brightness, size, resemblance; never the outcome."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wbc_core.curation.measure import chunk_size, measure_chunk, measured_before
from wbc_core.curation.measures import MEASURES
from wbc_core.datasets.store import load_table, open_images
from wbc_core.progress import Progress, silent
from wbc_core.records import Dataset
from wbc_core.workspace import Workspace

KINDS = {
    "source": "Source",
    "brightness": "Brightness",
    "size": "Size",
    "cluster": "Cluster",
}
"""Kinds of slices and what a page calls them."""

QUANTILES = 4
CLUSTERS = 8
SEED = 0
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # Rec. 601


def source_prefix(source: str, class_names: Sequence[str] = ()) -> str:
    """What file names of one origin begin with: folders that name no class, and all before the first digit.

    Args:
        source: Where an image came from.
        class_names: Names of classes: a folder of that name says nothing that the label does not.

    Example:
        >>> source_prefix("neutrophil/SNE_408047.jpg", ["neutrophil"]), source_prefix("patient 3/17.png")
        ('SNE', 'patient 3')
    """
    path = PurePosixPath(source.replace("\\", "/"))
    folders = [part for part in path.parts[:-1] if part not in class_names and part != "/"]
    start = re.split(r"\d", path.stem, maxsplit=1)[0].strip(" _-.([")
    return "/".join([*folders, *([start] if start else [])]) or "no prefix"


def _quarters(values: NDArray[np.float64], unit: str, least: str, most: str) -> NDArray[np.object_]:
    """Name the quarter of each value; equal values are never parted, so there may be fewer than four."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, QUANTILES + 1)[1:-1]))
    _, codes = np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)
    names = np.empty(len(values), dtype=object)
    for code in range(codes.max() + 1):
        inside = values[codes == code]
        end = f"{least}, " if code == 0 else f"{most}, " if code == codes.max() else ""
        names[codes == code] = f"{end}{inside.min():.3g} to {inside.max():.3g} {unit}"
    return names


def _chunks(
    workspace: Workspace, dataset: Dataset, rows: NDArray[np.int64], progress: Progress
) -> Iterator[NDArray[np.uint8]]:
    size = chunk_size(dataset.image_shape)
    for start in range(0, len(rows), size):
        progress(start / len(rows), "Measuring the images")
        yield np.ascontiguousarray(open_images(workspace, dataset.id)[rows[start : start + size]])


def stained_share(image: NDArray[np.uint8]) -> float:
    """Share of an image that is stained: its green channel is at or below Otsu's threshold.

    Nuclei and granules take up green light (Otsu, IEEE Transactions on Systems, Man and Cybernetics 9, 1979).

    Args:
        image: uint8 (H, W, 3).

    Returns:
        0..1.
    """
    green = np.ascontiguousarray(image[..., 1])
    threshold, _ = cv2.threshold(green, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float((green <= threshold).mean())


def _measured(
    workspace: Workspace, dataset: Dataset, rows: NDArray[np.int64], progress: Progress
) -> dict[str, NDArray[Any]]:
    """Mean luminance (0..1), stained share (0..1) and the lab's features of the rows."""
    measure = MEASURES.get("features")
    kept = measured_before(workspace, dataset, measure)
    luminance, stained, features = [], [], []
    for images in _chunks(workspace, dataset, rows, progress):
        luminance.append(images.mean(axis=(1, 2), dtype=np.float32) @ _LUMINANCE / 255)
        stained.append([stained_share(image) for image in images])
        if kept is None:
            features.append(measure_chunk((measure,), images)["features"])
    return {
        "luminance": np.concatenate(luminance).astype(np.float64),
        "stained": np.concatenate(stained),
        "features": np.concatenate(features) if kept is None else kept["features"][rows],
    }


def cluster(features: NDArray[np.float32], clusters: int) -> NDArray[np.int64]:
    """Number the clusters that k-means finds, from 1, the largest first; seeded.

    Args:
        features: Floats (n, d); each is brought to a standard deviation of 1.
        clusters: Number of clusters, at most n.
    """
    from sklearn.cluster import KMeans

    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    found: NDArray[np.int64] = KMeans(clusters, n_init=4, random_state=SEED).fit_predict(scaled)
    order = np.argsort(-np.bincount(found, minlength=clusters), kind="stable")
    return np.argsort(order)[found] + 1


def slice_images(
    workspace: Workspace,
    dataset: Dataset,
    rows: NDArray[np.int64],
    minimum: int,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Put every image into one slice of each kind.

    Brightness is the mean luminance, and size that of the original where originals differ in size, else the
    stained share of the image; both are cut into quarters. Clusters are those of k-means on the lab's
    features, at most 8, and so few that they could hold twice the minimum each.

    Args:
        workspace: The lab.
        dataset: The data set.
        rows: Rows of the images, int64 (n,).
        minimum: Images that a slice should have at least.
        progress: Told the share done.

    Returns:
        Column row and one of `KINDS` each with the name of the image's slice.
    """
    table = load_table(workspace, dataset.id).set_index("row").loc[rows]
    measured = _measured(workspace, dataset, rows, progress)
    sides = np.sqrt(table["width"].to_numpy(dtype=np.float64) * table["height"].to_numpy(dtype=np.float64))
    if len(np.unique(sides)) > 1:
        size = _quarters(sides, "px a side before the import", "smallest", "largest")
    else:
        size = _quarters(100 * measured["stained"], "% of the image stained", "smallest", "largest")
    progress(0.9, "Grouping images that resemble each other")
    clusters = cluster(measured["features"], max(1, min(CLUSTERS, len(rows) // (2 * minimum))))
    return pd.DataFrame(
        {
            "row": rows,
            "source": [source_prefix(source, dataset.class_names) for source in table["source"]],
            "brightness": _quarters(100 * measured["luminance"], "% of white", "darkest", "brightest"),
            "size": size,
            "cluster": [f"{number} of {clusters.max()}" for number in clusters],
        }
    )
