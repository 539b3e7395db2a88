"""What a network makes of every image of a data set, for checks that compare images by their features."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.backbones.entry import ImageShape
from wbc_core.backbones.registry import BACKBONES
from wbc_core.backbones.weights import PackagedWeights
from wbc_core.curation.measure import EMBEDDING, chunk_size, measure_arrays
from wbc_core.curation.measures.base import Chunk, Measure
from wbc_core.curation.scan import FEATURES, Embedding
from wbc_core.datasets.store import read_dataset
from wbc_core.errors import WbcError
from wbc_core.progress import Progress, silent
from wbc_core.quiet import import_keras_quietly
from wbc_core.records import Dataset
from wbc_core.training.predict import best_model_path, load_model
from wbc_core.training.runs import load_run, refuse_ensemble
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras

DEFAULT_EMBEDDING = "efficientnet_lite0"

_BATCH = 64


@dataclass(frozen=True, eq=False)
class _Network:
    """A network that is loaded when the first image asks for it.

    Attributes:
        id: Names it and its weights.
        load: Builds it: (n, H, W, 3) values 0..255 to (n, dimensions).
    """

    id: str
    load: "Callable[[], keras.Model]"

    @cached_property
    def _model(self) -> "keras.Model":
        return self.load()

    def compute(self, chunk: Chunk) -> dict[str, NDArray[Any]]:
        """Embed a chunk, in batches of one size: the numbers of an image may depend on that size."""
        size = min(_BATCH, chunk_size(chunk.images.shape[1:]))
        batch = np.zeros((size, *chunk.images.shape[1:]), np.uint8)
        parts = []
        for start in range(0, len(chunk), size):
            images = chunk.images[start : start + size]
            batch[: len(images)] = images
            parts.append(np.asarray(self._model.predict_on_batch(batch))[: len(images)])
        return {FEATURES: np.concatenate(parts).astype(np.float32)}


def embed(
    workspace: Workspace, dataset_id: str, model: str = DEFAULT_EMBEDDING, progress: Progress = silent
) -> Embedding:
    """Run every image through a network, up to the layer before its classes.

    What was computed is kept beside the measurements of the data set; pixels that are known from another data
    set are not computed again. A network whose work is all there is not even loaded.

    Args:
        workspace: The lab.
        dataset_id: Id of the data set.
        model: Id of a run, of which the best epoch counts, or name of a backbone, with its ImageNet weights.
        progress: Told the fraction done.

    Returns:
        float32 (n, dimensions), in row order, and an id of the network and its weights.

    Raises:
        WbcError: No such data set, run or backbone; weights that are not to be had; images of another shape
            than the run was trained on; a network that gives no finite numbers.
    """
    dataset = read_dataset(workspace, dataset_id)
    network = (_of_backbone if model in BACKBONES else partial(_of_run, workspace))(dataset, model)
    one = Measure(EMBEDDING.format(network.id), (FEATURES,), network.compute)
    progress(0.0, f"loading {model}")
    arrays = measure_arrays(
        workspace,
        dataset,
        [one],
        lambda fraction, _: progress(fraction, f"looking at the images with {model}"),
        # Keras uses every core by itself.
        spread=map,
    )
    if not np.isfinite(arrays[FEATURES]).all():
        raise WbcError(
            f"The network {model} gives numbers that are not finite.",
            fix="Choose another run: this one has diverged.",
        )
    return Embedding(network.id, arrays[FEATURES])


def _of_backbone(dataset: Dataset, name: str) -> _Network:
    backbone = BACKBONES.get(name)
    backbone.check_size(dataset.image_shape)
    checksum = backbone.imagenet.checksum if backbone.imagenet else "none"

    def load() -> "keras.Model":
        if isinstance(backbone.imagenet, PackagedWeights):
            backbone.imagenet.locate()  # what is missing is said before TensorFlow takes its seconds
        import_keras_quietly()
        import keras

        extractor = backbone.build(dataset.image_shape, "imagenet")
        features = extractor.output
        if len(features.shape) == 4:
            features = keras.layers.GlobalAveragePooling2D()(features)
        return keras.Model(extractor.input, features)

    return _Network(f"{name}-{checksum[:16]}", load)


def _of_run(workspace: Workspace, dataset: Dataset, run_id: str) -> _Network:
    try:
        workspace.run_dir(run_id)
    except WbcError:
        published = [name for name, backbone in BACKBONES.items() if backbone.imagenet]
        raise WbcError(
            f"There is no network {run_id!r}.",
            expected=f"the id of a run, or one of {', '.join(published)}",
            fix="Check the spelling.",
        ) from None
    run = load_run(workspace, run_id)
    refuse_ensemble(run, "an embedding")
    if run.image_shape != dataset.image_shape:
        raise WbcError(
            f"Run {run_id} takes images of another size.",
            expected=_size(run.image_shape),
            got=_size(dataset.image_shape),
            fix="Choose a run that was trained on this size, or a backbone.",
        )
    with best_model_path(workspace, run_id).open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()

    def load() -> "keras.Model":
        import_keras_quietly()
        import keras

        model = load_model(workspace, run_id)
        # The classifier's input: what is left of the dropout before it does nothing in prediction.
        return keras.Model(model.input, model.layers[-1].input)

    return _Network(f"{run_id}-{checksum[:16]}", load)


def _size(shape: ImageShape) -> str:
    return f"{shape[0]} x {shape[1]} pixels"
