"""The online stage of a recipe: drawn anew for every image in every epoch, while a network trains on it.

What an image becomes depends on the recipe's seed, the epoch and the image's position in the prepared set,
and on nothing else: not on the batch, the order, or how often training was resumed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wbc_core.augment.applying import CHANCE, applied_to, check_classes
from wbc_core.augment.mixes import MIXES
from wbc_core.augment.operations import OPERATIONS, Drawn, Images
from wbc_core.augment.recipe import check_online, online_operation
from wbc_core.records import Operation

Positions = NDArray[np.int64]


class OnlineStage:
    """Applies operations one after the other, and at most one mix an image at the end.

    The partner of a mix is another image of the set, drawn from all of them, after the same operations but
    not mixed itself.

    Args:
        operations: The online stage of a recipe, in its order.
        seed: The recipe's seed.
        images: The prepared set, uint8 (N, H, W, 3), memory-mapped.
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
        images: Images,
        labels: NDArray[np.integer],
        class_names: Sequence[str],
    ) -> None:
        self.operations, self.seed = check_online(operations), seed
        self.images, self.labels = images, labels
        self.class_names = tuple(class_names)
        for operation in self.operations:
            check_classes(operation, self.class_names)
        self.mixes = any(operation.name in MIXES for operation in self.operations)
        self._drawn: tuple[int, list[Drawn]] | None = None

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

    def _kept_labels(self, positions: Positions, epoch: int) -> Images:
        images = np.ascontiguousarray(self.images[positions])
        for index, operation in enumerate(self.operations):
            if operation.name in MIXES:
                continue
            drawn = self._draws(epoch)[index]
            chosen = applied_to(
                self.operations[index], drawn[CHANCE][positions], self.labels[positions], self.class_names
            )
            if len(chosen):
                own = _part(drawn, positions[chosen])
                images[chosen] = OPERATIONS.get(operation.name).apply(images[chosen], own)
        return images

    def _mixed(
        self, images: Images, labels: NDArray[np.int32], positions: Positions, epoch: int
    ) -> tuple[Images, NDArray[np.float32]]:
        shares = np.eye(len(self.class_names), dtype=np.float32)[labels]
        single = np.ones(len(positions), dtype=bool)
        for index, operation in enumerate(self.operations):
            if operation.name not in MIXES:
                continue
            drawn = self._draws(epoch)[index]
            chosen = applied_to(
                self.operations[index], drawn[CHANCE][positions], self.labels[positions], self.class_names
            )
            chosen = chosen[single[chosen]]
            if not len(chosen):
                continue
            single[chosen] = False
            partners = np.floor(drawn[_PARTNER][positions[chosen]] * len(self.labels)).astype(np.int64)
            own = _part(drawn, positions[chosen])
            images[chosen], share = MIXES.get(operation.name).mix(
                images[chosen], self._kept_labels(partners, epoch), own
            )
            shares[chosen] *= (1 - share[:, None]).astype(np.float32)
            shares[chosen, self.labels[partners]] += share.astype(np.float32)
        return images, shares

    def _draws(self, epoch: int) -> list[Drawn]:
        # Read once: a loader's thread of the epoch before may still be asking.
        drawn = self._drawn
        if drawn is None or drawn[0] != epoch:
            height, width, channels = self.images.shape[1:]
            shape = (height, width, channels)
            every = [
                draw_online(operation, index, self.seed, epoch, len(self.labels), shape)
                for index, operation in enumerate(self.operations)
            ]
            drawn = self._drawn = (epoch, every)
        return drawn[1]


_PARTNER = "partner"


def draw_online(
    operation: Operation, index: int, seed: int, epoch: int, count: int, shape: tuple[int, int, int]
) -> Drawn:
    """Draw what an operation of the online stage does to every image in an epoch.

    Args:
        operation: The operation.
        index: Its place in the stage; each place has a generator of its own.
        seed: Seed of the recipe.
        epoch: The epoch, from 0.
        count: Number of images in the prepared set. The first values are the same however many follow.
        shape: Height, width, channels, in pixels.

    Returns:
        The operation's drawn parameters, and `chance` and `partner`, uniform in [0, 1), each float64 (n,).
    """
    key = (2, index, epoch)
    drawn = online_operation(operation.name).sample(
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key)),
        count,
        shape,
        **operation.parameters,
    )
    uniform = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*key, 1))).random((count, 2))
    return {**drawn, CHANCE: uniform[:, 0], _PARTNER: uniform[:, 1]}


def _part(drawn: Drawn, positions: Positions) -> Drawn:
    return {name: values[positions] for name, values in drawn.items() if name not in (CHANCE, _PARTNER)}
