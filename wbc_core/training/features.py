"""A frozen backbone's features, computed once, on which the head then trains at full speed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from wbc_core.training.data import Batches
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras


def _computed(
    extractor: "keras.Model", batches: Batches, workspace: Workspace, report: Callable[[int], None]
) -> np.memmap:
    """float32 (n, dimensions), in the order of `batches.rows`, in a file that has no name any more."""
    count = len(batches.rows)
    path = workspace.scratch_name()
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (count, int(extractor.output_shape[-1]))
    features = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    path.unlink()
    for start in range(0, count, batches.batch_size):
        stop = min(start + batches.batch_size, count)
        features[start:stop] = extractor.predict_on_batch(batches.images[batches.rows[start:stop]])
        report(stop)
    return features


def on_features(
    extractor: "keras.Model", batches: Batches, workspace: Workspace, report: Callable[[int], None]
) -> Batches:
    """The same batches in the same order, with each image replaced by its features.

    Args:
        extractor: From images to features (n, dimensions).
        batches: Images that no online stage changes.
        workspace: Where the features may lie while they are in use.
        report: Told how many images are done.
    """
    features = _computed(extractor, batches, workspace, report)
    return Batches(
        features,
        np.arange(len(features), dtype=np.int64),
        batches.labels,
        batch_size=batches.batch_size,
        seed=batches.seed,
        shares_of=batches.shares_of,
    )
