"""What a run learns from and is validated on, read from memory-mapped files batch by batch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.online import OnlineStage
from wbc_core.augment.operations import Images
from wbc_core.augment.prepare import load_prepared, open_prepared
from wbc_core.augment.shifts import ShiftedImages
from wbc_core.balance import PLANS
from wbc_core.balance.parameters import DEFAULT_BETA
from wbc_core.balance.weights import class_weights
from wbc_core.datasets.store import find_dataset, open_images
from wbc_core.errors import WbcError
from wbc_core.records import Dataset, PreparedSet
from wbc_core.splitting import split_table
from wbc_core.workspace import Workspace

if TYPE_CHECKING:
    import keras


class Batches:
    """Batches of images and labels, gathered when they are asked for.

    The order is a function of seed and epoch alone, so that a resumed run sees what it would have seen.

    Args:
        images: uint8 (N, H, W, 3), or features, float32 (N, dimensions), memory-mapped.
        rows: Which of them, int (n,).
        labels: Their labels, int (n,).
        batch_size: Images a batch; the last may be smaller.
        seed: Seed of the shuffle; None keeps the order of `rows`.
        online: Augments the images as they are asked for; the rows are then positions in its prepared set.
        shares_of: Number of classes where a label is to be a row of shares, float32 (n, classes); 0 where
            it is to be a number.

    Attributes:
        epoch: The epoch, counted from 0, whose order is used; set it before an epoch begins.

    Example:
        >>> images = np.zeros((5, 2, 2, 3), np.uint8)
        >>> batches = Batches(images, np.arange(5), np.arange(5), batch_size=2, seed=7)
        >>> len(batches), batches[2][0].shape
        (3, (1, 2, 2, 3))
    """

    def __init__(
        self,
        images: Images | ShiftedImages | NDArray[np.float32],
        rows: NDArray[np.int64],
        labels: NDArray[np.integer],
        *,
        batch_size: int,
        seed: int | None = None,
        online: OnlineStage | None = None,
        shares_of: int = 0,
    ) -> None:
        self.images, self.rows, self.batch_size, self.seed = images, rows, batch_size, seed
        self.online, self.shares_of = online, shares_of
        self.labels = labels.astype(np.int32)
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.int32] | NDArray[np.float32]]:
        epoch, order = self._order_now()
        chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
        if self.online is not None:
            images, labels = self.online(self.rows[chosen], epoch)
        else:
            images, labels = np.ascontiguousarray(self.images[self.rows[chosen]]), self.labels[chosen]
        if self.shares_of and labels.ndim == 1:
            labels = np.eye(self.shares_of, dtype=np.float32)[labels]
        return images, labels

    def counts(self, classes: int) -> list[int]:
        """Images per class."""
        return np.bincount(self.labels, minlength=classes).tolist()  # type: ignore[no-any-return]

    def _order_now(self) -> tuple[int, NDArray[np.int64]]:
        # Read once: a loader's thread of the epoch before may still be asking.
        epoch, order = self.epoch, self._order
        if order is None or order[0] != epoch:
            indices = np.arange(len(self.rows))
            if self.seed is not None:
                indices = np.random.default_rng([self.seed, epoch]).permutation(indices)
            order = self._order = (epoch, indices)
        return order


def padded_chunks(
    images: Images | ShiftedImages | NDArray[Any], rows: NDArray[np.int64], size: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Read images in chunks of one size: a network would be compiled once more for a chunk of another.

    Args:
        images: uint8 (N, H, W, 3); may be memory-mapped.
        rows: Which of them, in which order.
        size: Images a chunk.

    Yields:
        The places in `rows`, and the images there, uint8 (size, H, W, 3); the last chunk is filled up with
        its first image.

    Example:
        >>> chunks = padded_chunks(np.zeros((5, 2, 2, 3), np.uint8), np.arange(5), 3)
        >>> [(place.start, place.stop, len(chunk)) for place, chunk in chunks]
        [(0, 3, 3), (3, 5, 3)]
    """
    for start in range(0, len(rows), size):
        stop = min(start + size, len(rows))
        chunk = np.asarray(images[rows[start:stop]])
        if len(chunk) < size:
            chunk = np.concatenate([chunk, np.repeat(chunk[:1], size - len(chunk), axis=0)])
        yield slice(start, stop), chunk


def as_keras_data(
    batches: Batches, class_weights: Mapping[int, float] | None = None
) -> "keras.utils.PyDataset":
    """Wrap batches for `keras.Model.fit`, which prefetches them in one thread.

    Args:
        batches: The batches.
        class_weights: What the loss of an image counts by its class; of one that several classes share, as
            theirs do by their shares. Keras's own class weights would count it as its largest class alone.
    """
    import keras

    weights = None
    if class_weights:
        weights = np.array([class_weights.get(label, 1.0) for label in range(max(class_weights) + 1)])

    class KerasBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras carries no types
        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, index: int) -> Any:
            images, labels = batches[index]
            if weights is None:
                return images, labels
            counted = weights[labels] if labels.ndim == 1 else labels[:, : len(weights)] @ weights
            return images, labels, counted.astype(np.float32)

    return KerasBatches()


@dataclass(frozen=True)
class TrainingData:
    """Everything that a run reads.

    Attributes:
        dataset: The data set.
        prepared: The prepared set.
        train: Batches of the prepared set, shuffled, and augmented where its recipe has an online stage.
        validation: Batches of the split's held-out part in the data set's order, as they are unless a shift
            was asked for.
    """

    dataset: Dataset
    prepared: PreparedSet
    train: Batches
    validation: Batches

    def class_weights(self, weighting: str) -> dict[int, float] | None:
        """What the loss of an image counts by its class; None where all count the same.

        Args:
            weighting: One of `balance.weights.WEIGHTINGS`, or `recipe` for what its balance plan says.
        """
        recipe = self.prepared.recipe
        if weighting == "recipe":
            weighting = PLANS.get(recipe.balance).weighting
        # Augmented copies of an image are not further samples.
        copies = 1 + len(recipe.operations)
        counts = [count // copies for count in self.train.counts(len(self.dataset.class_names))]
        return class_weights(counts, weighting, recipe.balance_parameters.get("beta", DEFAULT_BETA))


def load_training_data(
    workspace: Workspace,
    prepared_id: str,
    *,
    batch_size: int,
    seed: int,
    validation_shift: str = "none",
    validation_strength: int = 3,
    shares: bool = False,
) -> TrainingData:
    """Open a prepared set, and the validation part of the split that it was made from.

    Args:
        workspace: The lab.
        prepared_id: Id of the prepared set.
        batch_size: Images a step.
        seed: Seed of the order.
        validation_shift: `none`, or the shift that the validation images are read through.
        validation_strength: Its strength, 1 to 5.
        shares: Whether labels are to be rows of shares, as they are where a recipe mixes images.

    Raises:
        WbcError: There is no such prepared set, or the split holds no image out.
    """
    prepared = load_prepared(workspace, prepared_id)
    dataset = find_dataset(workspace, prepared.dataset)
    images, labels = open_prepared(workspace, prepared_id)
    if not len(labels):
        raise WbcError(
            f"The prepared set {prepared_id} holds no images.",
            fix="Split again with a larger train part, and prepare it.",
        )
    table = split_table(workspace, prepared.split)
    held_out = table[table["part"] == "validation"]
    if held_out.empty:
        raise WbcError(
            f"The split {prepared.split} holds no images for validation.",
            expected="at least one image, to choose the best epoch by",
            fix="Split again, for example with --fractions 0.7,0.3, and prepare it.",
        )
    stored = open_images(workspace, dataset.id)
    shifted = validation_shift != "none"
    validation = ShiftedImages(stored, validation_shift, validation_strength) if shifted else stored
    recipe, labels = prepared.recipe, np.asarray(labels)
    online = OnlineStage(recipe.online, recipe.seed, images, labels, dataset.class_names)
    shares_of = len(dataset.class_names) if online.mixes or shares else 0
    return TrainingData(
        dataset,
        prepared,
        Batches(
            images,
            np.arange(len(labels)),
            labels,
            batch_size=batch_size,
            seed=seed,
            online=online if recipe.online else None,
            shares_of=shares_of,
        ),
        Batches(
            validation,
            held_out["row"].to_numpy(np.int64),
            held_out["label"].to_numpy(np.int64),
            batch_size=max(batch_size, 64),
            shares_of=shares_of,
        ),
    )
