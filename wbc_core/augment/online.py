"""The online stage of a recipe: drawn anew for every image in every epoch, while a network trains on it.

What an image becomes depends on the recipe's seed, the epoch and the image's position in the prepared set,
and on nothing else: not on the batch, the order, or how often training was resumed.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.applying import applied_to, check_classes
from wbc_core.augment.mixes import MIXES
from wbc_core.augment.operations import OPERATIONS, Drawn, Images
from wbc_core.augment.recipe import check_online, online_operation
from wbc_core.augment.uniform import uniform_at
from wbc_core.records import Operation

Positions = NDArray[np.int64]


class ImageSource(Protocol):
    """Images of a set by position: a memory-mapped file, or what computes them when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of images, height, width, channels."""

    def __getitem__(self, positions: Positions, /) -> Images:
        """Images at some positions, uint8 (m, H, W, 3)."""


class OnlineStage:
    """Applies operations one after the other, and at most one mix an image at the end.

    The partner of a mix is another image of the set, drawn from all of them, after the same operations but
    not mixed itself.

    Args:
        operations: The online stage of a recipe, in its order.
        seed: The recipe's seed.
        images: The prepared set, uint8 (N, H, W, 3), memory-mapped, or as it is foreseen.
        labels: Its labels, int (N,).
        class_names: Class names, in label order.

    Raises:
        WbcError: An operation or a parameter is not valid, or one names a class that there is not.

    Attributes:
        mixes: Whether labels are mixed, so that a label is a row of shares instead of a number.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        seed: int,
        images: ImageSource,
        labels: NDArray[np.integer],
        class_names: Sequence[str],
    ) -> None:
        self.operations, self.seed = check_online(operations), seed
        self.images, self.labels = images, labels
        self.class_names = tuple(class_names)
        for operation in self.operations:
            check_classes(operation, self.class_names)
        self.mixes = any(operation.name in MIXES for operation in self.operations)

    def __call__(
        self, positions: Positions, epoch: int
    ) -> tuple[Images, NDArray[np.int32] | NDArray[np.float32]]:
        """Augment some images of the set as they are in an epoch.

        Args:
            positions: Positions in the prepared set, int64 (n,).
            epoch: The epoch, from 0.

        Returns:
            Images, uint8 (n, H, W, 3), and their labels: int32 (n,), or float32 (n, classes), shares that sum
            to 1, where the stage mixes.
        """
        images = self._kept_labels(positions, epoch)
        labels = self.labels[positions].astype(np.int32)
        if not self.mixes:
            return images, labels
        return self._mixed(images, labels, positions, epoch)

    def captions(self, index: int, positions: Positions, epoch: int) -> list[str]:
        """Say for each image what one operation of the stage draws; nothing where it is not applied."""
        chosen, drawn = self._drawn(index, positions, epoch)
        kind = online_operation(self.operations[index].name)
        said = [""] * len(positions)
        for order, place in enumerate(chosen.tolist()):
            said[place] = kind.caption(drawn, order)
        return said

    def _kept_labels(self, positions: Positions, epoch: int) -> Images:
        images = np.ascontiguousarray(self.images[positions])
        for index, operation in enumerate(self.operations):
            if operation.name in MIXES:
                continue
            chosen, drawn = self._drawn(index, positions, epoch)
            if len(chosen):
                images[chosen] = OPERATIONS.get(operation.name).apply(images[chosen], drawn)
        return images

    def _mixed(
        self, images: Images, labels: NDArray[np.int32], positions: Positions, epoch: int
    ) -> tuple[Images, NDArray[np.float32]]:
        shares = np.eye(len(self.class_names), dtype=np.float32)[labels]
        for index, operation in enumerate(self.operations):
            if operation.name not in MIXES:
                continue
            chosen, drawn = self._drawn(index, positions, epoch)
            if not len(chosen):
                continue
            uniform = self._chance(index, positions[chosen], epoch)[:, _PARTNER]
            partners = np.floor(uniform * len(self.labels)).astype(np.int64)
            images[chosen], share = MIXES.get(operation.name).mix(
                images[chosen], self._kept_labels(partners, epoch), drawn
            )
            shares[chosen] *= (1 - share[:, None]).astype(np.float32)
            shares[chosen, self.labels[partners]] += share.astype(np.float32)
        return images, shares

    def _drawn(self, index: int, positions: Positions, epoch: int) -> tuple[Positions, Drawn]:
        """Which of the images an operation is applied to, and what it draws for these."""
        operation, kind = self.operations[index], online_operation(self.operations[index].name)
        chosen = self._chosen(index, positions, epoch)
        if operation.name in MIXES:
            # An image is mixed once: by the first mix that is applied to it.
            for earlier in range(index):
                if self.operations[earlier].name in MIXES:
                    chosen = np.setdiff1d(chosen, self._chosen(earlier, positions, epoch))
        height, width, channels = self.images.shape[1:]
        uniform = uniform_at(self._sequence(index, epoch), positions[chosen], kind.draws)
        return chosen, kind.scale(uniform, (height, width, channels), kind.checked(operation.parameters))

    def _chosen(self, index: int, positions: Positions, epoch: int) -> Positions:
        chance = self._chance(index, positions, epoch)[:, 0]
        return applied_to(self.operations[index], chance, self.labels[positions], self.class_names)

    def _chance(self, index: int, positions: Positions, epoch: int) -> NDArray[np.float64]:
        """Uniform numbers that decide whether an image is changed, and which its partner is, (n, 2)."""
        return uniform_at(self._sequence(index, epoch, 1), positions, 2)

    def _sequence(self, index: int, epoch: int, *purpose: int) -> np.random.SeedSequence:
        """The seed of an operation in an epoch: each place in the stage has a generator of its own."""
        return np.random.SeedSequence(self.seed, spawn_key=(2, index, epoch, *purpose))


_PARTNER = 1
