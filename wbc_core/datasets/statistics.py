"""What a data set looks like as a whole: counts, mean images, sizes, brightness and colour."""

from collections import Counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_core.datasets.store import load_table, open_images, read_dataset
from wbc_core.progress import Progress, silent
from wbc_core.workspace import Workspace

_REPORT_EVERY = 1024
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def _spread(values: NDArray[np.floating]) -> list[float]:
    return [round(float(value), 2) for value in np.quantile(values, _QUANTILES)]


def dataset_summary(workspace: Workspace, dataset_id: str, progress: Progress = silent) -> dict[str, Any]:
    """Summarise a data set in one pass over its images.

    Args:
        workspace: The workspace.
        dataset_id: Id of the data set.
        progress: Told the fraction done.

    Returns:
        `images`: their number. `classes`: name to count. `mean_image`: uint8 of shape (H, W, 3).
        `class_mean_images`: name to the same, None for an empty class. `sizes`: original width and height and
        the number of images, most frequent first. `quantiles`: which ones the spreads are given at.
        `brightness`: spread of the images' means, 0..255. `class_brightness`: name to the same, None for an
        empty class. `contrast`: spread of the standard deviations within an image. `colour`: spread of the
        means of red, green and blue. `image_brightness`: mean of each image, float32 of shape (N,).

    Raises:
        WbcError: There is no such data set.
    """
    dataset = read_dataset(workspace, dataset_id)
    table, images = load_table(workspace, dataset_id), open_images(workspace, dataset_id)
    labels = table["label"].to_numpy()
    classes = len(dataset.class_names)
    sums = np.zeros((classes, *images.shape[1:]), np.float64)
    means, deviations = np.empty((len(images), 3), np.float32), np.empty(len(images), np.float32)
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        pixels = np.asarray(image)
        cv2.accumulate(pixels, sums[label])
        mean, deviation = cv2.meanStdDev(pixels)
        means[row] = mean[:, 0]
        # Over all channels: the mean within them plus the variance between them.
        deviations[row] = np.sqrt((deviation**2).mean() + mean.var())
        if row % _REPORT_EVERY == 0:
            progress(row / len(images), f"Looked at {row:,} of {len(images):,} images")
    counts = np.bincount(labels, minlength=classes)
    brightness = means.mean(axis=1)
    sizes = Counter(zip(table["width"].tolist(), table["height"].tolist(), strict=True))

    def picture(total: NDArray[np.float64], count: int) -> NDArray[np.uint8] | None:
        return np.round(total / count).astype(np.uint8) if count else None

    return {
        "images": len(images),
        "classes": dict(zip(dataset.class_names, counts.tolist(), strict=True)),
        "mean_image": picture(sums.sum(axis=0), len(images)),
        "class_mean_images": {
            name: picture(sums[label], int(counts[label])) for label, name in enumerate(dataset.class_names)
        },
        "sizes": [
            {"width": width, "height": height, "images": count}
            for (width, height), count in sizes.most_common()
        ],
        "quantiles": list(_QUANTILES),
        "brightness": _spread(brightness),
        "class_brightness": {
            name: _spread(brightness[labels == label]) if counts[label] else None
            for label, name in enumerate(dataset.class_names)
        },
        "contrast": _spread(deviations),
        "colour": {name: _spread(means[:, channel]) for channel, name in enumerate(("red", "green", "blue"))},
        "image_brightness": brightness,
    }
