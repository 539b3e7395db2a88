"""What a leaky run scores on the part that the source report would have held out."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.prepare import held_out_draw
from wbc_core.balance.smote import interpolate
from wbc_core.datasets.store import open_images, release_pages
from wbc_core.evaluation.scoring import score
from wbc_core.records import Json
from wbc_core.training.runs import Run
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

_CHUNK = 256


def with_synthetic(
    workspace: Workspace,
    run: Run,
    part: str,
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    model: "keras.Model",
    tta: bool,
) -> Json:
    """Score a run on the real images of a part and the new ones that the leaky order holds out beside them.

    Args:
        workspace: The lab.
        run: A run on a leaky prepared set.
        part: `validation` or `test`.
        labels: Labels of the part's real images, int64 (n,).
        probabilities: What the model says of them, float32 (n, K).
        model: The run's model.
        tta: Whether to average over the symmetries of every image.

    Returns:
        `images` in all and how many of them are `synthetic`, accuracy and macro-F1 with their intervals.
    """
    from wbc_core.training.predict import predict_probabilities

    images = open_images(workspace, run.dataset)
    drawn, synthetic = held_out_draw(workspace, run.prepared, part)
    predicted = [probabilities]
    for start in range(0, len(drawn), _CHUNK):
        made = interpolate(images, drawn, start, min(start + _CHUNK, len(drawn)))
        release_pages(images)
        predicted.append(predict_probabilities(model, made, tta))
    scored = score(np.concatenate([labels, synthetic]), np.concatenate(predicted), run.class_names)
    names = ("images", "accuracy", "accuracy_ci", "macro_f1", "macro_f1_ci")
    return {"synthetic": len(drawn), **{name: scored[name] for name in names}}
