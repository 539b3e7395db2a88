"""A frozen backbone's features, computed once, on which the head then trains at full speed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from wbc_core.backbones.layers import leaves
from wbc_core.training.data import Batches, TrainingData, padded_chunks
from wbc_core.training.device import device_summary
from wbc_core.training.spec import RunSpec
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

_STEPS = 32
"""Of the head in one call: more gains nothing, and at some 1 ms a step progress and cancelling keep up."""


def steps_a_call(spec: RunSpec) -> int:
    """Steps on features that keras does without coming back to Python, which takes longer than such a step.

    Args:
        spec: The run.

    Returns:
        1 where the backend cannot do more, and in float16, where a step may be left out.
    """
    import keras

    return _STEPS if keras.backend.backend() == "tensorflow" and spec.precision != "float16" else 1


def on_features(
    extractor: "keras.Model", data: TrainingData, workspace: Workspace, report: Callable[[int, int], None]
) -> tuple[Batches, Batches]:
    """The train and the validation batches in the same order, with each image replaced by its features.

    Args:
        extractor: From images to features (n, dimensions).
        data: Images that no online stage changes.
        workspace: Where the features may lie while they are in use.
        report: Told how many images are done, and of how many.
    """
    parts = (data.train, data.validation)
    total, before = sum(len(part.rows) for part in parts), 0
    # One size for both parts: the backbone would be compiled for each.
    size = data.validation.batch_size
    found, looking = [], _with_constants(extractor)
    for part in parts:
        features = _file_of(workspace, (len(part.rows), int(extractor.output_shape[-1])))
        for place, chunk in padded_chunks(part.images, part.rows, size):
            features[place] = looking.predict_on_batch(chunk)[: place.stop - place.start]
            report(before + place.stop, total)
        before += len(part.rows)
        found.append(
            Batches(
                features,
                np.arange(len(features), dtype=np.int64),
                part.labels,
                batch_size=part.batch_size,
                seed=part.seed,
                shares_of=part.shares_of,
            )
        )
    return found[0], found[1]


def _with_constants(extractor: "keras.Model") -> "keras.Model":
    """The same with its weights as constants of the graph, where that is faster.

    TensorFlow then computes a convolution and the batch normalisation behind it as one: a CPU looks at an
    eighth (densenet121) to almost half (mobilenet_v3_small) more images. Otherwise it only takes memory.
    """
    import keras

    normalises = any(isinstance(layer, keras.layers.BatchNormalization) for layer in leaves(extractor))
    if not normalises or keras.backend.backend() != "tensorflow" or device_summary()["device"] != "cpu":
        return extractor
    variables = extractor.trainable_variables, extractor.non_trainable_variables
    constants = [[keras.ops.convert_to_numpy(variable) for variable in some] for some in variables]

    class WithConstants(keras.Model):  # type: ignore[misc]  # keras carries no types
        def call(self, images: Any) -> Any:
            return extractor.stateless_call(*constants, images, training=False)[0]

    return WithConstants()


def _file_of(workspace: Workspace, shape: tuple[int, int]) -> np.memmap:
    """An empty float32 array in a file that has no name any more."""
    path = workspace.scratch_name()
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    path.unlink()
    return array
